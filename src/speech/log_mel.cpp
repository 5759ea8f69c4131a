#include "mien/speech/log_mel.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <complex>
#include <numbers>
#include <sstream>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr int kFft = 512;
constexpr int kBins = kFft / 2 + 1;
constexpr double kRate = 16000.0;

double hz_to_mel(double hz) {
  return 2595.0 * std::log10(1.0 + hz / 700.0);
}
double mel_to_hz(double mel) {
  return 700.0 * (std::pow(10.0, mel / 2595.0) - 1.0);
}

// Tables that never change: window, twiddles, bit reversal, and each band's triangle as (first bin, weights).
struct Tables {
  std::array<float, kMelWindow> window;
  std::array<std::complex<float>, kFft / 2> twiddle;
  std::array<int, kFft> reversed;
  struct Band {
    int first = 0;
    std::vector<float> weights;
  };
  std::array<Band, kMelBands> bands;

  Tables() {
    double sum = 0;
    for (int i = 0; i < kMelWindow; ++i) {
      const double w = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * (i + 0.5) / kMelWindow);
      window[i] = static_cast<float>(w);
      sum += w;
    }
    // A full-scale sine has amplitude sum/2 in its bin: scaled so that this is power 1.
    for (float& w : window) w = static_cast<float>(w * 2.0 / sum);
    for (int i = 0; i < kFft / 2; ++i) {
      const double angle = -2.0 * std::numbers::pi * i / kFft;
      twiddle[i] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
    }
    for (int i = 0; i < kFft; ++i) {
      int r = 0;
      for (int bit = 1, value = i; bit < kFft; bit <<= 1, value >>= 1) r = (r << 1) | (value & 1);
      reversed[i] = r;
    }
    const double low = hz_to_mel(kMelLowHz);
    const double step = (hz_to_mel(kMelHighHz) - low) / (kMelBands + 1);
    for (int b = 0; b < kMelBands; ++b) {
      const double left = mel_to_hz(low + step * b);
      const double centre = mel_to_hz(low + step * (b + 1));
      const double right = mel_to_hz(low + step * (b + 2));
      // Narrow triangles can fall between two bins: every band is at least two bins wide.
      const double bin = kRate / kFft;
      const double reach_left = std::max(centre - left, bin);
      const double reach_right = std::max(right - centre, bin);
      for (int k = 0; k < kBins; ++k) {
        const double f = k * bin;
        const double w = f <= centre ? 1.0 - (centre - f) / reach_left : 1.0 - (f - centre) / reach_right;
        if (w <= 0) continue;
        if (bands[b].weights.empty()) bands[b].first = k;
        bands[b].weights.push_back(static_cast<float>(w));
      }
    }
  }
};

const Tables& tables() {
  static const Tables instance;
  return instance;
}

// In-place radix-2 decimation in time; `x` already in bit-reversed order.
void fft(std::array<std::complex<float>, kFft>& x, const Tables& t) {
  for (int half = 1; half < kFft; half <<= 1) {
    const int stride = kFft / (2 * half);
    for (int start = 0; start < kFft; start += 2 * half) {
      for (int k = 0; k < half; ++k) {
        const std::complex<float> w = t.twiddle[k * stride];
        const std::complex<float> b = x[start + k + half];
        const std::complex<float> product(b.real() * w.real() - b.imag() * w.imag(),
                                          b.real() * w.imag() + b.imag() * w.real());
        x[start + k + half] = x[start + k] - product;
        x[start + k] += product;
      }
    }
  }
}

MelFrame analyse(const float* samples, const Tables& t) {
  std::array<std::complex<float>, kFft> x{};
  for (int i = 0; i < kMelWindow; ++i) x[t.reversed[i]] = samples[i] * t.window[i];
  fft(x, t);
  std::array<float, kBins> power;
  for (int k = 0; k < kBins; ++k) power[k] = std::norm(x[k]);
  MelFrame frame;
  for (int b = 0; b < kMelBands; ++b) {
    float sum = 0;
    for (std::size_t k = 0; k < t.bands[b].weights.size(); ++k)
      sum += t.bands[b].weights[k] * power[t.bands[b].first + k];
    frame[b] = std::max(kMelFloor, std::log(sum + 1e-30f));
  }
  return frame;
}

}  // namespace

