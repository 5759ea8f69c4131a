#include "mien/motion/speech_driver.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/speech/phonetic_encoder.h"

namespace mien {
namespace {

constexpr int kSampleRate = 16000;

using Features = std::array<float, kEncoderFeatures>;

}  // namespace

struct SpeechModel::Impl {
  explicit Impl(const SafetensorsFile& file) : s2g(file), encoder(file) {}
  S2GNet s2g;
  PhoneticEncoder encoder;                       // of the phones that go with every frame, whatever S2GNet listens to
  std::shared_ptr<const SpeechEncoder> listens;  // null = to `encoder`
};

namespace {

// What S2GNet listens to if it is not the phonetic encoder; checked against what it was trained on.
std::shared_ptr<const SpeechEncoder> find_encoder(const std::filesystem::path& path, const S2GSettings& trained,
                                                  std::shared_ptr<const SpeechEncoder> given) {
  if (trained.encoder == "mel" && given == nullptr) given = make_mel_encoder();
  if (trained.encoder == "phonetic") {
    if (given == nullptr) return nullptr;
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: listens to its own phonetic encoder, given is {}", path.string(), given->info().name),
                "leave the encoder out");
  }
  if (given == nullptr) {
    throw Error(ErrorCode::kMissingFeature,
                fmt::format("{}: listens to {} of width {}, which is not in the file", path.string(), trained.encoder,
                            trained.width),
                "give the folder of that model: --encoder-model DIR");
  }
  const SpeechEncoderInfo& info = given->info();
  if (info.name != trained.encoder || info.width != trained.width || std::abs(info.rate - trained.rate) > 1e-6 ||
      std::abs(info.first_time - trained.first_time) > 1e-6) {
    throw Error(
        ErrorCode::kBadArgument,
        fmt::format("{}: was trained on {} of width {} at {} a second, given is {} of width {} at {}", path.string(),
                    trained.encoder, trained.width, trained.rate, info.name, info.width, info.rate),
        "give the model that it was trained on");
  }
  return given;
}

}  // namespace

SpeechModel::SpeechModel() = default;
SpeechModel::~SpeechModel() = default;

std::shared_ptr<const SpeechModel> SpeechModel::load(const std::filesystem::path& path,
                                                     std::shared_ptr<const SpeechEncoder> encoder) {
  const std::shared_ptr<SpeechModel> model(new SpeechModel());
  model->impl_ = std::make_unique<Impl>(SafetensorsFile::open(path));
  model->impl_->listens = find_encoder(path, model->settings(), std::move(encoder));
  return model;
}

const S2GSettings& SpeechModel::settings() const {
  return impl_->s2g.settings();
}

// Two rates meet here. The networks run at their own 30 frames a second ("inner" frames); the caller's frames at `fps`
// are taken between them by linear interpolation (at 30 they are the same).
struct SpeechDriver::Impl {
  Impl(std::shared_ptr<const SpeechModel> m, const SpeechDriverOptions& o)
      : model(std::move(m)),
        options(o),
        timing(model->settings()),
        phone_timing(model->settings().of_phones()),
        encoder(model->impl().encoder),
        s2g(model->impl().s2g, model->settings().person_index(o.person)) {
    features.width = model->settings().width;
    if (model->impl().listens != nullptr) listener = model->impl().listens->stream();
  }

  struct Inner {
    std::vector<float> weights;
    std::vector<Vec3> offsets;
    std::array<float, kPhoneCount> phones{};
    float energy = 0;
  };

