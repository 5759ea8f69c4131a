// Which picture to train on next, read ahead on a thread of its own.
#pragma once

#include <array>
#include <future>
#include <map>
#include <memory>
#include <vector>

#include "mien/capture/capture.h"
#include "mien/capture/split.h"
#include "mien/speech/sound_context.h"

namespace mien {

// A picture as the loss wants it.
struct TrainingSample {
  SampleKey key;
  int appearance = 0;  // index into SampleReader::appearances()
  Camera camera;
  const MotionFrame* motion = nullptr;  // owned by the SampleReader
  std::vector<float> rgb;               // [H,W,3] foreground premultiplied by the matte
  std::vector<float> matte;             // [H,W]
};

class SampleReader {
 public:
  // Uses the pictures of split_pictures(). Throws kBadArgument when there are none. With `sound` every frame of motion
  // carries these features of the sequence's sound file; kBadFile for a sequence without one.
  SampleReader(const Capture& capture, const std::string& split, std::size_t cache_bytes,
               const SoundContext* sound = nullptr, float hold_out = 0);

  const std::vector<SampleKey>& keys() const { return keys_; }
  const MotionFrame& motion(const SampleKey& key) const;
  int frames(int sequence) const { return motions_.at(sequence).frame_count(); }  // of its motion
  TrainingSample read(const SampleKey& key) const;                                // thread-safe
  // The picture as stored, over the background of its camera. Thread-safe.
  std::shared_ptr<const CaptureFrame> picture(const SampleKey& key) const;
  Camera camera(const SampleKey& key) const;
  const std::array<float, 3>& background(const SampleKey& key) const;
  std::future<TrainingSample> read_ahead(SampleKey key) const;
  const Capture& capture() const { return *capture_; }
  // What the capture's training sequences wear: appearance_names(). A picture of any other wears the first.
  const std::vector<std::string>& appearances() const { return appearances_; }
  int appearance(const SampleKey& key) const { return worn_[static_cast<std::size_t>(key.sequence)]; }

 private:
  const Capture* capture_;
  std::map<int, HeadMotion> motions_;
  std::vector<std::string> appearances_;
  std::vector<int> worn_;  // by sequence
  std::vector<SampleKey> keys_;
  std::unique_ptr<FrameCache> cache_;
};

}  // namespace mien
