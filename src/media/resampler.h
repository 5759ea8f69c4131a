// Band-limited resampling of a stream.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mien::media {

// Polyphase windowed sinc (Smith, "Digital Audio Resampling", ccrma.stanford.edu/~jos/resample): Kaiser window, 64 zero
// crossings a side, flat to 0.9 of the lower Nyquist frequency, 100 dB down from it on. No delay: output k lies at
// input time k * from / to; beyond its ends the signal is zero. Not thread-safe.
class Resampler {
 public:
  Resampler(int from_rate, int to_rate);  // throws kBadArgument for rates outside 1 to 768000
  // Appends to `out` all samples that `input` makes possible.
  void push(std::span<const float> input, std::vector<float>& out);
  // The rest, so that the total is round(n * to / from). After it the stream has ended.
  void finish(std::vector<float>& out);

 private:
  void emit(std::int64_t limit, bool ended, std::vector<float>& out);

  std::int64_t up_ = 1, down_ = 1;  // the ratio in lowest terms: `up` outputs for `down` inputs
  int half_ = 0;                    // taps a side
  int phases_ = 1;                  // rows of the table less one
  std::vector<float> table_;        // [phases + 1, 2 * half]
  std::vector<float> history_;      // inputs from `first_` on
  std::int64_t first_ = 0;          // input index of history_[0]
  std::int64_t input_count_ = 0;
  std::int64_t output_count_ = 0;
};

}  // namespace mien::media
