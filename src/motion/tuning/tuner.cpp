#include "motion/tuning/tuner.h"

#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/hash.h"
#include "mien/base/interrupt.h"
#include "mien/base/json_log.h"
#include "mien/base/log.h"
#include "mien/base/safetensors.h"
#include "motion/training/losses.h"
#include "motion/tuning/first_net.h"
#include "motion/tuning/tuning_loss.h"
#include "speech/training/adamw.h"
#include "speech/training/precision.h"
#include "speech/training/ranks.h"

namespace mien {
namespace {

constexpr const char* kCheckpointFormat = "mien-speech-tuning-1";

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

at::Device choose_device(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  if (name != "auto" && name != "cuda") {
    throw Error(ErrorCode::kBadArgument, fmt::format("device \"{}\"", name), "use auto, cpu or cuda");
  }
  if (torch::cuda::is_available()) return at::Device(at::kCUDA, 0);
  if (name == "auto") return at::Device(at::kCPU);
  throw Error(ErrorCode::kMissingFeature, "there is no CUDA device", "use --device cpu");
}

AdamW::Named named(const torch::nn::Module& module) {
  AdamW::Named out;
  for (const auto& item : module.named_parameters()) out.emplace_back(item.key(), item.value());
  return out;
}

class Tuner {
 public:
  Tuner(const MotionPairs& pairs, const S2GSettings& settings, const SpeechTuningOptions& options,
        std::filesystem::path out, Ranks ranks)
      : pairs_(pairs),
        options_(options),
        out_(std::move(out)),
        ranks_(std::move(ranks)),
        device_(choose_device(options.device)),
        mixed_(use_mixed_precision(options.precision, device_)),
        data_(tensors_of(pairs)),
        encoder_(0),
        s2g_(first_net(pairs, settings, options, encoder_, data_, device_)),
        optimizer_(named(*s2g_)),
        lip_loss_(pairs.lips, static_cast<int>(pairs.expression_names.size()), at::zeros({1}, at::device(device_))),
        log_(ranks_.leads() ? options.log : std::filesystem::path()) {
    if (settings.head != S2GHead::kWeights) offset_loss_ = OffsetLoss(pairs, device_);
    const std::vector<float> known(pairs.known.begin(), pairs.known.end());
    known_weights_ = tensor_of(known, {1, 1, static_cast<std::int64_t>(known.size())}).to(device_);
    person_ = at::zeros({1, 1, static_cast<std::int64_t>(settings.persons.size())});
    person_.select(2, settings.person_index("")).fill_(1.0);
    person_ = person_.to(device_);
  }

  SpeechTuningReport run() {
    SpeechTuningReport report;
    report.device = device_.str();
    report.person = s2g_->settings().person;
    report.held_out = pairs_.held_out();
    report.leads = ranks_.leads();
    const bool finished = train(begin(report));
    report.steps = steps_;
    report.seconds = spent_;
    if (!finished) return report;
    report.finished = true;
    if (!report.leads) return report;
    const LipErrors errors = measure();
    report.lip_mm_before = before_mm_;
    report.lip_mm = errors.all;
    report.by_phones = errors.by_phones;
    log_.add({{"validation",
               {{"held_out", report.held_out},
                {"lip_mm_before", before_mm_},
                {"lip_mm", errors.all},
                {"lip_mm_by_phones", errors.by_phones}}}});
    save(report);
    if (!options_.checkpoint.empty()) std::filesystem::remove(options_.checkpoint);
    return report;
  }

 private:
  // The first rank knows where a stopped run was. Returns the step to go on from, the same on all ranks.
  int begin(const SpeechTuningReport& report) {
    ranks_.group().must_agree(fnv1a(fingerprint()), "another capture, other networks or other options than the first",
                              "start all ranks with the same command");
    int step = 0;
    if (ranks_.leads()) {
      if (!options_.checkpoint.empty() && std::filesystem::exists(options_.checkpoint)) {
        step = load_checkpoint();
        spdlog::info("going on from step {} of {}", step, options_.checkpoint.string());
      } else {
        before_mm_ = measure().all;
        log_.add({{"person", report.person},
                  {"device", report.device},
                  {"settings", fingerprint()},
                  {"lip_mm_before", before_mm_}});
      }
    }
    ranks_.share(optimizer_.state());
    return static_cast<int>(ranks_.share(step));
  }

  // False when stopped, with a checkpoint.
  bool train(int step) {
    const double start = now() - spent_;
    for (; step < options_.steps; ++step) {
      const double loss = train_step(step);
      spent_ = now() - start;
      steps_ = step + 1;
      const bool last = steps_ == options_.steps;
      if (steps_ % options_.report_every == 0 || last) {
        log_.add({{"step", steps_}, {"loss", loss}, {"seconds", spent_}});
      }
      const bool go_on = ranks_.all(goes_on(loss));
      if (!last && (!go_on || steps_ % options_.save_every == 0)) save_checkpoint(steps_);
      if (!go_on && !last) return false;
    }
    steps_ = options_.steps;
    return true;
  }

  // Only the first rank shows progress; any may be interrupted.
  bool goes_on(double loss) const {
    if (!ranks_.leads()) return !interrupted();
    return !options_.progress || options_.progress(steps_, options_.steps, fmt::format("loss {:.3f}", loss));
  }

