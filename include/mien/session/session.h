// A talking head as a stream: push sound and emotion, pull pictures. Offline synthesis is the same stream, read to its
// end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mien/actor/idle.h"
#include "mien/avatar/avatar.h"
#include "mien/field_avatar/renderer.h"
#include "mien/gaussian_avatar/renderer.h"
#include "mien/motion/speech_driver.h"
#include "mien/session/view.h"

namespace mien {

struct SessionOptions {
  int width = 512, height = 512;  // pixels, even
  int fps = 30;                   // [1, 120]
  View view;
  std::array<float, 3> background_top = {0.60f, 0.64f, 0.69f};  // sRGB; a vertical gradient behind the person
  std::array<float, 3> background_bottom = {0.36f, 0.39f, 0.44f};
  bool idle = true;  // blinks, gaze, breathing, head sway
  IdleOptions idle_options;
  std::string appearance = {};    // "beach" or "beach:0.3,studio:0.7", see Avatar::appearance_mix(); "" = the first
  std::string person = {};        // whose way of moving, of those the speech networks know; "" = their default
  float mouth_gain = 1;           // [0, 2] size of the mouth's movements; closures stay closed
  Device device = Device::kAuto;  // where pictures are drawn
};

struct SessionFrame {
  std::int64_t index = 0;
  double time = 0;     // seconds since the first sample
  Image8 picture;      // RGB
  MotionFrame motion;  // what was drawn
};

// Not thread-safe; rendering inside uses all OpenMP threads.
class Session {
 public:
  // Throws kBadArgument for sizes or rates out of range.
  Session(std::shared_ptr<const Avatar> avatar, std::shared_ptr<const SpeechModel> speech,
          const SessionOptions& options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void set_emotion(const EmotionTrack& track);  // in seconds since the first sample; see SpeechDriver
  void set_view(const View& view);              // from the next frame on
  // From the next frame on; see SessionOptions::appearance. Takes about a tenth of a second.
  void set_appearance(const std::string& appearance);
  void push_audio(std::span<const float> samples);  // 16 kHz mono
  void finish();                                    // no more sound
  bool next_frame(SessionFrame& frame);             // false when more sound is needed, or at the end
  bool finished() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Draws one moment of an avatar from a view: what a session does for every frame, for motions from elsewhere.
class AvatarPainter {
 public:
  AvatarPainter(std::shared_ptr<const Avatar> avatar, const SessionOptions& options);
  Image8 paint(const MotionFrame& motion, double time);
  Image8 paint(const MotionFrame& motion, const Camera& camera);
  void set_view(const View& view) { options_.view = view; }
  void set_appearance(const std::string& appearance);

 private:
  std::shared_ptr<const Avatar> avatar_;
  SessionOptions options_;
  std::unique_ptr<const GaussianAvatar> worn_;  // the Gaussians in their appearance; none where there is only one
  std::optional<AvatarRenderer> gaussians_;     // one of the two
  std::optional<FieldRenderer> field_;
  std::vector<float> rgb_, alpha_;
};

}  // namespace mien