  // What a frame shows of the encoder: posteriors of the slot at the frame's own time.
  void describe(std::int64_t frame, Inner& inner) const {
    const double step = static_cast<double>(frame) / kS2GRate * kEncoderRate + model->settings().encoder_delay - 0.5;
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

  // What S2GNet listens to: steps of the phonetic encoder, or another encoder's features. After the end of a stream
  // whose encoder cannot go on with silence the last feature stays.
  std::int64_t newest_feature() const {
    if (listener == nullptr) return first_step + static_cast<std::int64_t>(steps.size()) - 1;
    return first_feature + features.count() - 1;
  }
  std::span<const float> feature(std::int64_t index) const {
    if (listener == nullptr) return steps[index - first_step];
    const std::int64_t row = std::min(index, newest_feature()) - first_feature;
    return row < 0 ? std::span<const float>(nothing) : features.at(static_cast<int>(row));
  }

  // Runs the motion network as far as the features reach, one inner frame at most.
  bool advance() {
    const std::int64_t frame = inner_count;
    if (phone_timing.tap(frame, 0).high >= first_step + static_cast<std::int64_t>(steps.size())) return false;
    if (timing.tap(frame, 0).high > newest_feature() && !(listener != nullptr && ended)) return false;
    const auto mix = [&](int tap, std::vector<float>& out) {
      const S2GTap t = timing.tap(frame, tap);
      const std::span<const float> low = feature(t.low);
      const std::span<const float> high = feature(t.high);
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = low[i] + t.share * (high[i] - low[i]);
    };
    mix(0, first);
    mix(1, second);
    previous = std::move(current);
    current.weights.assign(model->impl().s2g.expression_count(), 0.0f);
    s2g.step(first, second, emotion.at(static_cast<double>(frame) / kS2GRate), current.weights);
    for (float& w : current.weights) w = std::isfinite(w) ? std::clamp(w, 0.0f, 1.0f) : 0.0f;
    s2g.offsets(current.offsets);
    for (Vec3& v : current.offsets) {
      if (!v.allFinite()) v = Vec3::Zero();
    }
    describe(frame, current);
    ++inner_count;
    forget();
    return true;
  }

  // Drops what no later frame needs.
  void forget() {
    while (first_step < phone_timing.tap(inner_count, 1).low - 1) {
      steps.pop_front();
      ++first_step;
    }
    const std::int64_t unneeded = std::min(timing.tap(inner_count, 1).low - 1, newest_feature()) - first_feature;
    constexpr std::int64_t kBatch = 64;  // moving the rest costs, so not each time
    if (listener == nullptr || unneeded < kBatch) return;
    features.values.erase(features.values.begin(), features.values.begin() + unneeded * features.width);
    first_feature += unneeded;
  }

  void hear(std::span<const float> sound) {
    encoder.push(sound, fresh);
    for (const EncoderStep& step : fresh) step.features(steps.emplace_back());
    fresh.clear();
  }

  std::shared_ptr<const SpeechModel> model;
  SpeechDriverOptions options;
  S2GTiming timing;
  S2GTiming phone_timing;  // of `encoder`: it gives every frame its phones, whatever S2GNet listens to
  PhoneticEncoder::Stream encoder;
  std::unique_ptr<SpeechEncoderStream> listener;  // null = S2GNet listens to `encoder`
  S2GNet::Stream s2g;
  EmotionTrack emotion;
  SpeechFeatures features;  // of the listener, [first_feature, ...)
  std::int64_t first_feature = 0;
  std::vector<float> nothing = std::vector<float>(model->settings().width, 0.0f);
  std::vector<float> first = nothing, second = nothing;  // what a frame is made of
  std::deque<Features> steps;                            // [first_step, ...)
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
  d.hear(samples);
  if (d.listener != nullptr) d.listener->push(samples, d.features);
}

void SpeechDriver::finish() {
  Impl& d = *impl_;
  if (d.ended) return;
  d.ended = true;
  // Silence until the last frame has all it looks ahead to, and a little more.
  const double ahead = d.model->settings().latency() + 0.15;
  const std::vector<float> silence(static_cast<std::size_t>(ahead * kSampleRate), 0.0f);
  d.hear(silence);
  if (d.listener == nullptr) return;
  if (d.model->impl().listens->info().causal) {
    d.listener->push(silence, d.features);
  } else {
    d.listener->finish(d.features);
  }
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
  if (!b.offsets.empty()) {
    frame.motion.offsets.resize(b.offsets.size());
    for (std::size_t v = 0; v < b.offsets.size(); ++v)
      frame.motion.offsets[v] = a.offsets[v] + t * (b.offsets[v] - a.offsets[v]);
  }
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
  // What the net needs, plus what lies between a frame and the inner frame after it.
  const double worst = impl_->model->settings().latency();
  return std::abs(impl_->options.fps - kS2GRate) < 1e-9 ? worst : worst + 1.0 / kS2GRate;
}

const std::vector<std::string>& SpeechDriver::expression_names() const {
  return impl_->model->impl().s2g.expression_names();
}

}  // namespace mien
