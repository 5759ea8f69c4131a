// What a living face does besides speaking: blinks, gaze, breathing, sway, nods. Streaming, frame by frame.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "mien/head/emotion.h"
#include "mien/head/head_motion.h"

namespace mien {

// Each scale: 0 = off, 1 = natural, up to 3.
struct IdleOptions {
  std::uint64_t seed = 1;
  float blink = 1;      // 0 = never; otherwise scales the rate
  float gaze = 1;       // size of saccades away from the camera (0 = stares, eyes still)
  float sway = 1;       // head drift and nods
  float breathing = 1;  // rise and fall of the shoulders
  float variation = 1;  // slow come and go of the face's tone (brows, lids, corners)
};

// What one moment adds to a frame.
struct IdleFrame {
  std::array<float, kArkitCount> expression{};  // added to the weights (lids: whichever closes more); may be negative
  std::array<float, 2> gaze = {0, 0};           // yaw, pitch of both eyes, radians, relative to the head
  Vec3 head_rotation = Vec3::Zero();  // of the head, radians: x pitch (positive = nods down), y yaw (positive =
                                      // turns to the person's left), z roll (positive = tilts to the right)
  Vec3 neck_rotation = Vec3::Zero();  // the same for the neck
  Vec3 root_rotation = Vec3::Zero();  // and for the trunk
  Vec3 translation = Vec3::Zero();    // of everything, metres
  bool blinking = false;              // a blink is under way
};

// Not thread-safe; one object a stream. The same seed and the same calls give the same frames.
//
// Blinks: intervals log-normal, mean about 4 s (deviation 2.5 s; shorter in fear, longer in surprise), 150 to 300 ms
// long, closing about twice as fast as opening, often together with a large gaze shift (Evinger et al. 1994), held back
// while a small one is under way. Gaze: mostly eye contact, saccades along the main sequence (duration = 21 ms + 2.2 ms
// per degree, Bahill et al. 1975), fixations 0.4 to 3 s, micro-saccades of 0.1 to 0.6 degrees about once a second.
// Breathing: 14 a minute, inspiration 40 % of the cycle. Sway: sums of slow oscillations; nods follow the speech
// energy's onsets.
class IdleMotion {
 public:
  explicit IdleMotion(const IdleOptions& options = {});
  ~IdleMotion();
  IdleMotion(IdleMotion&&) noexcept;
  IdleMotion& operator=(IdleMotion&&) noexcept;

  // Advances by `dt` seconds (0 to 1) and gives the state then. `speech_energy` in [0,1]: 0 silence, about 0.5 to 1 in
  // vowels (for audio: min(1, 8 * RMS of the last 20 ms) is good enough).
  IdleFrame step(double dt, float speech_energy, const EmotionVector& emotion);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Adds an idle moment to a frame whose first 52 weights are the ARKit ones; weights stay in [0,1], gaze also moves the
// lids (the eyeLook weights; the eyeballs turn by pose).
void add_idle(const IdleFrame& idle, MotionFrame& frame);

// The posture an emotion brings without speech: head rotation offset as in IdleFrame and gaze pitch. Part of step()'s
// result already.
struct Posture {
  Vec3 head_rotation = Vec3::Zero();
  float gaze_pitch = 0;
};
Posture emotion_posture(const EmotionVector& emotion);

}  // namespace mien
