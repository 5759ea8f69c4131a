// The encoders that run sample by sample, without LibTorch.
#include "mien/base/safetensors.h"
#include "mien/speech/log_mel.h"
#include "mien/speech/phonetic_encoder.h"
#include "mien/speech/speech_encoder.h"

namespace mien {
namespace {

constexpr int kHop = 320;  // samples from one feature to the next

// Features that n samples have: one for every begun hop.
std::int64_t features_of(std::int64_t samples) {
  return (samples + kHop - 1) / kHop;
}

// A causal encoder: encode() is a stream that ends. `Base` gives a type Frames with push(samples, features).
template <typename Frames>
class CausalStream : public SpeechEncoderStream {
 public:
  CausalStream(Frames frames, int width) : frames_(std::move(frames)), width_(width) {}
  void push(std::span<const float> samples, SpeechFeatures& out) override {
    out.width = width_;
    samples_ += static_cast<std::int64_t>(samples.size());
    given_ += frames_.push(samples, out.values);
  }
  void finish(SpeechFeatures& out) override {
    out.width = width_;
    const std::vector<float> silence(kHop, 0.0f);
    while (given_ < features_of(samples_)) given_ += frames_.push(silence, out.values);
  }

 private:
  Frames frames_;
  int width_;
  std::int64_t samples_ = 0, given_ = 0;
};

// Two normalised log-mel frames make a feature.
class MelFrames {
 public:
  std::int64_t push(std::span<const float> samples, std::vector<float>& out) {
    frames_.clear();
    mel_.push(samples, frames_);
    std::int64_t given = 0;
    for (MelFrame& frame : frames_) {
      normalizer_.apply(frame);
      half_.insert(half_.end(), frame.begin(), frame.end());
      if (half_.size() < std::size_t{2} * kMelBands) continue;
      out.insert(out.end(), half_.begin(), half_.end());
      half_.clear();
      ++given;
    }
    return given;
  }

 private:
  LogMel mel_;
  FeatureNormalizer normalizer_;
  std::vector<MelFrame> frames_;
  std::vector<float> half_;
};

class PhoneticFrames {
 public:
  explicit PhoneticFrames(const PhoneticEncoder& encoder) : stream_(encoder), delay_(encoder.delay()) {}
  std::int64_t push(std::span<const float> samples, std::vector<float>& out) {
    steps_.clear();
    stream_.push(samples, steps_);
    std::int64_t given = 0;
    for (const EncoderStep& step : steps_) {
      if (seen_++ < delay_) continue;  // these speak of the time before the sound
      out.resize(out.size() + kEncoderFeatures);
      step.features({out.data() + out.size() - kEncoderFeatures, kEncoderFeatures});
      ++given;
    }
    return given;
  }

 private:
  PhoneticEncoder::Stream stream_;
  std::int64_t delay_;
  std::vector<EncoderStep> steps_;
  std::int64_t seen_ = 0;
};

class CausalEncoder : public SpeechEncoder {
 public:
  const SpeechEncoderInfo& info() const override { return info_; }
  SpeechFeatures encode(std::span<const float> samples) const override {
    SpeechFeatures out;
    const auto whole = stream();
    whole->push(samples, out);
    whole->finish(out);
    return out;
  }

 protected:
  explicit CausalEncoder(SpeechEncoderInfo info) : info_(std::move(info)) {}
  SpeechEncoderInfo info_;
};

class MelEncoder : public CausalEncoder {
 public:
  // Feature i hears samples [320 i, 320 i + 560) and speaks of their middle.
  MelEncoder() : CausalEncoder({"mel", 2 * kMelBands, kFeatureRate, 0.0175, 0.0175, true}) {}
  std::unique_ptr<SpeechEncoderStream> stream() const override {
    return std::make_unique<CausalStream<MelFrames>>(MelFrames(), info_.width);
  }
};

class PhoneticSpeechEncoder : public CausalEncoder {
 public:
  explicit PhoneticSpeechEncoder(const SafetensorsFile& file)
      : CausalEncoder({"phonetic", kEncoderFeatures, kFeatureRate, 0.0, 0.0, true}), encoder_(file) {
    info_.first_time = encoder_.time(encoder_.delay());
    info_.look_ahead = kEncoderFirstHeard - encoder_.time(0);
  }
  std::unique_ptr<SpeechEncoderStream> stream() const override {
    return std::make_unique<CausalStream<PhoneticFrames>>(PhoneticFrames(encoder_), info_.width);
  }

 private:
  PhoneticEncoder encoder_;
};

}  // namespace

std::shared_ptr<const SpeechEncoder> make_mel_encoder() {
  return std::make_shared<const MelEncoder>();
}

std::shared_ptr<const SpeechEncoder> make_phonetic_encoder(const SafetensorsFile& file) {
  return std::make_shared<const PhoneticSpeechEncoder>(file);
}

}  // namespace mien
