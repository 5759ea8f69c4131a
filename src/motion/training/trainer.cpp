#include "motion/training/trainer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/cuda.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <future>
#include <map>
#include <numbers>
#include <optional>

#include "mien/base/error.h"
#include "mien/base/log.h"
#include "mien/base/safetensors.h"
#include "mien/head/phone.h"
#include "mien/speech/phonetic_encoder.h"
#include "mien/speech/speech_encoder.h"
#include "motion/training/json_log.h"
#include "motion/training/networks.h"
#include "motion/training/weight_average.h"

namespace mien {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Tensors {
  at::Tensor features, energy, labels, motion, known, emotion;
  at::Tensor person;    // [B, K]; undefined without persons
  at::Tensor channels;  // [B, K, E]; undefined when everything is known
};

template <typename T>
at::Tensor upload(const std::vector<T>& values, at::IntArrayRef shape, at::ScalarType type, at::Device device) {
  return at::from_blob(const_cast<T*>(values.data()), shape, type).to(device, type, false, true);
}

Tensors upload(const StreamBatch& b, at::Device device) {
  Tensors t{upload(b.features, {b.batch, b.mel_frames, kMelBands}, at::kFloat, device),
            upload(b.energy, {b.batch, b.steps, 2}, at::kFloat, device),
            upload(b.labels, {b.batch, b.steps}, at::kLong, device),
            upload(b.motion, {b.batch, b.motion_frames, b.expressions}, at::kFloat, device),
            upload(b.motion_known, {b.batch, b.motion_frames}, at::kFloat, device),
            upload(b.emotion, {b.batch, b.motion_frames, kEmotionCount}, at::kFloat, device),
            {},
            {}};
  if (!b.person.empty()) t.person = upload(b.person, {b.batch, b.motion_frames}, at::kLong, device);
  if (!b.channels.empty()) {
    t.channels = upload(b.channels, {b.batch, b.motion_frames, b.expressions}, at::kFloat, device);
  }
  return t;
}

// What S2GNet listens to, and whom it knows: those that it knew and those of the pack.
S2GSettings make_settings(const SpeechPack& pack, const SpeechTrainingOptions& options) {
  S2GSettings s;
  if (!options.init.empty()) s.persons = read_s2g_settings(SafetensorsFile::open(options.init)).persons;
  for (const std::string& person : pack.persons) {
    if (std::find(s.persons.begin(), s.persons.end(), person) == s.persons.end()) s.persons.push_back(person);
  }
  if (options.lookahead_frames < 0 || options.lookahead_frames > kS2GMostLookAhead) {
    throw Error(ErrorCode::kBadArgument, fmt::format("look-ahead of {} frames", options.lookahead_frames),
                fmt::format("give 0 to {}", kS2GMostLookAhead));
  }
  s.lookahead_frames = options.lookahead_frames;
  if (options.encoder_delay < 0 || options.encoder_delay > kEncoderMostDelay) {
    throw Error(ErrorCode::kBadArgument, fmt::format("encoder delay of {} steps", options.encoder_delay),
                fmt::format("give 0 to {}", kEncoderMostDelay));
  }
  s.set_encoder_delay(options.encoder_delay);
  if (options.encoder == "phonetic") return s;
  if (options.encoder != "mel") {
    throw Error(ErrorCode::kBadArgument, fmt::format("encoder \"{}\": a pack holds spectra", options.encoder),
                "train on phonetic or mel, or on a capture's sound (mien train --stage speech)");
  }
  if (options.streams.features.text() != FeatureOptions{}.text()) {
    throw Error(
        ErrorCode::kBadArgument,
        fmt::format("the mel encoder hears {}, not {}", FeatureOptions{}.text(), options.streams.features.text()),
        fmt::format("give --no-band-means --depth {}", FeatureOptions{}.depth));
  }
  const SpeechEncoderInfo info = make_mel_encoder()->info();
  s.encoder = info.name;
  s.width = info.width;
  s.rate = info.rate;
  s.first_time = info.first_time;
  s.look_ahead = info.look_ahead;
  return s;
}

// Kinds of phones that lips treat alike.
constexpr const char* kPhoneGroups[] = {"silence", "bilabial", "labiodental", "other", "unknown"};

// Scales all gradients so that their joint norm is at most `limit`, without waiting for the device.
void clip_gradients(const std::vector<at::Tensor>& parameters, double limit) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> norms;
  for (const at::Tensor& p : parameters) {
    if (p.grad().defined()) norms.push_back(p.grad().norm());
  }
  const at::Tensor scale = (limit / (at::stack(norms).norm() + 1e-6)).clamp_max(1.0);
  for (const at::Tensor& p : parameters) {
    if (p.grad().defined()) p.grad().mul_(scale);
  }
}

