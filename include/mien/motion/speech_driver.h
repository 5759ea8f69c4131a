// Speech in, moving mouth and face out: encoder and S2GNet behind one streaming object.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "mien/head/emotion.h"
#include "mien/head/head_motion.h"
#include "mien/head/phone.h"
#include "mien/motion/s2gnet.h"
#include "mien/speech/speech_encoder.h"

namespace mien {

struct SpeechDriverOptions {
  double fps = 30;          // of the motion; (0, 120]
  std::string person = {};  // whose way of moving; "" = the default person
};

// One network pair, loaded once; many drivers may share it. Immutable, thread-safe.
class SpeechModel {
 public:
  // Reads models/speech.safetensors. `encoder`: what S2GNet listens to, when that is neither in the file (phonetic) nor
  // without weights (mel), that is HuBERT. Throws kNotFound, kBadFile, kUnsupported (newer version), kMissingFeature
  // (trained on an encoder that is not given), kBadArgument (another encoder is given).
  static std::shared_ptr<const SpeechModel> load(const std::filesystem::path& path,
                                                 std::shared_ptr<const SpeechEncoder> encoder = nullptr);
  ~SpeechModel();

  struct Impl;
  const Impl& impl() const { return *impl_; }
  const S2GSettings& settings() const;

 private:
  SpeechModel();
  std::unique_ptr<Impl> impl_;
};

// What the networks say of one moment.
struct SpeechFrame {
  MotionFrame motion;  // expression weights (ARKit names first), emotion, and offsets where the net's head gives them;
                       // no pose, no idle motion
  std::array<float, kPhoneCount> phones = {};  // posterior probabilities
  float energy = 0;                            // [0,1], as IdleMotion::step() wants it
};

// A stream. The result does not depend on the block sizes of push(). Memory is bounded for endless streams.
// Not thread-safe: one thread pushes and pulls.
class SpeechDriver {
 public:
  explicit SpeechDriver(std::shared_ptr<const SpeechModel> model, const SpeechDriverOptions& options = {});
  ~SpeechDriver();
  SpeechDriver(SpeechDriver&&) noexcept;
  SpeechDriver& operator=(SpeechDriver&&) noexcept;

  // The emotion over the stream's time (seconds from the first sample). May be changed at any time; it applies to
  // frames that have not been pulled yet.
  void set_emotion(const EmotionTrack& track);

  void push(std::span<const float> samples);  // 16 kHz mono [-1,1]; not-a-number counts as 0
  void finish();                              // no more samples: the remaining frames become available
  bool pull(SpeechFrame& frame);              // false when more samples are needed, or at the end
  bool finished() const;                      // finish() was called and every frame was pulled

  // Frames in all for n samples: ceil(n / 16000 * fps). Frame i shows the sound around time i / fps.
  double lookahead_seconds() const;  // how much later than its sound a frame becomes available
  const std::vector<std::string>& expression_names() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
