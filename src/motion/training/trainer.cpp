#include "motion/training/trainer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/cuda.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <map>
#include <numbers>
#include <optional>

#include "mien/base/error.h"
#include "mien/base/hash.h"
#include "mien/base/log.h"
#include "mien/head/phone.h"
#include "mien/speech/phonetic_encoder.h"
#include "motion/training/json_log.h"
#include "motion/training/networks.h"
#include "motion/training/pack_settings.h"
#include "motion/training/stream_tensors.h"
#include "motion/training/validation.h"
#include "motion/training/weight_average.h"
#include "speech/training/precision.h"
#include "speech/training/ranks.h"

namespace mien {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Scales all gradients so that their joint norm is at most `limit`, without waiting for the device.
void clip_gradients(const std::vector<at::Tensor>& gradients, double limit) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> norms;
  for (const at::Tensor& g : gradients) norms.push_back(g.norm());
  const at::Tensor scale = (limit / (at::stack(norms).norm() + 1e-6)).clamp_max(1.0);
  for (const at::Tensor& g : gradients) g.mul_(scale);
}

std::vector<at::Tensor> gradients(const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> out;
  for (const at::Tensor& p : parameters) {
    if (p.grad().defined()) out.push_back(p.grad());
  }
  return out;
}

class Trainer {
 public:
  Trainer(const SpeechPack& pack, const SpeechTrainingOptions& options, std::filesystem::path out, Ranks ranks)
      : pack_(pack),
        options_(options),
        ranks_(std::move(ranks)),
        out_(std::move(out)),
        device_(choose_device(options.device)),
        mixed_(use_mixed_precision(options.precision, device_)),
        sampler_(pack, options.streams),
        encoder_(options.dropout),
        s2g_(make_s2g_settings(pack, options), pack.expression_count(), options.dropout),
        log_(ranks_.leads() ? options.log : std::filesystem::path()) {
    person_map_ = map_persons(pack, s2g_->settings());
    if (!options.init.empty()) load_speech_networks(options.init, encoder_, s2g_);
    encoder_->to(device_);
    s2g_->to(device_);
    for (const std::vector<at::Tensor>& all : {encoder_->parameters(), s2g_->parameters()}) ranks_.share(all);
    // The first rank draws dropout as it would alone.
    if (!ranks_.leads()) at::manual_seed(options.seed + 1000003 * static_cast<std::uint64_t>(ranks_.rank()));
    std::vector<float> weight(kPhoneCount, 1.0f);
    for (const char* name : {"P", "B", "M", "F", "V"})
      weight[phone_index(name)] = static_cast<float>(options.lip_phone_weight);
    phone_weight_ = at::tensor(weight).to(device_);
  }

  SpeechTrainingReport run() {
    ranks_.group().must_agree(fingerprint(), "another pack or other options than the first rank's",
                              "start all ranks with the same command");
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
    SpeechTrainingReport out;
    out.leads = ranks_.leads();
    if (!out.leads) return out;
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

  // What all ranks must have in common.
  std::uint64_t fingerprint() const {
    return fnv1a(fmt::format("{} {} {} {} {} {} {} {} {}", pack_.mel.size(), pack_.clips.size(), pack_.renders.size(),
                             options_.seed, options_.encoder_steps, options_.motion_steps, options_.streams.batch,
                             options_.streams.seconds, options_.encoder));
  }

  at::Tensor phone_loss(const EncoderOutput& output, const at::Tensor& labels) const {
    // Step n speaks of slot n - delay.
    const std::int64_t delay = options_.encoder_delay;
    const std::int64_t steps = labels.size(1) - delay;
    const at::Tensor logits = output.logits.narrow(1, delay, steps).reshape({-1, kPhoneCount});
    return at::cross_entropy_loss(logits, labels.narrow(1, 0, steps).reshape({-1}), phone_weight_, at::Reduction::Mean,
                                  -100, 0.05);
  }

  EncoderOutput encode(const StreamTensors& t) {
    const Autocast autocast(device_, mixed_);
    return encoder_->forward(t.features);
  }
  MotionPrediction predict(const EncoderOutput& output, const StreamTensors& t) {
    const Autocast autocast(device_, mixed_);
    return predict_motion(s2g_, output, t, person_map_);
  }

  at::Tensor encoder_step(const StreamBatch& batch) {
    const StreamTensors t = upload(batch, device_);
    const at::Tensor loss = phone_loss(encode(t), t.labels);
    note("phones", loss.item<double>());
    return loss;
  }

  at::Tensor motion_step(const StreamBatch& batch) {
    const StreamTensors t = upload(batch, device_);
    const EncoderOutput output = encode(t);
    const MotionPrediction motion = predict(output, t);
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
      return std::async(std::launch::async,
                        [this, seed, index] { return sampler_.sample(seed, index, ranks_.rank()); });
    };
    std::future<StreamBatch> next = sample(0);
    encoder_->train();
    s2g_->train();
    for (int i = 0; i < steps; ++i) {
      const double progress = ranks_.share(std::max(static_cast<double>(i) / steps, (now() - start) / (60 * minutes)));
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
      const std::vector<at::Tensor> slopes = gradients(all);
      ranks_.average(slopes);
      clip_gradients(slopes, 2.0);
      optimizer.step();
      average.update();
      if (!ranks_.leads()) continue;
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
    if (!ranks_.leads()) return;
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

  SpeechTrainingReport validate(bool all) {
    return validate_speech(pack_, sampler_, options_, encoder_, s2g_, lip_loss_ ? &*lip_loss_ : nullptr, all);
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
  Ranks ranks_;
  std::filesystem::path out_;
  at::Device device_;
  bool mixed_;
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
  Ranks ranks = Ranks::from_environment();
  at::manual_seed(options.seed);  // of what the networks begin with
  Trainer trainer(pack, options, out, std::move(ranks));
  return trainer.run();
}

}  // namespace mien