bool is_bilabial(int phone) {
  static const int p = phone_index("P");
  static const int b = phone_index("B");
  static const int m = phone_index("M");
  return phone == p || phone == b || phone == m;
}

bool is_labiodental(int phone) {
  static const int f = phone_index("F");
  static const int v = phone_index("V");
  return phone == f || phone == v;
}

int phone_group(std::int64_t phone) {
  if (phone < 0) return 4;
  if (is_bilabial(static_cast<int>(phone))) return 1;
  if (is_labiodental(static_cast<int>(phone))) return 2;
  return phone == 0 ? 0 : 3;
}

class Trainer {
 public:
  Trainer(const SpeechPack& pack, const SpeechTrainingOptions& options, std::filesystem::path out)
      : pack_(pack),
        options_(options),
        out_(std::move(out)),
        device_(choose_device(options.device)),
        sampler_(pack, options.streams),
        encoder_(options.dropout),
        s2g_(make_settings(pack, options), pack.expression_count(), options.dropout),
        log_(options.log) {
    for (const std::string& person : pack.persons) person_map_.push_back(s2g_->settings().person_index(person));
    if (!options.init.empty()) load_speech_networks(options.init, encoder_, s2g_);
    encoder_->to(device_);
    s2g_->to(device_);
    std::vector<float> weight(kPhoneCount, 1.0f);
    for (const char* name : {"P", "B", "M", "F", "V"})
      weight[phone_index(name)] = static_cast<float>(options.lip_phone_weight);
    phone_weight_ = upload(weight, {kPhoneCount}, at::kFloat, device_);
  }

  SpeechTrainingReport run() {
    spdlog::info("{:.1f} min of speech, {} speakers, {} clips, {} performances; training on {}", pack_.seconds() / 60,
                 pack_.speakers.size(), pack_.clips.size(), pack_.renders.size(), device_.str());
    if (options_.encoder_steps > 0) {
      phase("encoder", options_.encoder_steps, options_.encoder_minutes,
            {{encoder_->parameters(), options_.encoder_rate}}, [&](const StreamBatch& b) { return encoder_step(b); });
    }
    if (options_.motion_steps > 0 && !pack_.renders.empty()) {
      lip_loss_.emplace(pack_.lips, pack_.expression_count(), phone_weight_);
      phase("motion", options_.motion_steps, options_.motion_minutes,
            {{s2g_->parameters(), options_.motion_rate}, {encoder_->parameters(), options_.encoder_rate_in_motion}},
            [&](const StreamBatch& b) { return motion_step(b); });
    }
    save();
    return validate(true);
  }

 private:
  using Parameters = std::pair<std::vector<at::Tensor>, double>;

  static at::Device choose_device(const std::string& name) {
    if (name == "cuda" || (name == "auto" && torch::cuda::is_available())) return at::Device(at::kCUDA, 0);
    if (name == "cpu" || name == "auto") return at::Device(at::kCPU);
    throw Error(ErrorCode::kBadArgument, fmt::format("device \"{}\"", name), "use auto, cpu or cuda");
  }

  at::Tensor phone_loss(const EncoderOutput& output, const at::Tensor& labels) const {
    // Step n speaks of slot n - delay.
    const std::int64_t delay = options_.encoder_delay;
    const std::int64_t steps = labels.size(1) - delay;
    const at::Tensor logits = output.logits.narrow(1, delay, steps).reshape({-1, kPhoneCount});
    return at::cross_entropy_loss(logits, labels.narrow(1, 0, steps).reshape({-1}), phone_weight_, at::Reduction::Mean,
                                  -100, 0.05);
  }

