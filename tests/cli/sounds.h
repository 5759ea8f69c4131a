// Sound files of every kind, written byte by byte, so that what the program reads is not what it wrote itself.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

namespace mien::testing_cli {

struct WavKind {
  int bits = 16;  // 8 (unsigned), 16, 24, or 32
  bool floating = false;
  int channels = 1;
  int rate = 16000;       // Hz
  int samples = 8000;     // a channel
  bool with_nan = false;  // floating only
};

// A voice-like buzz that swells and fades (RIFF WAVE, as in the Microsoft multimedia programming guide).
inline std::string wav_bytes(const WavKind& kind) {
  const auto put = [](std::string& out, std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  };
  const int frame = kind.channels * kind.bits / 8;
  std::string data;
  for (int i = 0; i < kind.samples; ++i) {
    const double t = static_cast<double>(i) / kind.rate;
    const double value = 0.5 * std::sin(2 * M_PI * 3 * t) * std::sin(2 * M_PI * 150 * t);
    for (int c = 0; c < kind.channels; ++c) {
      if (kind.floating) {
        float sample = static_cast<float>(value);
        if (kind.with_nan && i % 100 == 7) sample = std::numeric_limits<float>::quiet_NaN();
        std::uint32_t word = 0;
        std::memcpy(&word, &sample, 4);
        put(data, word, 4);
      } else if (kind.bits == 8) {
        put(data, static_cast<std::uint32_t>(128 + std::lround(127 * value)), 1);
      } else {
        const double scale = std::pow(2.0, kind.bits - 1) - 1;
        put(data, static_cast<std::uint32_t>(static_cast<std::int32_t>(std::lround(scale * value))), kind.bits / 8);
      }
    }
  }
  std::string out = "RIFF";
  put(out, static_cast<std::uint32_t>(36 + data.size()), 4);
  out += "WAVEfmt ";
  put(out, 16, 4);
  put(out, kind.floating ? 3 : 1, 2);
  put(out, static_cast<std::uint32_t>(kind.channels), 2);
  put(out, static_cast<std::uint32_t>(kind.rate), 4);
  put(out, static_cast<std::uint32_t>(kind.rate * frame), 4);
  put(out, static_cast<std::uint32_t>(frame), 2);
  put(out, static_cast<std::uint32_t>(kind.bits), 2);
  out += "data";
  put(out, static_cast<std::uint32_t>(data.size()), 4);
  return out + data;
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace mien::testing_cli
