#include "speech/training/augment.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mien {
namespace {

constexpr float kNatPerDb = 0.2302585f;  // ln power per decibel

double band_hz(double band) {
  const double low = 2595.0 * std::log10(1.0 + kMelLowHz / 700.0);
  const double high = 2595.0 * std::log10(1.0 + kMelHighHz / 700.0);
  const double mel = low + (high - low) * (band + 1.0) / (kMelBands + 1);
  return 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0);
}

double hz_band(double hz) {
  const double low = 2595.0 * std::log10(1.0 + kMelLowHz / 700.0);
  const double high = 2595.0 * std::log10(1.0 + kMelHighHz / 700.0);
  return (2595.0 * std::log10(1.0 + std::max(hz, 0.0) / 700.0) - low) / (high - low) * (kMelBands + 1) - 1.0;
}

using Curve = std::array<float, kMelBands>;

// A smooth random curve over bands: a tilt and some bumps, in ln power, of about `size` decibels.
Curve random_curve(float size, Random& random) {
  Curve curve{};
  const float tilt = random.normal() * size * kNatPerDb;
  for (int b = 0; b < kMelBands; ++b) curve[b] = tilt * (static_cast<float>(b) / kMelBands - 0.5f) * 2.0f;
  for (int bump = 0; bump < 3; ++bump) {
    const float centre = random.uniform(0, kMelBands);
    const float width = random.uniform(3, 16);
    const float height = random.normal() * 0.7f * size * kNatPerDb;
    for (int b = 0; b < kMelBands; ++b) {
      const float d = (static_cast<float>(b) - centre) / width;
      curve[b] += height * std::exp(-0.5f * d * d);
    }
  }
  return curve;
}

void equalise(MelRows& rows, Random& random, float line) {
  Curve curve{};
  if (random.uniform() < 0.8f * line) curve = random_curve(random.uniform(1, 6), random);
  if (random.uniform() < 0.45f * line) {  // telephone, old recordings, low bit rates
    const auto edge = static_cast<float>(hz_band(random.uniform(3000, 6500)));
    for (int b = 0; b < kMelBands; ++b) curve[b] -= std::clamp((static_cast<float>(b) - edge) * 3.0f, 0.0f, 9.0f);
  }
  if (random.uniform() < 0.1f * line) {
    const auto edge = static_cast<float>(hz_band(random.uniform(120, 300)));
    for (int b = 0; b < kMelBands; ++b) curve[b] -= std::clamp((edge - static_cast<float>(b)) * 1.5f, 0.0f, 8.0f);
  }
  for (MelFrame& row : rows) {
    for (int b = 0; b < kMelBands; ++b) row[b] += curve[b];
  }
}

// Room: an exponential tail in the power domain, without the first 10 ms (which is the direct sound).
void reverberate(MelRows& rows, Random& random) {
  const float t60 = random.uniform(0.12f, 0.8f);
  const float decay = std::exp(-13.8155f * 0.01f / t60);
  // Direct-to-reverberant ratio 1 to 14 dB.
  const float wet = (1.0f - decay) / decay * std::pow(10.0f, -random.uniform(0.1f, 1.4f));
  const float damping = random.uniform(0.0f, 0.5f);
  std::array<float, kMelBands> tail{};
  for (MelFrame& row : rows) {
    for (int b = 0; b < kMelBands; ++b) {
      const float direct = std::exp(row[b]);
      row[b] = std::log(direct + wet * tail[b] + 1e-10f);
      const float band_decay = decay * (1.0f - damping * 0.1f * static_cast<float>(b) / kMelBands);
      tail[b] = band_decay * (tail[b] + direct);
    }
  }
}

float loud_level(const MelRows& rows) {
  std::vector<float> energy;
  energy.reserve(rows.size());
  for (const MelFrame& row : rows) {
    float sum = 0;
    for (const float v : row) sum += std::exp(v);
    energy.push_back(std::log(sum + 1e-10f));
  }
  const std::size_t rank = energy.size() * 9 / 10;
  std::nth_element(energy.begin(), energy.begin() + static_cast<std::ptrdiff_t>(rank), energy.end());
  return energy[rank];
}