  at::Tensor encoder_step(const StreamBatch& batch) {
    const Tensors t = upload(batch, device_);
    const at::Tensor loss = phone_loss(encoder_->forward(t.features), t.labels);
    note("phones", loss.item<double>());
    return loss;
  }

  at::Tensor motion_step(const StreamBatch& batch) {
    const Tensors t = upload(batch, device_);
    const EncoderOutput output = encoder_->forward(t.features);
    const Motion motion = move(output, t, batch.motion_frames);
    const MotionLoss loss =
        (*lip_loss_)(motion.predicted, motion.truth, motion.known, options_.motion, motion.channels);
    const at::Tensor phones = phone_loss(output, t.labels);
    note("phones", phones.item<double>());
    note("motion", loss.total.item<double>());
    note("lips_mm", loss.lip_mm);
    note("closed_mm", loss.gap_mm);
    note("bite_mm", loss.bite_mm);
    return loss.total + options_.phone_loss_in_motion * phones;
  }

  struct Motion {
    at::Tensor predicted, truth, known, channels;
  };

  // S2GNet over the frames that have all their input.
  Motion move(const EncoderOutput& output, const Tensors& t, std::int64_t motion_frames) {
    const S2GSettings& settings = s2g_->settings();
    const std::int64_t frames =
        std::max<std::int64_t>(1, usable_motion_frames(motion_frames, output.logits.size(1), settings));
    const at::Tensor heard = settings.encoder == "mel" ? stack_mel(t.features) : join_features(output, t.energy);
    at::Tensor persons;
    if (!settings.persons.empty() && t.person.defined()) {
      const at::Tensor map = upload(person_map_, {static_cast<std::int64_t>(person_map_.size())}, at::kLong, device_);
      const at::Tensor index = map.index_select(0, t.person.narrow(1, 0, frames).reshape({-1}));
      persons = at::one_hot(index, static_cast<std::int64_t>(settings.persons.size()))
                    .to(at::kFloat)
                    .reshape({t.person.size(0), frames, -1});
    }
    return {s2g_->run(heard, t.emotion.narrow(1, 0, frames), persons).weights, t.motion.narrow(1, 0, frames),
            t.known.narrow(1, 0, frames), t.channels.defined() ? t.channels.narrow(1, 0, frames) : at::Tensor()};
  }

  // Two spectra make a feature of the mel encoder.
  static at::Tensor stack_mel(const at::Tensor& features) {
    const std::int64_t pairs = features.size(1) / 2;
    return features.narrow(1, 0, 2 * pairs).reshape({features.size(0), pairs, 2 * kMelBands});
  }

  template <typename Step>
  void phase(const std::string& name, int steps, double minutes, const std::vector<Parameters>& parameters,
             const Step& step) {
    std::vector<torch::optim::OptimizerParamGroup> groups;
    std::vector<at::Tensor> all;
    for (const auto& [tensors, rate] : parameters) {
      groups.emplace_back(tensors, std::make_unique<torch::optim::AdamWOptions>(
                                       torch::optim::AdamWOptions(rate).weight_decay(0.01).betas({0.9, 0.98})));
      all.insert(all.end(), tensors.begin(), tensors.end());
    }
    torch::optim::AdamW optimizer(groups, torch::optim::AdamWOptions(1e-3));
    WeightAverage average(all, options_.weight_average);
    const std::uint64_t seed = options_.seed * 2 + (name == "motion" ? 1 : 0);
    const double start = now();
    const auto sample = [&](int index) {
      return std::async(std::launch::async, [this, seed, index] { return sampler_.sample(seed, index); });
    };
    std::future<StreamBatch> next = sample(0);
    encoder_->train();
    s2g_->train();
    for (int i = 0; i < steps; ++i) {
      const double progress = std::max(static_cast<double>(i) / steps, (now() - start) / (60 * minutes));
      if (progress >= 1) break;
      const double scale =
          std::min(1.0, progress / 0.03 + 0.02) * (0.01 + 0.99 * 0.5 * (1 + std::cos(std::numbers::pi * progress)));
      for (std::size_t g = 0; g < parameters.size(); ++g) {
        static_cast<torch::optim::AdamWOptions&>(optimizer.param_groups()[g].options())
            .lr(parameters[g].second * scale);
      }
      const StreamBatch batch = next.get();
      next = sample(i + 1);
      optimizer.zero_grad();
      const at::Tensor loss = step(batch);
      loss.backward();
      clip_gradients(all, 2.0);
      optimizer.step();
      average.update();
      if ((i + 1) % options_.report_every == 0) report(name, i + 1, now() - start);
      if ((i + 1) % options_.save_every == 0) {
        average.swap();
        save();
        log_validation(validate(false));
        average.swap();
        encoder_->train();
        s2g_->train();
      }
    }
    average.swap();
    report(name, steps, now() - start);
    log_validation(validate(false));
  }

