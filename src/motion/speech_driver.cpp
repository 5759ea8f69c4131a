#include "mien/motion/speech_driver.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/motion/s2gnet.h"
#include "mien/speech/phonetic_encoder.h"

namespace mien {
namespace {

// Step that a frame's newest tap needs; earlier ones are kept only as far back as its oldest.
constexpr std::int64_t newest_step(std::int64_t frame) {
  return s2g_tap(frame, 0).high;
}
constexpr std::int64_t oldest_step(std::int64_t frame) {
  return s2g_tap(frame, 1).low;
}

constexpr int kSampleRate = 16000;

using Features = std::array<float, kEncoderFeatures>;

}  // namespace

struct SpeechModel::Impl {
  explicit Impl(const SafetensorsFile& file) : s2g(file), encoder(file) {}
  S2GNet s2g;
  PhoneticEncoder encoder;
};

SpeechModel::SpeechModel() = default;
SpeechModel::~SpeechModel() = default;

std::shared_ptr<const SpeechModel> SpeechModel::load(const std::filesystem::path& path) {
  const std::shared_ptr<SpeechModel> model(new SpeechModel());
  model->impl_ = std::make_unique<Impl>(SafetensorsFile::open(path));
  return model;
}

// Two rates meet here. The networks run at their own 30 frames a second ("inner" frames); the caller's frames at `fps`
// are taken between them by linear interpolation (at 30 they are the same).
struct SpeechDriver::Impl {
  Impl(std::shared_ptr<const SpeechModel> m, const SpeechDriverOptions& o)
      : model(std::move(m)), options(o), encoder(model->impl().encoder), s2g(model->impl().s2g) {}

  struct Inner {
    std::vector<float> weights;
    std::array<float, kPhoneCount> phones{};
    float energy = 0;
  };

  // What a frame shows of the encoder: posteriors of the slot at the frame's own time.
  void describe(std::int64_t frame, Inner& inner) const {
    const double step = static_cast<double>(frame) / kS2GRate * kEncoderRate + kEncoderDelay - 0.5;
    const auto low = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(step)), first_step,
                                              first_step + static_cast<std::int64_t>(steps.size()) - 1);
    const auto high = std::min<std::int64_t>(low + 1, first_step + static_cast<std::int64_t>(steps.size()) - 1);
    const auto share = static_cast<float>(std::clamp(step - static_cast<double>(low), 0.0, 1.0));
    const Features& a = steps[low - first_step];
    const Features& b = steps[high - first_step];
    for (int p = 0; p < kPhoneCount; ++p) inner.phones[p] = a[p] + share * (b[p] - a[p]);
    const float relative = a[kEncoderFeatures - 2] + share * (b[kEncoderFeatures - 2] - a[kEncoderFeatures - 2]);
    // Tenths of ln power below the level of speech: 0 dB is a loud vowel, -35 dB silence.
    inner.energy = std::clamp(1.0f + relative / 0.8f, 0.0f, 1.0f);
  }

  // Runs the motion network as far as the steps reach, one inner frame at most.
  bool advance() {
    if (newest_step(inner_count) >= first_step + static_cast<std::int64_t>(steps.size())) return false;
    const std::int64_t frame = inner_count;
    const auto mix = [&](int tap, Features& out) {
      const S2GTap t = s2g_tap(frame, tap);
      const Features& low = steps[t.low - first_step];
      const Features& high = steps[t.high - first_step];
      for (int i = 0; i < kEncoderFeatures; ++i) out[i] = low[i] + t.share * (high[i] - low[i]);
    };
    Features first;
    Features second;
    mix(0, first);
    mix(1, second);
    previous = std::move(current);
    current.weights.assign(model->impl().s2g.expression_count(), 0.0f);
    s2g.step(first, second, emotion.at(static_cast<double>(frame) / kS2GRate), current.weights);
    for (float& w : current.weights) w = std::isfinite(w) ? std::clamp(w, 0.0f, 1.0f) : 0.0f;
    describe(frame, current);
    ++inner_count;
    while (first_step < oldest_step(inner_count) - 1) {
      steps.pop_front();
      ++first_step;
    }
    return true;
  }

  void take_fresh() {
    for (const EncoderStep& step : fresh) step.features(steps.emplace_back());
    fresh.clear();
  }

  std::shared_ptr<const SpeechModel> model;
  SpeechDriverOptions options;
  PhoneticEncoder::Stream encoder;
  S2GNet::Stream s2g;
  EmotionTrack emotion;
  std::deque<Features> steps;  // [first_step, ...)
  std::int64_t first_step = 0;
  std::vector<EncoderStep> fresh;
  std::int64_t inner_count = 0;  // inner frames made
  Inner previous, current;       // the last two of them
  std::int64_t samples = 0;
  std::int64_t pulled = 0;
  bool ended = false;
};

