#include "training_samples.h"

#include <algorithm>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/capture/fitness.h"
#include "mien/media/audio.h"

namespace mien {

namespace {

void add_sound(const Capture& capture, const CaptureSequence& sequence, const SoundContext& sound, HeadMotion& motion) {
  const std::string where = fmt::format("{}: sequence {}", capture.folder.string(), sequence.id);
  if (sequence.audio.empty()) {
    throw Error(ErrorCode::kBadFile, where + " has no sound, from which alone the face would move",
                "without geometry every sequence needs its sound file: add it (\"audio\" in capture.json), or leave "
                "the sequence out");
  }
  const Audio audio = read_audio(path_inside(capture.folder, sequence.audio, where));
  std::vector<std::vector<float>> features = sound.frames(audio.samples, sequence.fps, motion.frame_count());
  for (std::size_t f = 0; f < features.size(); ++f) motion.frames[f].sound = std::move(features[f]);
}

}  // namespace

SampleReader::SampleReader(const Capture& capture, const std::string& split, std::size_t cache_bytes,
                           const SoundContext* sound, float hold_out)
    : capture_(&capture),
      appearances_(appearance_names(capture)),
      keys_(split_pictures(capture, split, hold_out)),
      cache_(std::make_unique<FrameCache>(capture, cache_bytes)) {
  for (const CaptureSequence& sequence : capture.sequences)
    worn_.push_back(std::max(0, appearance_of(appearances_, sequence)));
  for (const SampleKey& key : keys_) {
    if (motions_.contains(key.sequence)) continue;
    const CaptureSequence& sequence = capture.sequences[key.sequence];
    HeadMotion motion = capture.load_motion(sequence);
    require_motion_fits(sequence, motion);
    if (sound != nullptr) add_sound(capture, sequence, *sound, motion);
    motions_.emplace(key.sequence, std::move(motion));
  }
  if (keys_.empty()) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: no \"{}\" sequence with motion and views", capture.folder.string(), split),
                "check the capture with: mien capture check");
  }
}

const MotionFrame& SampleReader::motion(const SampleKey& key) const {
  return motions_.at(key.sequence).frames[key.frame];
}

std::shared_ptr<const CaptureFrame> SampleReader::picture(const SampleKey& key) const {
  const CaptureSequence& sequence = capture_->sequences[key.sequence];
  return cache_->get(sequence, sequence.views[key.view], key.frame);
}

Camera SampleReader::camera(const SampleKey& key) const {
  const CaptureSequence& sequence = capture_->sequences[key.sequence];
  return capture_->camera_at(sequence, sequence.views[key.view], key.frame);
}

const std::array<float, 3>& SampleReader::background(const SampleKey& key) const {
  return capture_->camera(capture_->sequences[key.sequence].views[key.view].camera).background;
}

TrainingSample SampleReader::read(const SampleKey& key) const {
  const auto frame = picture(key);
  TrainingSample sample;
  sample.key = key;
  sample.appearance = appearance(key);
  sample.camera = camera(key);
  sample.motion = &motion(key);
  const std::array<float, 3>& background = this->background(key);
  const std::size_t pixels = static_cast<std::size_t>(frame->rgb.width) * frame->rgb.height;
  sample.rgb.resize(pixels * 3);
  sample.matte.resize(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    const float alpha = static_cast<float>(frame->matte.pixels[i]) / 255.0f;
    sample.matte[i] = alpha;
    for (int c = 0; c < 3; ++c) {
      // The known background is taken out again; noise of the compression must not become light outside the person.
      const float stored = static_cast<float>(frame->rgb.pixels[i * 3 + c]) / 255.0f;
      sample.rgb[i * 3 + c] = alpha == 0 ? 0.0f : std::max(0.0f, stored - (1 - alpha) * background[c]);
    }
  }
  return sample;
}

std::future<TrainingSample> SampleReader::read_ahead(SampleKey key) const {
  return std::async(std::launch::async, [this, key] { return read(key); });
}

}  // namespace mien
