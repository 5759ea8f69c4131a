// FNV-1a, 64 bits (Fowler, Noll, Vo): tells files and options apart, keeps no secrets.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace mien {

constexpr std::uint64_t kFnvStart = 14695981039346656037ULL;

constexpr std::uint64_t fnv1a(std::uint8_t byte, std::uint64_t hash) {
  return (hash ^ byte) * 1099511628211ULL;
}
constexpr std::uint64_t fnv1a(std::span<const std::uint8_t> bytes, std::uint64_t hash = kFnvStart) {
  for (const std::uint8_t byte : bytes) hash = fnv1a(byte, hash);
  return hash;
}
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = kFnvStart) {
  for (const char c : text) hash = fnv1a(static_cast<std::uint8_t>(c), hash);
  return hash;
}

}  // namespace mien
