#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/hash.h"
#include "mien/base/interrupt.h"
#include "mien/base/json_log.h"
#include "mien/base/log.h"
#include "mien/base/safetensors.h"
#include "mien/speech/emotion_network.h"
#include "mien/speech/emotion_training.h"
#include "speech/emotion/training/emotion_module.h"
#include "speech/emotion/training/emotion_score.h"
#include "speech/emotion/training/labelled_voices.h"
#include "speech/emotion/training/voice_sampler.h"
#include "speech/emotion/training/voice_split.h"
#include "speech/training/adamw.h"
#include "speech/training/ranks.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointFormat = "mien-emotion-training-1";
constexpr double kIntensityWeight = 0.5;  // of its loss, beside the classes'
constexpr double kSmoothing = 0.05;       // of the labels

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void check(const EmotionTrainingOptions& o) {
  const auto refuse = [](const std::string& what, const char* mend) {
    throw Error(ErrorCode::kBadArgument, what, mend);
  };
  if (o.steps < 1 || o.steps > 1000000) refuse(fmt::format("{} steps", o.steps), "give 1 to 1000000");
  if (o.batch < 1 || o.batch > 1024) refuse(fmt::format("batch of {}", o.batch), "give 1 to 1024");
  if (!(o.seconds >= 1 && o.seconds <= 60)) refuse(fmt::format("streams of {} s", o.seconds), "give 1 to 60");
  if (!(o.rate > 0 && o.rate <= 0.1)) refuse(fmt::format("learning rate {}", o.rate), "give up to 0.1");
  if (!(o.dropout >= 0 && o.dropout < 1)) refuse(fmt::format("dropout {}", o.dropout), "give 0 to below 1");
  if (o.train_on_all && !o.leave_out.empty()) {
    refuse("speakers are left out of a training on all", "give one of the two options");
  }
}

class Trainer {
 public:
  Trainer(const VoiceClips& data, VoiceSplit split, std::vector<Emotion> classes, const EmotionTrainingOptions& options,
          const Ranks& ranks)
      : data_(data),
        ranks_(ranks),
        split_(std::move(split)),
        options_(options),
        network_(std::move(classes), options.dropout),
        sampler_(data.clips, split_.train, network_->classes(), options.batch, options.seconds, options.seed),
        optimizer_(named()),
        log_(ranks.leads() ? options.log : fs::path()) {}

  // False when stopped.
  bool run() {
    ranks_.group().must_agree(fnv1a(fingerprint()), "other recordings or other options than the first rank's",
                              "start all ranks with the same command");
    int step = static_cast<int>(ranks_.share(ranks_.leads() ? load_checkpoint() : 0));
    ranks_.share(optimizer_.state());
    const double start = now() - spent_;
    for (; step < options_.steps; ++step) {
      const double loss = train_step(step);
      spent_ = now() - start;
      const bool last = step + 1 == options_.steps;
      if ((step + 1) % options_.report_every == 0 || last)
        log_.add({{"step", step + 1}, {"loss", loss}, {"seconds", spent_}});
      const bool go_on = ranks_.all(goes_on(step + 1, loss));
      if (!last && (!go_on || (step + 1) % options_.save_every == 0)) save_checkpoint(step + 1);
      if (!go_on && !last) {
        steps_ = step + 1;
        return false;
      }
    }
    steps_ = step;
    return true;
  }

  void score(EmotionTrainingReport& report) { score_emotion(network_, data_.clips, split_.test, report); }
  void save(const fs::path& out, const EmotionTrainingReport& report) const {
    save_emotion_network(out, network_, {{"training", report.json().dump()}});
  }
  int steps() const { return steps_; }
  double seconds() const { return spent_; }
  void log(const Json& entry) { log_.add(entry); }

 private:
  AdamW::Named named() const {
    AdamW::Named out;
    for (const auto& item : network_->named_parameters()) out.emplace_back(item.key(), item.value());
    return out;
  }

  // Only the first rank shows progress; any may be interrupted.
  bool goes_on(int done, double loss) const {
    if (!ranks_.leads()) return !interrupted();
    return !options_.progress || options_.progress(done, options_.steps, fmt::format("loss {:.3f}", loss));
  }

  double train_step(int step) {
    const VoiceBatch batch = sampler_.sample(step, ranks_.rank());
    // Dropout is drawn from step and rank alone, so that a run that goes on draws the same.
    at::manual_seed((options_.seed * 1000003 + static_cast<std::uint64_t>(step)) * 4099 +
                    static_cast<std::uint64_t>(ranks_.rank()));
    network_->train();
    optimizer_.zero_grad();
    const EmotionOutput out = network_->forward(batch.features);
    const auto classes = static_cast<std::int64_t>(network_->classes().size());
    const at::Tensor each = at::cross_entropy_loss(out.logits.reshape({-1, classes}), batch.classes.reshape({-1}), {},
                                                   at::Reduction::None, -100, kSmoothing)
                                .reshape(batch.weight.sizes());
    // Means over the batches of all ranks.
    at::Tensor loss = (each * batch.weight).sum() / ranks_.average(batch.weight.sum().item<double>());
    at::Tensor moved = batch.weight;  // neutral has no intensity
    for (std::int64_t c = 0; c < classes; ++c) {
      if (network_->classes()[c] == Emotion::kNeutral) moved = moved * (batch.classes != c).to(at::kFloat);
    }
    const at::Tensor wide = at::sigmoid(out.intensity) - batch.intensity;
    loss = loss +
           kIntensityWeight * (wide * wide * moved).sum() / std::max(1.0, ranks_.average(moved.sum().item<double>()));
    const double value = ranks_.average(loss.item<double>());
    if (!std::isfinite(value)) {
      const std::string broken = optimizer_.broken();
      throw Error(ErrorCode::kBadFile,
                  fmt::format("step {}: {} is not a number", step, broken.empty() ? "the loss" : broken),
                  "lower the learning rate");
    }
    loss.backward();
    ranks_.average(optimizer_.gradients());
    optimizer_.update(options_.rate * AdamW::schedule(static_cast<double>(step) / options_.steps), step);
    return value;
  }

