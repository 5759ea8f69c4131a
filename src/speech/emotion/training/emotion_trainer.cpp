#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>

#include "mien/base/error.h"
#include "mien/base/hash.h"
#include "mien/base/json_log.h"
#include "mien/base/log.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/speech/emotion_network.h"
#include "mien/speech/emotion_training.h"
#include "speech/emotion/training/emotion_module.h"
#include "speech/emotion/training/labelled_voices.h"
#include "speech/emotion/training/voice_sampler.h"
#include "speech/training/adamw.h"
#include "speech/training/ranks.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointFormat = "mien-emotion-training-1";
constexpr double kIntensityWeight = 0.5;  // of its loss, beside the classes'
constexpr double kSmoothing = 0.05;       // of the labels
constexpr std::int64_t kSettling = 12;    // steps at the beginning of a file that say little

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

std::vector<Emotion> classes_of(const std::vector<VoiceClip>& clips) {
  std::set<Emotion> found;
  for (const VoiceClip& clip : clips) found.insert(clip.label.emotion);
  return {found.begin(), found.end()};
}

// Which clips are held out.
struct Split {
  std::vector<std::size_t> train, test;
  std::vector<std::string> speakers, left_out;
  bool speakers_known = false;
};

std::vector<std::string> speakers_of(const std::vector<VoiceClip>& clips) {
  std::set<std::string> names;
  for (const VoiceClip& clip : clips) {
    if (!clip.label.speaker.empty()) names.insert(clip.label.speaker);
  }
  return {names.begin(), names.end()};
}

// One speaker in five, of those who show most emotions.
std::vector<std::string> draw_left_out(const std::vector<VoiceClip>& clips, const std::vector<std::string>& speakers,
                                       std::uint64_t seed) {
  Random random(seed, 11);
  std::vector<std::pair<std::pair<int, std::uint32_t>, std::string>> order;
  for (const std::string& speaker : speakers) {
    std::set<Emotion> shown;
    for (const VoiceClip& clip : clips) {
      if (clip.label.speaker == speaker) shown.insert(clip.label.emotion);
    }
    order.push_back({{-static_cast<int>(shown.size()), random.next()}, speaker});
  }
  std::sort(order.begin(), order.end());
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, speakers.size() / 5); ++i) out.push_back(order[i].second);
  std::sort(out.begin(), out.end());
  return out;
}

Split split_clips(const std::vector<VoiceClip>& clips, const EmotionTrainingOptions& options) {
  Split split;
  split.speakers = speakers_of(clips);
  for (const std::string& name : options.leave_out) {
    if (std::find(split.speakers.begin(), split.speakers.end(), name) == split.speakers.end()) {
      throw Error(ErrorCode::kBadArgument, fmt::format("speaker \"{}\" to leave out is not in the data", name),
                  split.speakers.empty() ? "no speakers are named there"
                                         : fmt::format("there are {}", fmt::join(split.speakers, ", ")));
    }
  }
  split.left_out = options.leave_out;
  split.speakers_known = split.speakers.size() >= 2;
  if (split.left_out.empty() && split.speakers_known && !options.train_on_all)
    split.left_out = draw_left_out(clips, split.speakers, options.seed);
  std::array<int, kEmotionCount> seen{};
  for (std::size_t i = 0; i < clips.size(); ++i) {
    const LabelledVoice& label = clips[i].label;
    const bool held = split.left_out.empty() ? !options.train_on_all && seen[static_cast<int>(label.emotion)]++ % 5 == 4
                                             : std::find(split.left_out.begin(), split.left_out.end(), label.speaker) !=
                                                   split.left_out.end();
    (held ? split.test : split.train).push_back(i);
  }
  return split;
}

class Trainer {
 public:
  Trainer(const VoiceClips& data, Split split, std::vector<Emotion> classes, const EmotionTrainingOptions& options,
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
    int step = load_checkpoint();
    const double start = now() - spent_;
    for (; step < options_.steps; ++step) {
      const double loss = train_step(step);
      spent_ = now() - start;
      const bool last = step + 1 == options_.steps;
      if ((step + 1) % options_.report_every == 0 || last)
        log_.add({{"step", step + 1}, {"loss", loss}, {"seconds", spent_}});
      const bool go_on = ranks_.all(!options_.progress ||
                                    options_.progress(step + 1, options_.steps, fmt::format("loss {:.3f}", loss)));
      if (!last && (!go_on || (step + 1) % options_.save_every == 0)) save_checkpoint(step + 1);
      if (!go_on && !last) {
        steps_ = step + 1;
        return false;
      }
    }
    steps_ = step;
    return true;
  }

