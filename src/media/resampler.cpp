#include "media/resampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "media/sample_source.h"
#include "mien/base/error.h"
#include "mien/media/audio.h"

namespace mien {
namespace media {
namespace {

constexpr int kZeroCrossings = 64;
// Kaiser's formulas (Kaiser 1974): attenuation A = 100 dB gives beta = 0.1102 (A - 8.7) and a transition band of
// (A - 8) / (2.285 * 2 * 64) rad = 0.1 of the Nyquist frequency; the cutoff lies in its middle.
constexpr double kBeta = 0.1102 * (100.0 - 8.7);
constexpr double kCutoff = 0.95;
constexpr std::int64_t kMaxTable = 1 << 18;
constexpr int kInterpolatedPhases = 512;  // linear interpolation between them errs by -106 dB

// Modified Bessel function of the first kind, order 0, by its power series; std::cyl_bessel_i is far slower, and
// opening a file makes tens of thousands of weights.
double bessel_i0(double x) {
  const double quarter = x * x / 4;
  double term = 1;
  double sum = 1;
  for (int k = 1; term > 1e-14 * sum; ++k) {
    term *= quarter / (static_cast<double>(k) * k);
    sum += term;
  }
  return sum;
}

double kaiser(double x) {  // x in [-1, 1]
  static const double scale = 1 / bessel_i0(kBeta);
  return std::abs(x) >= 1 ? 0.0 : bessel_i0(kBeta * std::sqrt(1 - x * x)) * scale;
}

double sinc(double x) {
  return std::abs(x) < 1e-9 ? 1.0 : std::sin(M_PI * x) / (M_PI * x);
}

float dot(const float* a, const float* b, int count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

Resampler::Resampler(int from_rate, int to_rate) {
  if (from_rate < 1 || to_rate < 1 || from_rate > kMaxRate || to_rate > kMaxRate) {
    throw Error(ErrorCode::kBadArgument, fmt::format("cannot resample from {} Hz to {} Hz", from_rate, to_rate),
                fmt::format("rates of 1 to {} are allowed", kMaxRate));
  }
  const int divisor = std::gcd(from_rate, to_rate);
  up_ = to_rate / divisor;
  down_ = from_rate / divisor;
  const double band = kCutoff * std::min(1.0, static_cast<double>(to_rate) / from_rate);
  const double reach = kZeroCrossings / std::min(1.0, static_cast<double>(to_rate) / from_rate);
  half_ = static_cast<int>(std::ceil(reach)) + 1;
  const std::int64_t taps = 2 * std::int64_t{half_};
  // A filter stretched for a lower rate is smoother by that much, and needs fewer rows.
  phases_ = up_ * taps <= kMaxTable ? static_cast<int>(up_)
                                    : std::max(8, static_cast<int>(kInterpolatedPhases * kZeroCrossings / reach));
  table_.resize(static_cast<std::size_t>((phases_ + 1) * taps));
  for (int phase = 0; phase <= phases_; ++phase) {
    // Row `phase`: weights of inputs floor(t) - half + 1 .. floor(t) + half for t = floor(t) + phase / phases.
    float* row = table_.data() + phase * taps;
    double sum = 0;
    for (int k = 0; k < taps; ++k) {
      const double distance = k - half_ + 1 - static_cast<double>(phase) / phases_;
      const double weight = sinc(distance * band) * kaiser(distance / reach);
      row[k] = static_cast<float>(weight);
      sum += weight;
    }
    for (int k = 0; k < taps; ++k) row[k] = static_cast<float>(row[k] / sum);  // a constant stays that constant
  }
  history_.assign(static_cast<std::size_t>(half_), 0.0f);  // silence before the start
  first_ = -half_;
}

void Resampler::emit(std::int64_t limit, bool ended, std::vector<float>& out) {
  const int taps = 2 * half_;
  for (; !ended || output_count_ < limit; ++output_count_) {
    const std::int64_t position = output_count_ * down_;
    const std::int64_t floor = position / up_;
    if (!ended && floor + half_ >= limit) break;
    const std::int64_t scaled = (position % up_) * phases_;
    const std::int64_t phase = scaled / up_;
    const std::int64_t rest = scaled % up_;
    const float* input = history_.data() + (floor - half_ + 1 - first_);
    const float* row = table_.data() + phase * taps;
    float value = dot(input, row, taps);
    if (rest != 0) {
      const float share = static_cast<float>(rest) / static_cast<float>(up_);
      value += share * (dot(input, row + taps, taps) - value);
    }
    out.push_back(value);
  }
  // Forget what no later output needs.
  const std::int64_t needed = output_count_ * down_ / up_ - half_ + 1;
  const std::int64_t drop = std::clamp<std::int64_t>(needed - first_, 0, static_cast<std::int64_t>(history_.size()));
  history_.erase(history_.begin(), history_.begin() + drop);
  first_ += drop;
}

void Resampler::push(std::span<const float> input, std::vector<float>& out) {
  input_count_ += static_cast<std::int64_t>(input.size());
  if (up_ == down_) {
    out.insert(out.end(), input.begin(), input.end());
    return;
  }
  history_.insert(history_.end(), input.begin(), input.end());
  emit(input_count_, false, out);
}

void Resampler::finish(std::vector<float>& out) {
  if (up_ == down_) return;
  history_.insert(history_.end(), static_cast<std::size_t>(2 * half_ + down_ / up_ + 2), 0.0f);
  emit((2 * input_count_ * up_ + down_) / (2 * down_), true, out);
}

}  // namespace media

std::vector<float> resample(std::span<const float> samples, int from_rate, int to_rate) {
  media::Resampler resampler(from_rate, to_rate);
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(static_cast<double>(samples.size()) * to_rate / from_rate) + 1);
  // In pieces, so that the resampler's working memory stays small.
  constexpr std::size_t kPiece = 1 << 16;
  for (std::size_t i = 0; i < samples.size(); i += kPiece) {
    resampler.push(samples.subspan(i, std::min(kPiece, samples.size() - i)), out);
  }
  resampler.finish(out);
  return out;
}

}  // namespace mien