  double train_step(int step) {
    const TuningBatch batch = sample_stretches(pairs_, data_, options_, step, ranks_.rank(), device_);
    // Dropout is drawn from step and rank alone, so that a run that goes on draws the same.
    at::manual_seed(options_.seed * 1000003 + static_cast<std::uint64_t>(step) +
                    static_cast<std::uint64_t>(ranks_.rank()) * 7368787);
    s2g_->train();
    optimizer_.zero_grad();
    const S2GOutput output = predict(batch);
    at::Tensor loss = at::zeros({}, at::device(device_));
    if (!pairs_.whole_geometry) {
      const at::Tensor channels = known_weights_.expand_as(batch.weights);
      loss = loss + lip_loss_(output.weights, batch.weights, batch.known, {}, channels).total;
    }
    if (output.offsets.defined()) loss = loss + offset_loss_(output.offsets, batch.offsets, batch.known);
    const double value = ranks_.average(loss.item<double>());
    if (!std::isfinite(value)) stop_for_nan(step, output);
    loss.backward();
    ranks_.average(optimizer_.gradients());
    optimizer_.update(options_.rate * AdamW::schedule(static_cast<double>(step) / options_.steps), step);
    return value;
  }

  S2GOutput predict(const TuningBatch& batch) {
    const Autocast autocast(device_, mixed_);
    return s2g_->run_stacked(batch.stacked, batch.emotion, person_);
  }

  [[noreturn]] void stop_for_nan(int step, const S2GOutput& output) const {
    std::string where = output.weights.isfinite().all().item<bool>() ? "the loss" : "the expression weights";
    if (const std::string broken = optimizer_.broken(); !broken.empty()) where = broken;
    for (std::size_t i = 0; i < data_.size(); ++i) {
      if (!data_[i].weights.isfinite().all().item<bool>()) where = "the motion of sequence " + pairs_.pairs[i].id;
    }
    throw Error(ErrorCode::kBadFile, fmt::format("step {}: {} is not a number", step, where),
                "mend the motion, or lower the learning rate");
  }

  LipErrors measure() { return measure_lips(pairs_, data_, s2g_, person_, known_weights_, device_); }

  std::string fingerprint() const {
    Json run = {{"settings", s2g_settings_json(s2g_->settings())},
                {"init", fnv1a(read_file(options_.init))},
                {"capture", pairs_.fingerprint},
                {"steps", options_.steps},
                {"batch", options_.batch},
                {"seconds", options_.seconds},
                {"rate", options_.rate},
                {"dropout", options_.dropout},
                {"seed", options_.seed}};
    if (mixed_) run["precision"] = "mixed";
    if (ranks_.size() > 1) run["ranks"] = ranks_.size();
    return run.dump();
  }

  void save_checkpoint(int step) const {
    if (options_.checkpoint.empty() || !ranks_.leads()) return;
    SafetensorsWriter out;
    out.metadata("format", kCheckpointFormat);
    out.metadata("run", fingerprint());
    out.metadata("progress", Json({{"step", step}, {"spent", spent_}, {"before_mm", before_mm_}}).dump());
    optimizer_.save(out);
    out.write(options_.checkpoint);
  }

  int load_checkpoint() {
    const SafetensorsFile file = SafetensorsFile::open(options_.checkpoint);
    const auto meta = [&](const char* key) {
      const auto found = file.metadata().find(key);
      return found == file.metadata().end() ? std::string() : found->second;
    };
    if (meta("format") != kCheckpointFormat) {
      throw Error(ErrorCode::kBadFile, options_.checkpoint.string() + ": not a checkpoint of speech training",
                  "remove it or use --restart");
    }
    if (meta("run") != fingerprint()) {
      throw Error(ErrorCode::kBadArgument,
                  options_.checkpoint.string() + ": belongs to another capture, other networks or other options",
                  "use what it was begun with, or --restart");
    }
    optimizer_.load(file);
    const Json progress = Json::parse(meta("progress"), nullptr, false);
    const std::string where = options_.checkpoint.string() + ": progress";
    spent_ = get_field<double>(progress, "spent", where);
    before_mm_ = get_field<double>(progress, "before_mm", where);
    return std::clamp(get_field<int>(progress, "step", where), 0, options_.steps);
  }

  void save(const SpeechTuningReport& report) {
    const SafetensorsFile init = SafetensorsFile::open(options_.init);
    std::map<std::string, std::string> metadata = init.metadata();
    metadata["tuned_for"] = report.person;
    metadata["tuned_steps"] = fmt::format("{}", report.steps);
    save_speech_networks(out_, encoder_, s2g_, pairs_.expression_names, metadata);
  }

  const MotionPairs& pairs_;
  SpeechTuningOptions options_;
  std::filesystem::path out_;
  Ranks ranks_;
  at::Device device_;
  bool mixed_;
  std::vector<PairTensors> data_;
  EncoderModule encoder_;
  S2GModule s2g_;
  AdamW optimizer_;
  LipLoss lip_loss_;
  OffsetLoss offset_loss_;
  JsonLog log_;
  at::Tensor known_weights_, person_;
  double spent_ = 0, before_mm_ = 0;
  int steps_ = 0;
};

}  // namespace

SpeechTuningReport tune_on_pairs(const MotionPairs& pairs, S2GSettings settings, const SpeechTuningOptions& options,
                                 const std::filesystem::path& out) {
  check_tuning_options(options);
  settings = fit_head(pairs, std::move(settings), options);
  Ranks ranks = Ranks::from_environment();
  at::manual_seed(options.seed);  // of what the net begins with
  Tuner tuner(pairs, settings, options, out, std::move(ranks));
  return tuner.run();
}

}  // namespace mien
