// Seeded random numbers: the same seed gives the same numbers on every platform (std:: distributions do not promise
// it).
#pragma once

#include <cmath>
#include <cstdint>

namespace mien {

// PCG32 (O'Neill 2014, pcg-random.org): small, fast, statistically sound. Not for cryptography.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 1) : increment_((stream << 1u) | 1u) {
    next();
    state_ += seed;
    next();
  }
  std::uint32_t next() {
    const std::uint64_t old = state_;
    state_ = old * 6364136223846793005ULL + increment_;
    const auto xorshifted = static_cast<std::uint32_t>(((old >> 18u) ^ old) >> 27u);
    const auto rot = static_cast<std::uint32_t>(old >> 59u);
    return (xorshifted >> rot) | (xorshifted << ((32u - rot) & 31u));
  }
  float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24f; }           // [0, 1)
  float uniform(float low, float high) { return low + (high - low) * uniform(); }  // [low, high)
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>((std::uint64_t{next()} * n) >> 32); }
  float normal() {  // mean 0, deviation 1 (Box and Muller 1958)
    const float u = 1.0f - uniform();
    return std::sqrt(-2.0f * std::log(u)) * std::cos(6.28318530718f * uniform());
  }

 private:
  std::uint64_t state_ = 0;
  std::uint64_t increment_;
};

}  // namespace mien
