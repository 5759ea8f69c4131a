// The pitch of a voice as it speaks, ten milliseconds after ten milliseconds.
#pragma once

#include <span>
#include <vector>

namespace mien {

struct Pitch {
  float hz = 0;       // 60 to 500; 0 where nothing swings
  float clarity = 0;  // [0,1]: how alike one period and the next are
};

// Normalised autocorrelation (McLeod and Wyvill 2005, "A smarter way to find pitch") of the last 40 ms, at half the
// sampling rate. Causal; one value for every frame of LogMel, heard up to the same sample. Not thread-safe.
class PitchTracker {
 public:
  PitchTracker();
  // 16 kHz mono; what is not finite counts as 0. Appends the frames that are complete now.
  void push(std::span<const float> samples, std::vector<Pitch>& out);

 private:
  Pitch analyse() const;
  std::vector<float> last_;  // the last 40 ms at 8 kHz, oldest first
  float input_ = 0, high_ = 0, half_ = 0;
  bool odd_ = false;
  int until_next_;  // samples
};

}  // namespace mien
