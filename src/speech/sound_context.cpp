#include "mien/speech/sound_context.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/hash.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr std::size_t kSampleRate = 16000;

// Of everything that makes the encoder's steps what they are.
std::uint64_t encoder_mark(const SafetensorsFile& file) {
  std::uint64_t mark = kFnvStart;
  for (const std::string& name : file.names()) {
    if (!name.starts_with("encoder.")) continue;
    const TensorView view = file.view(name);
    mark = fnv1a(std::span(reinterpret_cast<const std::uint8_t*>(view.data), view.bytes), fnv1a(name, mark));
  }
  for (const char* key : {"features", kEncoderDelayMetadata}) {
    const auto found = file.metadata().find(key);
    if (found != file.metadata().end()) mark = fnv1a(found->second, mark);
  }
  return mark;
}

}  // namespace

SoundContext::SoundContext(const SafetensorsFile& file)
    : encoder_(file), name_(fmt::format("phonetic-80ms-{:08x}", encoder_mark(file) & 0xffffffffU)) {}

std::shared_ptr<const SoundContext> SoundContext::load(const std::filesystem::path& path) {
  return std::shared_ptr<const SoundContext>(new SoundContext(SafetensorsFile::open(path)));
}

std::vector<std::vector<float>> SoundContext::frames(std::span<const float> samples, double fps, int frames) const {
  if (!(fps > 0) || frames < 0) {
    throw Error(ErrorCode::kBadArgument, fmt::format("sound of {} frames at {} a second", frames, fps),
                "give a rate above 0");
  }
  SoundContextStream stream(std::shared_ptr<const SoundContext>(std::shared_ptr<void>(), this));
  stream.push(samples);
  stream.finish();
  std::vector<std::vector<float>> out(static_cast<std::size_t>(frames));
  for (int f = 0; f < frames; ++f) stream.at(f / fps, out[static_cast<std::size_t>(f)]);
  return out;
}

SoundContextStream::SoundContextStream(std::shared_ptr<const SoundContext> context)
    : context_(std::move(context)), stream_(context_->encoder_) {}

void SoundContextStream::hear(std::span<const float> samples) {
  stream_.push(samples, fresh_);
  steps_.insert(steps_.end(), fresh_.begin(), fresh_.end());
  fresh_.clear();
}

void SoundContextStream::push(std::span<const float> samples) {
  if (ended_) throw Error(ErrorCode::kBadArgument, "sound context: samples after finish()", "start a new stream");
  hear(samples);
}

void SoundContextStream::finish() {
  ended_ = true;
}

double SoundContextStream::position(double time) const {
  return time * kEncoderRate + context_->encoder_.delay() - 0.5;
}

double SoundContextStream::lookahead_seconds() const {
  // Step n is there after 20 n + 35 ms of sound; a moment needs the step after its position.
  return kSoundContextStep + (context_->encoder_.delay() + 0.5) / kEncoderRate + kEncoderFirstHeard;
}

bool SoundContextStream::at(double time, std::vector<float>& out) {
  const auto newest_wanted = static_cast<std::int64_t>(std::ceil(position(time + kSoundContextStep)));
  while (first_ + static_cast<std::int64_t>(steps_.size()) <= newest_wanted) {
    if (!ended_) return false;
    hear(std::vector<float>(kSampleRate / kEncoderRate, 0.0f));
  }
  const auto oldest_wanted = static_cast<std::int64_t>(std::floor(position(time - kSoundContextStep)));
  while (first_ < oldest_wanted && steps_.size() > 1) {
    steps_.pop_front();
    ++first_;
  }
  out.clear();
  for (int instant = 0; instant < kSoundContextInstants; ++instant) {
    // Before the first step it is as then.
    const double at = std::max(position(time + (instant - 1) * kSoundContextStep), static_cast<double>(first_));
    const auto low = static_cast<std::int64_t>(std::floor(at));
    const auto share = static_cast<float>(at - static_cast<double>(low));
    const EncoderStep& a = steps_[static_cast<std::size_t>(low - first_)];
    const EncoderStep& b = steps_[std::min(static_cast<std::size_t>(low - first_) + 1, steps_.size() - 1)];
    for (int i = 0; i < kEncoderBottleneck; ++i)
      out.push_back(a.bottleneck[i] + share * (b.bottleneck[i] - a.bottleneck[i]));
    out.push_back(a.energy + share * (b.energy - a.energy));
    out.push_back(a.smooth_energy + share * (b.smooth_energy - a.smooth_energy));
  }
  return true;
}

}  // namespace mien