  void note(const std::string& key, double value) {
    auto& [sum, count] = notes_[key];
    sum += value;
    ++count;
  }

  void report(const std::string& name, int step, double seconds) {
    std::string line;
    Json entry = {{"phase", name}, {"step", step}, {"seconds", seconds}};
    for (const auto& [key, value] : notes_) {
      line += fmt::format("  {} {:.4f}", key, value.first / std::max(1, value.second));
      entry[key] = value.first / std::max(1, value.second);
    }
    log_.add(entry);
    notes_.clear();
    spdlog::info("{} {}  {:.0f} s{}", name, step, seconds, line);
  }

  void log_validation(const SpeechTrainingReport& r) {
    log_.add({{"validation",
               {{"phone_accuracy", r.phone_accuracy},
                {"viseme_accuracy", r.viseme_accuracy},
                {"bilabial_recall", r.bilabial_recall},
                {"bilabial_precision", r.bilabial_precision},
                {"labiodental_recall", r.labiodental_recall},
                {"labiodental_precision", r.labiodental_precision},
                {"lip_mm", r.lip_mm},
                {"closed_gap_mm", r.closed_gap_mm},
                {"speakers", r.by_speaker}}}});
    spdlog::info(
        "left out: phones {:.1f} %, visemes {:.1f} %, P B M recall {:.1f} % precision {:.1f} %, F V {:.1f} % {:.1f} %, "
        "lips "
        "{:.2f} mm, closed {:.2f} mm",
        100 * r.phone_accuracy, 100 * r.viseme_accuracy, 100 * r.bilabial_recall, 100 * r.bilabial_precision,
        100 * r.labiodental_recall, 100 * r.labiodental_precision, r.lip_mm, r.closed_gap_mm);
  }