LogMel::LogMel() {
  pending_.reserve(2 * kMelWindow);
}

void LogMel::reset() {
  pending_.clear();
}

std::int64_t LogMel::frame_count(std::int64_t samples) {
  return samples < kMelWindow ? 0 : (samples - kMelWindow) / kMelHop + 1;
}

void LogMel::push(std::span<const float> samples, std::vector<MelFrame>& out) {
  const Tables& t = tables();
  for (const float sample : samples) {
    pending_.push_back(std::isfinite(sample) ? std::clamp(sample, -4.0f, 4.0f) : 0.0f);
    if (pending_.size() == kMelWindow) {
      out.push_back(analyse(pending_.data(), t));
      pending_.erase(pending_.begin(), pending_.begin() + kMelHop);
    }
  }
}

std::string FeatureOptions::text() const {
  return fmt::format("log-mel-{}{} depth-{}", kMelBands, band_means ? " band-mean" : "", depth);
}

FeatureOptions FeatureOptions::parse(const std::string& text) {
  FeatureOptions options;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word == fmt::format("log-mel-{}", kMelBands)) continue;
    if (word == "band-mean") {
      options.band_means = true;
      continue;
    }
    const char* end = word.data() + word.size();
    std::from_chars_result number{word.data(), std::errc::invalid_argument};
    if (word.starts_with("depth-")) number = std::from_chars(word.data() + 6, end, options.depth);
    if (number.ec != std::errc() || number.ptr != end || !(options.depth > 0 && options.depth <= -kMelFloor)) {
      throw Error(ErrorCode::kUnsupported, fmt::format("speech features \"{}\"", text.substr(0, 80)),
                  "the network wants another version of Mien");
    }
  }
  return options;
}

void FeatureNormalizer::apply(MelFrame& frame) {
  // Per 10 ms frame. The attack is a first-order lag of about three frames; the release is linear in decibels, so that
  // a pause of seconds changes little; the lower bound keeps a quiet room from being raised to the level of speech.
  constexpr float kAttack = 0.3f;
  constexpr float kRelease = 0.345f / kMelRate;  // nat a frame: 1.5 dB/s
  constexpr float kLowest = -10.0f;
  constexpr float kHighest = 0.5f;
  float total = 0;
  for (const float v : frame) total += std::exp(v);
  const float energy = std::max(kMelFloor, std::log(total + 1e-30f));
  level_ += energy > level_ ? kAttack * (energy - level_) : -kRelease;
  level_ = std::clamp(level_, kLowest, kHighest);
  relative_energy_ = std::max(energy - level_, -12.0f);
  const float floor = std::exp(-options_.depth);
  for (int b = 0; b < kMelBands; ++b) {
    const float relative = std::log(std::exp(frame[b] - level_) + floor);
    // Speech falls off with frequency; a fixed straight line through its average spectrum stands for the mean.
    const float mean = -5.6f - 2.4f * static_cast<float>(b) / kMelBands;
    frame[b] = std::clamp((relative - mean) / 2.2f, -5.0f, 5.0f);
  }
  if (!options_.band_means) return;
  // The first half second counts as heard before, at the average voice; then four seconds of speech are remembered.
  constexpr int kPrior = 50;
  constexpr int kMemory = 4 * kMelRate;
  constexpr float kSpeech = -4.0f;  // 17 dB below the level; what is softer says little of the voice
  if (relative_energy_ > kSpeech) {
    heard_ = std::min(heard_ + 1, kMemory);
    const float share = 1.0f / static_cast<float>(kPrior + heard_);
    for (int b = 0; b < kMelBands; ++b) mean_[b] += share * (frame[b] - mean_[b]);
  }
  for (int b = 0; b < kMelBands; ++b) frame[b] = std::clamp(frame[b] - mean_[b], -5.0f, 5.0f);
}

}  // namespace mien