void add_noise(MelRows& rows, Random& random) {
  const float snr = random.uniform(6, 50);
  Curve curve = random_curve(8, random);
  float sum = 0;
  for (int b = 0; b < kMelBands; ++b) sum += std::exp(curve[b]);
  const float level = loud_level(rows) - snr * kNatPerDb - std::log(sum);
  const float roughness = random.uniform(0.1f, 0.6f);  // a band covers few DFT bins: its noise power fluctuates
  const float sway = random.uniform() < 0.3f ? random.uniform(0, 1.5f) : 0.0f;
  float slow = 0;
  for (MelFrame& row : rows) {
    slow = 0.97f * slow + 0.24f * sway * random.normal();
    for (int b = 0; b < kMelBands; ++b) {
      const float noise = level + curve[b] + slow + roughness * random.normal();
      row[b] = std::log(std::exp(row[b]) + std::exp(noise));
    }
  }
}

// What codecs do: bands far below their neighbourhood vanish.
void codec_holes(MelRows& rows, Random& random) {
  const float depth = random.uniform(3.5f, 6);
  for (MelFrame& row : rows) {
    const MelFrame original = row;
    for (int b = 0; b < kMelBands; ++b) {
      float top = original[b];
      for (int k = std::max(0, b - 6); k < std::min(kMelBands, b + 7); ++k) top = std::max(top, original[k]);
      if (original[b] < top - depth && random.uniform() < 0.7f) row[b] -= random.uniform(2, 6);
    }
  }
}

}  // namespace

VoiceChange random_voice(const AugmentOptions& options, Random& random) {
  const double limit = std::log(1.0 + options.warp);
  VoiceChange voice;
  voice.warp = std::exp(std::clamp(0.6 * limit * random.normal(), -limit, limit));
  voice.gain = random.uniform(-options.gain_db, options.gain_db) * kNatPerDb;
  return voice;
}

void add_clip(const std::uint8_t* from, std::int64_t rows, const VoiceChange& voice, Random& random, MelRows& out) {
  const double factor = voice.warp;
  // Band b of the new voice shows what band source[b] of the old one showed; above 4.8 kHz the warp bends back to meet
  // 8 kHz.
  std::array<float, kMelBands> source;
  for (int b = 0; b < kMelBands; ++b) {
    const double hz = band_hz(b);
    const double knee = 4800.0 * std::min(1.0, 1.0 / factor);
    const double warped =
        hz <= knee ? hz * factor : knee * factor + (8000.0 - knee * factor) * (hz - knee) / (8000.0 - knee);
    source[b] = static_cast<float>(std::clamp(hz_band(warped), 0.0, kMelBands - 1.0));
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::uint8_t* row = from + r * kMelBands;
    MelFrame frame;
    for (int b = 0; b < kMelBands; ++b) {
      const int low = std::min(static_cast<int>(source[b]), kMelBands - 2);
      const float t = source[b] - static_cast<float>(low);
      const float value = dequantize_mel(row[low]) * (1 - t) + dequantize_mel(row[low + 1]) * t;
      frame[b] = value + voice.gain + random.uniform(-0.05f, 0.05f);
    }
    out.push_back(frame);
  }
}

void augment_stream(MelRows& rows, const AugmentOptions& options, Random& random) {
  equalise(rows, random, options.line);
  if (random.uniform() < 0.4f * options.line) reverberate(rows, random);
  if (random.uniform() < 0.65f * options.line) add_noise(rows, random);
  if (random.uniform() < 0.25f * options.line) codec_holes(rows, random);
  for (MelFrame& row : rows) {
    for (float& v : row) v = std::max(v, kMelFloor);
  }
}

void mask_bands(MelRows& rows, const AugmentOptions& options, Random& random) {
  if (random.uniform() >= 0.4f * options.mask) return;
  const int width = 1 + static_cast<int>(random.below(8));
  const int first = static_cast<int>(random.below(kMelBands - width));
  for (MelFrame& row : rows) std::fill(row.begin() + first, row.begin() + first + width, 0.0f);
}

}  // namespace mien