  // What comes out of files that were held out.
  void score(EmotionTrainingReport& report) {
    const at::NoGradGuard no_grad;
    network_->eval();
    double intensity_error = 0;
    int intensities = 0;
    for (const std::size_t i : split_.test) {
      const VoiceClip& clip = data_.clips[i];
      const std::int64_t frames = clip.features.size(0) / kEmotionStride * kEmotionStride;
      if (frames == 0) continue;
      const EmotionOutput out = network_->forward(clip.features.narrow(0, 0, frames).to(at::kFloat).unsqueeze(0));
      const std::int64_t steps = out.logits.size(1);
      const std::int64_t from = std::min(kSettling, steps - 1);
      const at::Tensor mean = at::softmax(out.logits[0].narrow(0, from, steps - from), -1).mean(0);
      const Emotion heard = network_->classes()[mean.argmax().item<std::int64_t>()];
      ++report.confusion[static_cast<int>(clip.label.emotion)][static_cast<int>(heard)];
      ++report.scored;
      if (clip.label.emotion == Emotion::kNeutral) continue;
      const auto said = at::sigmoid(out.intensity[0].narrow(0, from, steps - from)).mean().item<double>();
      intensity_error += std::abs(said - static_cast<double>(clip.label.intensity));
      ++intensities;
    }
    if (intensities > 0) report.intensity_error = intensity_error / intensities;
    int right = 0, present = 0;
    for (int e = 0; e < kEmotionCount; ++e) {
      const int all = std::accumulate(report.confusion[e].begin(), report.confusion[e].end(), 0);
      right += report.confusion[e][e];
      if (all == 0) continue;
      ++present;
      report.recall += static_cast<double>(report.confusion[e][e]) / all;
    }
    if (present > 0) {
      report.accuracy = static_cast<double>(right) / report.scored;
      report.recall /= present;
      report.chance = 1.0 / present;
    }
  }

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
  Split split_;
  EmotionTrainingOptions options_;
  EmotionModule network_;
  VoiceSampler sampler_;
  AdamW optimizer_;
  JsonLog log_;
  double spent_ = 0;
  int steps_ = 0;
};

void check_split(const Split& split, const std::vector<VoiceClip>& clips, const std::vector<Emotion>& classes,
                 const fs::path& data) {
  std::vector<VoiceClip> train;
  for (const std::size_t i : split.train) train.push_back(clips[i]);
  if (classes_of(train).size() == classes.size()) return;
  throw Error(ErrorCode::kBadFile,
              fmt::format("{}: without {} some emotions have no recording left", data.string(),
                          split.left_out.empty() ? "the files held out"
                                                 : fmt::format("speaker {}", fmt::join(split.left_out, ", "))),
              "leave out other speakers (--leave-out), give more recordings, or train on all of them (--all)");
}

}  // namespace

Json EmotionTrainingReport::json() const {
  std::vector<std::string> names;
  for (const Emotion e : classes) names.emplace_back(kEmotionNames[static_cast<int>(e)]);
  Json out = {{"classes", names},     {"files", files},       {"skipped", skipped},
              {"minutes", minutes},   {"steps", steps},       {"seconds", seconds},
              {"speakers", speakers}, {"left_out", left_out}, {"speakers_known", speakers_known},
              {"scored", scored}};
  if (scored == 0) return out;
  Json table = Json::object();
  for (const Emotion truth : classes) {
    for (const Emotion heard : classes) {
      table[kEmotionNames[static_cast<int>(truth)]][kEmotionNames[static_cast<int>(heard)]] =
          confusion[static_cast<int>(truth)][static_cast<int>(heard)];
    }
  }
  out.update({{"accuracy", accuracy},
              {"recall", recall},
              {"chance", chance},
              {"intensity_error", intensity_error},
              {"confusion", table}});
  return out;
}

EmotionTrainingReport train_emotion(const fs::path& data, const EmotionTrainingOptions& options, const fs::path& out) {
  check(options);
  const VoiceClips voices = read_voice_clips(list_labelled_voices(data), options.reading);
  const std::vector<Emotion> classes = classes_of(voices.clips);
  if (classes.size() < 2) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: all recordings are {}", data.string(), kEmotionNames[static_cast<int>(classes.at(0))]),
                "give recordings of at least two emotions");
  }
  const Split split = split_clips(voices.clips, options);
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
  if (!report.finished) return report;
  trainer.score(report);
  trainer.log({{"validation", report.json()}});
  report.leads = ranks.leads();
  if (!report.leads) return report;
  trainer.save(out, report);
  if (!options.checkpoint.empty()) fs::remove(options.checkpoint);
  return report;
}

}  // namespace mien