SpeechDriver::SpeechDriver(std::shared_ptr<const SpeechModel> model, const SpeechDriverOptions& options) {
  if (!(options.fps > 0 && options.fps <= 120)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("speech driver: {} frames a second", options.fps),
                "give more than 0, at most 120");
  }
  impl_ = std::make_unique<Impl>(std::move(model), options);
}
SpeechDriver::~SpeechDriver() = default;
SpeechDriver::SpeechDriver(SpeechDriver&&) noexcept = default;
SpeechDriver& SpeechDriver::operator=(SpeechDriver&&) noexcept = default;

void SpeechDriver::set_emotion(const EmotionTrack& track) {
  impl_->emotion = track;
}

void SpeechDriver::push(std::span<const float> samples) {
  Impl& d = *impl_;
  if (d.ended) throw Error(ErrorCode::kBadArgument, "speech driver: samples after finish()", "start a new stream");
  d.samples += static_cast<std::int64_t>(samples.size());
  d.encoder.push(samples, d.fresh);
  d.take_fresh();
}

void SpeechDriver::finish() {
  Impl& d = *impl_;
  if (d.ended) return;
  d.ended = true;
  // Silence until the last frame has all it looks ahead to; a fifth of a second is more than that.
  const std::vector<float> silence(kSampleRate / 4, 0.0f);
  d.encoder.push(silence, d.fresh);
  d.take_fresh();
}

bool SpeechDriver::pull(SpeechFrame& frame) {
  Impl& d = *impl_;
  const double time = static_cast<double>(d.pulled) / d.options.fps;
  const double position = time * kS2GRate;
  const auto low = static_cast<std::int64_t>(std::floor(position + 1e-9));
  const auto share = static_cast<float>(std::max(0.0, position - static_cast<double>(low)));
  const std::int64_t needed = share > 1e-6f ? low + 1 : low;
  // A frame belongs to the stream when its time lies before the end of the sound.
  if (time * kSampleRate >= static_cast<double>(d.samples) - 1e-6) return false;
  while (d.inner_count <= needed) {
    if (!d.advance()) return false;
  }
  const Impl::Inner& a = needed > low && d.inner_count >= 2 ? d.previous : d.current;
  const Impl::Inner& b = d.current;
  const float t = needed > low ? share : 0.0f;
  frame.motion = MotionFrame();
  frame.motion.expression.resize(b.weights.size());
  for (std::size_t e = 0; e < b.weights.size(); ++e)
    frame.motion.expression[e] = a.weights[e] + t * (b.weights[e] - a.weights[e]);
  for (int p = 0; p < kPhoneCount; ++p) frame.phones[p] = a.phones[p] + t * (b.phones[p] - a.phones[p]);
  frame.energy = a.energy + t * (b.energy - a.energy);
  frame.motion.emotion = d.emotion.at(time);
  ++d.pulled;
  return true;
}

bool SpeechDriver::finished() const {
  const Impl& d = *impl_;
  return d.ended &&
         static_cast<double>(d.pulled) / d.options.fps * kSampleRate >= static_cast<double>(d.samples) - 1e-6;
}

double SpeechDriver::lookahead_seconds() const {
  // The worst of the three phases between 30 and 50 Hz, plus what lies between a frame and the inner frame after it.
  double worst = 0;
  for (std::int64_t k = 0; k < 3; ++k) {
    worst = std::max(worst, kEncoderFirstHeard + static_cast<double>(newest_step(k)) / kEncoderRate -
                                static_cast<double>(k) / kS2GRate);
  }
  return std::abs(impl_->options.fps - kS2GRate) < 1e-9 ? worst : worst + 1.0 / kS2GRate;
}

const std::vector<std::string>& SpeechDriver::expression_names() const {
  return impl_->model->impl().s2g.expression_names();
}

}  // namespace mien