  // What a run that goes on must agree with.
  std::string fingerprint() const {
    std::string files;
    for (const VoiceClip& clip : data_.clips)
      files += fmt::format("{}:{}:{}:{}:{};", clip.label.file.string(), static_cast<int>(clip.label.emotion),
                           clip.label.intensity, clip.label.speaker, clip.features.size(0));
    return Json({{"files", fnv1a(files)},
                 {"left_out", split_.left_out},
                 {"all", options_.train_on_all},
                 {"steps", options_.steps},
                 {"batch", options_.batch},
                 {"ranks", ranks_.size()},
                 {"seconds", options_.seconds},
                 {"rate", options_.rate},
                 {"dropout", options_.dropout},
                 {"seed", options_.seed}})
        .dump();
  }

  void save_checkpoint(int step) const {
    if (options_.checkpoint.empty() || !ranks_.leads()) return;
    SafetensorsWriter out;
    out.metadata("format", kCheckpointFormat);
    out.metadata("run", fingerprint());
    out.metadata("progress", Json({{"step", step}, {"spent", spent_}}).dump());
    optimizer_.save(out);
    out.write(options_.checkpoint);
  }

  int load_checkpoint() {
    if (options_.checkpoint.empty() || !fs::exists(options_.checkpoint)) return 0;
    const SafetensorsFile file = SafetensorsFile::open(options_.checkpoint);
    const auto meta = [&](const char* key) {
      const auto found = file.metadata().find(key);
      return found == file.metadata().end() ? std::string() : found->second;
    };
    const std::string where = options_.checkpoint.string();
    if (meta("format") != kCheckpointFormat) {
      throw Error(ErrorCode::kBadFile, where + ": not a checkpoint of emotion training", "remove it or use --restart");
    }
    if (meta("run") != fingerprint()) {
      throw Error(ErrorCode::kBadArgument, where + ": belongs to other recordings or other options",
                  "use what it was begun with, or --restart");
    }
    optimizer_.load(file);
    const Json progress = Json::parse(meta("progress"), nullptr, false);
    spent_ = get_field<double>(progress, "spent", where + ": progress");
    const int step = std::clamp(get_field<int>(progress, "step", where + ": progress"), 0, options_.steps);
    spdlog::info("going on from step {} of {}", step, where);
    return step;
  }

  const VoiceClips& data_;
  Ranks ranks_;
  VoiceSplit split_;
  EmotionTrainingOptions options_;
  EmotionModule network_;
  VoiceSampler sampler_;
  AdamW optimizer_;
  JsonLog log_;
  double spent_ = 0;
  int steps_ = 0;
};

}  // namespace

EmotionTrainingReport train_emotion(const fs::path& data, const EmotionTrainingOptions& options, const fs::path& out) {
  check(options);
  const VoiceClips voices = read_voice_clips(list_labelled_voices(data), options.reading);
  const std::vector<Emotion> classes = classes_of(voices.clips);
  if (classes.size() < 2) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: all recordings are {}", data.string(), kEmotionNames[static_cast<int>(classes.at(0))]),
                "give recordings of at least two emotions");
  }
  const VoiceSplit split = split_clips(voices.clips, options);
  check_split(split, voices.clips, classes, data);
  const Ranks ranks = Ranks::from_environment();
  EmotionTrainingReport report;
  report.files = static_cast<int>(voices.clips.size());
  report.skipped = voices.skipped;
  report.minutes = voices.minutes;
  report.classes = classes;
  report.speakers = split.speakers;
  report.left_out = split.left_out;
  report.speakers_known = split.speakers_known;
  if (!split.speakers_known && !options.train_on_all)
    spdlog::warn("no speakers are named: the figures will be of voices that were trained on");
  at::manual_seed(options.seed);  // of what the network begins with
  Trainer trainer(voices, split, classes, options, ranks);
  report.finished = trainer.run();
  report.steps = trainer.steps();
  report.seconds = trainer.seconds();
  report.leads = ranks.leads();
  if (!report.finished || !report.leads) return report;
  trainer.score(report);
  trainer.log({{"validation", report.json()}});
  trainer.save(out, report);
  if (!options.checkpoint.empty()) fs::remove(options.checkpoint);
  return report;
}

}  // namespace mien
