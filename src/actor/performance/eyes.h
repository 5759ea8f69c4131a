// Lids and eyes over time: blinks and gaze as state machines that can be asked at any rising time.
#pragma once

#include <array>

#include "mien/base/random.h"

namespace mien {

// Blinks at random times. All times in seconds from the start of the stream.
class Blinker {
 public:
  Blinker(std::uint64_t seed, float rate);

  // Closure of the lids in [0,1] at `now` (rising). `interval_scale` stretches the waits that are drawn from now on;
  // `hold_back` postpones a blink that is due.
  float step(double now, double interval_scale, bool hold_back);
  void blink_now(double now);  // with a gaze shift; ignored during a blink and for a second after one
  bool active(double now) const { return now >= begin_ && now < begin_ + duration_; }

  // Closure at share x in [0,1] of a blink: fast shut, short hold, slow opening.
  static float profile(double x, double hold_share);

 private:
  void draw(double now, double interval_scale);
  Random random_;
  float rate_;
  double begin_ = 1e18;
  double duration_ = 0;
  double last_end_ = 0;
  bool started_ = false;
};

// Where the eyes look, relative to the trunk's front: yaw, pitch, radians.
class Gaze {
 public:
  Gaze(std::uint64_t seed, float size);

  // `fixation_scale` below 1 makes the eyes restless; `pitch_bias` radians (negative = looks down).
  std::array<float, 2> step(double now, float fixation_scale, float pitch_bias);
  bool in_saccade(double now) const { return now < begin_ + duration_; }
  // Size in radians of a saccade that began in the last step, 0 when none did.
  float started() const { return started_; }

  // Main sequence: seconds for a saccade of `degrees`.
  static double saccade_seconds(double degrees) { return 0.021 + 0.0022 * degrees; }

 private:
  void move(double now, const std::array<float, 2>& target);
  Random random_;
  float size_;
  std::array<float, 2> from_ = {0, 0}, to_ = {0, 0}, centre_ = {0, 0};
  double begin_ = -1, duration_ = 0, next_ = 0, next_micro_ = 0.5;
  bool away_ = false;
  float started_ = 0;
};

}  // namespace mien