  // Clips of the speakers left out, clean, one by one.
  SpeechTrainingReport validate(bool all) {
    const at::NoGradGuard no_grad;
    encoder_->eval();
    s2g_->eval();
    SpeechTrainingReport r;
    std::int64_t frames = 0, phones = 0, visemes = 0, bilabial = 0, found = 0, claimed = 0;
    std::int64_t labiodental = 0, labiodental_found = 0, labiodental_claimed = 0;
    int clips = 0;
    int moved = 0;
    struct Sums {
      std::int64_t frames = 0, right = 0;
      std::array<std::int64_t, std::size(kPhoneGroups)> lip_frames{};
      std::array<double, std::size(kPhoneGroups)> lip_mm{};
    };
    std::map<std::string, Sums> speakers;
    for (std::size_t c = 0; c < pack_.clips.size(); ++c) {
      const std::string& speaker = pack_.speakers[pack_.clips[c].speaker];
      const auto& out = options_.streams.leave_out;
      if (std::find(out.begin(), out.end(), speaker) == out.end()) continue;
      if (!all && clips >= 20) break;
      ++clips;
      const StreamBatch batch = sampler_.whole_clip(static_cast<int>(c));
      const Tensors t = upload(batch, device_);
      const EncoderOutput output = encoder_->forward(t.features);
      const at::Tensor best = output.logits.argmax(-1).to(at::kCPU).contiguous();
      for (int n = options_.encoder_delay; n < batch.steps; ++n) {
        const auto truth = static_cast<int>(batch.labels[n - options_.encoder_delay]);
        const auto guess = static_cast<int>(best.data_ptr<std::int64_t>()[n]);
        if (truth < 0) continue;
        ++frames;
        phones += truth == guess;
        ++speakers[speaker].frames;
        speakers[speaker].right += truth == guess;
        visemes += phone_viseme(truth) == phone_viseme(guess);
        bilabial += is_bilabial(truth);
        claimed += is_bilabial(guess);
        found += is_bilabial(truth) && is_bilabial(guess);
        labiodental += is_labiodental(truth);
        labiodental_claimed += is_labiodental(guess);
        labiodental_found += is_labiodental(truth) && is_labiodental(guess);
      }
      if (lip_loss_ && !pack_.clips[c].renders.empty()) {
        const Motion motion = move(output, t, batch.motion_frames);
        const MotionLoss loss =
            (*lip_loss_)(motion.predicted, motion.truth, motion.known, options_.motion, motion.channels);
        r.lip_mm += loss.lip_mm;
        r.closed_gap_mm += loss.gap_mm;
        ++moved;
        const at::Tensor errors =
            lip_loss_->lip_errors(motion.predicted, motion.truth, motion.channels).to(at::kCPU).contiguous();
        Sums& sums = speakers[speaker];
        for (std::int64_t k = 0; k < errors.size(1); ++k) {
          const int group = phone_group(batch.labels[std::min<std::int64_t>(k * 5 / 3, batch.steps - 1)]);
          sums.lip_mm[group] += errors.data_ptr<float>()[k];
          ++sums.lip_frames[group];
        }
      }
    }
    const auto share = [](std::int64_t a, std::int64_t b) {
      return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
    };
    r.phone_accuracy = share(phones, frames);
    r.viseme_accuracy = share(visemes, frames);
    r.bilabial_recall = share(found, bilabial);
    r.bilabial_precision = share(found, claimed);
    r.labiodental_recall = share(labiodental_found, labiodental);
    r.labiodental_precision = share(labiodental_found, labiodental_claimed);
    r.lip_mm /= std::max(1, moved);
    r.closed_gap_mm /= std::max(1, moved);
    for (const auto& [name, sums] : speakers) {
      Json groups = Json::object();
      for (std::size_t g = 0; g < std::size(kPhoneGroups); ++g) {
        if (sums.lip_frames[g] > 0) groups[kPhoneGroups[g]] = sums.lip_mm[g] / static_cast<double>(sums.lip_frames[g]);
      }
      r.by_speaker[name] = {{"phone_accuracy", share(sums.right, sums.frames)}, {"lip_mm_by_phones", groups}};
    }
    return r;
  }

  void save() {
    save_speech_networks(out_, encoder_, s2g_, pack_.expression_names,
                         {{"head_model", pack_.head_model},
                          {"features", options_.streams.features.text()},
                          {"training_minutes_of_speech", fmt::format("{:.1f}", pack_.seconds() / 60)}});
    spdlog::info("wrote {}", out_.string());
  }

  const SpeechPack& pack_;
  SpeechTrainingOptions options_;
  std::filesystem::path out_;
  at::Device device_;
  StreamSampler sampler_;
  EncoderModule encoder_;
  S2GModule s2g_;
  at::Tensor phone_weight_;
  std::optional<LipLoss> lip_loss_;
  std::map<std::string, std::pair<double, int>> notes_;
  std::vector<std::int64_t> person_map_;  // of the pack's persons in the net's table
  JsonLog log_;
};

}  // namespace

SpeechTrainingReport train_speech(const SpeechPack& pack, const SpeechTrainingOptions& options,
                                  const std::filesystem::path& out) {
  at::manual_seed(options.seed);
  Trainer trainer(pack, options, out);
  return trainer.run();
}

}  // namespace mien
