#include "mien/training/gaussian_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>

#include "avatar_optimiser.h"
#include "checkpoint.h"
#include "early_stop.h"
#include "growth.h"
#include "mien/base/error.h"
#include "mien/base/hash.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/head/measures.h"
#include "training_samples.h"

namespace mien {
namespace {

constexpr int kShWarmUp = 400;          // steps per SH degree
constexpr int kCheckpointEvery = 1000;  // steps; a GPU takes so many more between checkpoints and previews:
constexpr int kPreviewEvery = 500;
constexpr int kCudaPace = 10;
constexpr int kLogEvery = 50;
constexpr int kGrowthRounds = 8;      // in which the number of Gaussians grows
constexpr double kGrowthShare = 0.5;  // of the moving stage, in which they lie
constexpr float kFinalRate = 0.05f;   // of the position rate at the end
constexpr int kOpenMoments = 4;       // that show what the closed mouth hides
constexpr float kWideOpen = 10;       // mm between the lips that count as a fully open mouth
constexpr int kLeastViews = 2;        // of the canonical moment, that must have a Gaussian in the picture
constexpr float kSeenAtFirst = 1;     // pixels: of Gaussians that training does not even start with,
constexpr float kSeenAtLast = 5;      // and of those that it drops in the end

// FNV-1a over what a checkpoint must agree with.
std::uint64_t fingerprint(const Capture& capture, const GaussianTrainOptions& options) {
  std::string text = capture.person + capture.head_model;
  for (const auto& sequence : capture.sequences)
    text += fmt::format("{}:{}:{};", sequence.id, sequence.frames, sequence.views.size());
  text += fmt::format("{}:{}:{}:{}:{}", options.seed, options.canonical_steps, options.dynamic_steps,
                      options.initialise.surface_count, options.initialise.volume_count);
  text += fmt::format(":{}:{}:{}:{}", options.initialise.colour_modes, options.mouth_weight, options.eye_weight,
                      options.open_mouth_bias);
  const ImageLossOptions plain;
  if (options.loss.l1 != plain.l1 || options.loss.ssim != plain.ssim || options.loss.matte != plain.matte)
    text += fmt::format(":loss:{}:{}:{}", options.loss.l1, options.loss.ssim, options.loss.matte);
  text += fmt::format(":filter:{}", options.pixel_filter);
  if (options.grow_to > 0) text += fmt::format(":grow:{}", options.grow_to);
  if (options.networks) {
    const G2aOptions& g = options.g2anet;
    text += fmt::format(":g2a:{}:{}:{}:{}:{}:{}", g.width, g.frequencies, g.feature_net, g.emotion, g.dynamic_opacity,
                        options.rate_g2anet);
    if (options.sound != nullptr) text += ":hears:" + options.sound->name();
  }
  return fnv1a(text);
}

// All views of the first frame of the first sequence: EmoTalk3D's still, closed-mouth moment.
std::vector<SampleKey> canonical_keys(const SampleReader& reader) {
  std::vector<SampleKey> keys;
  for (const SampleKey& key : reader.keys()) {
    if (key.sequence == reader.keys().front().sequence && key.frame == 0) keys.push_back(key);
  }
  return keys;
}

std::vector<CanonicalView> canonical_views(const SampleReader& reader, const std::vector<SampleKey>& keys) {
  std::vector<CanonicalView> views;
  for (const SampleKey& key : keys) {
    TrainingSample sample = reader.read(key);
    CanonicalView view;
    view.camera = sample.camera;
    view.rgb = ImageF(sample.camera.width, sample.camera.height, 3);
    view.rgb.pixels = std::move(sample.rgb);
    view.matte = ImageF(sample.camera.width, sample.camera.height, 1);
    view.matte.pixels = std::move(sample.matte);
    views.push_back(std::move(view));
  }
  return views;
}

// Gap between the lips of each sequence's frames, mm; all zero for a head that cannot be measured.
class MouthOpenings {
 public:
  explicit MouthOpenings(const SampleReader& reader) {
    const HeadModel head = reader.capture().load_head_model();
    if (head.contours.lips.empty()) return;
    std::vector<Vec3> vertices;
    for (const SampleKey& key : reader.keys()) {
      float& gap = gaps_.try_emplace({key.sequence, key.frame}, -1.0f).first->second;
      if (gap >= 0) continue;
      const MotionFrame& motion = reader.motion(key);
      head.deform(motion.expression.data(), static_cast<int>(motion.expression.size()),
                  motion.offsets.empty() ? nullptr : motion.offsets.data(), vertices);
      gap = mouth_opening_mm(head, vertices);
    }
  }
  float at(const SampleKey& key) const {
    const auto found = gaps_.find({key.sequence, key.frame});
    return found == gaps_.end() ? 0.0f : found->second;
  }
  // The widest open frame of each of the `count` sequences that open widest, all views.
  std::vector<CanonicalMoment> widest(const SampleReader& reader, int count) const {
    std::map<int, std::pair<float, int>> best;  // by sequence
    for (const auto& [place, gap] : gaps_) {
      const auto [at, fresh] = best.try_emplace(place.first, gap, place.second);
      if (!fresh && gap > at->second.first) at->second = {gap, place.second};
    }
    std::vector<std::pair<float, std::pair<int, int>>> order;
    for (const auto& [sequence, frame] : best) order.push_back({-frame.first, {sequence, frame.second}});
    std::sort(order.begin(), order.end());
    std::vector<CanonicalMoment> moments;
    for (int i = 0; i < std::min<int>(count, static_cast<int>(order.size())); ++i) {
      std::vector<SampleKey> keys;
      for (const SampleKey& key : reader.keys()) {
        if (std::pair(key.sequence, key.frame) == order[i].second) keys.push_back(key);
      }
      moments.push_back({reader.motion(keys.front()), canonical_views(reader, keys)});
    }
    return moments;
  }

 private:
  std::map<std::pair<int, int>, float> gaps_;
};

// Draws pictures for training, those of an open mouth more often.
class SampleChoice {
 public:
  SampleChoice(const SampleReader& reader, const MouthOpenings& openings, float bias) {
    double total = 0;
    for (const SampleKey& key : reader.keys()) {
      total += 1 + bias * std::clamp(openings.at(key) / kWideOpen, 0.0f, 1.0f);
      sums_.push_back(total);
    }
  }
  std::size_t pick(float uniform) const {
    const auto at = std::upper_bound(sums_.begin(), sums_.end(), uniform * sums_.back());
    return std::min(static_cast<std::size_t>(at - sums_.begin()), sums_.size() - 1);
  }

 private:
  std::vector<double> sums_;
};

// What the networks hear belongs to them.
G2aOptions network_options(const GaussianTrainOptions& options) {
  G2aOptions g2anet = options.g2anet;
  g2anet.sound = options.sound == nullptr ? 0 : options.sound->count();
  return g2anet;
}
std::string heard_by(const GaussianTrainOptions& options) {
  return options.sound == nullptr ? "" : options.sound->name();
}

void check_options(const GaussianTrainOptions& options) {
  if (options.sound == nullptr || (options.networks && !options.initialise.colour_modes)) return;
  throw Error(ErrorCode::kBadArgument, "training without geometry needs the networks, and no colour modes",
              "switch the networks on and the colour modes off");
}

GaussianAvatar start_avatar(const SampleReader& reader, const std::vector<SampleKey>& keys,
                            const MouthOpenings& openings, const GaussianTrainOptions& options) {
  InitialiseOptions initialise = options.initialise;
  initialise.seed = options.seed;
  GaussianAvatar avatar =
      initialise_avatar(reader.capture().load_head_model(), reader.motion(keys.front()), canonical_views(reader, keys),
                        initialise, openings.widest(reader, kOpenMoments));
  avatar.pixel_filter = options.pixel_filter;
  prune_unseen(avatar, reader.capture(), kSeenAtFirst);
  if (options.networks) {
    avatar.g2anet = make_g2anet(avatar, network_options(options), options.seed);
    avatar.g2anet.hears = heard_by(options);
  }
  return avatar;
}

Image8 as_image(const std::vector<float>& rgb, int width, int height) {
  ImageF image(width, height, 3);
  image.pixels = rgb;
  return to_8bit(image);
}

void write_preview(const std::filesystem::path& path, const GaussianAvatar& avatar, const SampleReader& reader) {
  GaussianRenderer renderer(avatar);
  std::vector<Image8> truth, drawn;
  const auto& keys = reader.keys();
  for (int i = 0; i < 4; ++i) {
    const TrainingSample sample = reader.read(keys[keys.size() * (2 * i + 1) / 8]);
    std::vector<float> rgb(sample.rgb.size()), alpha(sample.matte.size());
    renderer.render(*sample.motion, sample.camera, splat_options(avatar), rgb.data(), alpha.data());
    truth.push_back(as_image(sample.rgb, sample.camera.width, sample.camera.height));
    drawn.push_back(as_image(rgb, sample.camera.width, sample.camera.height));
  }
  truth.insert(truth.end(), drawn.begin(), drawn.end());
  write_image(path, tile_images(truth, 4));
}

StepRates rates_at(const GaussianTrainOptions& options, double progress) {
  const auto fall = static_cast<float>(std::pow(kFinalRate, progress));
  const float gentle = std::sqrt(fall);  // colour and shape keep learning a little longer
  return {options.rate_means * fall,     options.rate_quats * gentle, options.rate_scales * gentle,
          options.rate_opacity * gentle, options.rate_sh * gentle,    options.rate_sh * gentle / 20,
          options.rate_modes * gentle,   options.rate_g2anet * gentle};
}

// One JSON object a line; see GaussianTrainOptions::log.
class TrainingLog {
 public:
  TrainingLog(const std::filesystem::path& path, bool go_on) {
    if (path.empty()) return;
    out_.open(path, go_on ? std::ios::app : std::ios::trunc);
    if (!out_) throw Error(ErrorCode::kIo, path.string() + ": cannot be written", "choose another place for the log");
  }
  // The mean of the last `steps` steps.
  void add(int step, int steps, const char* stage, const ImageLossValue& loss) {
    if (!out_.is_open()) return;
    l1_ += steps * loss.l1;
    ssim_ += steps * loss.ssim;
    total_ += steps * loss.total;
    count_ += steps;
    if (count_ < kLogEvery) return;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    out_ << Json({{"step", step + 1},
                  {"stage", stage},
                  {"l1", l1_ / count_},
                  {"ssim", ssim_ / count_},
                  {"loss", total_ / count_},
                  {"seconds", seconds}})
                .dump()
         << std::endl;
    l1_ = ssim_ = total_ = 0;
    count_ = 0;
  }

 private:
  std::ofstream out_;
  double l1_ = 0, ssim_ = 0, total_ = 0;
  int count_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// How many Gaussians to split before a step; 0 = none.
int growth_before(int step, int count, const GaussianTrainOptions& options) {
  const int length = static_cast<int>(options.dynamic_steps * kGrowthShare) / kGrowthRounds;
  const int since = step - options.canonical_steps;
  if (count >= options.grow_to || length == 0 || since <= 0 || since % length != 0) return 0;
  const int round = since / length;
  return round > kGrowthRounds ? 0 : (options.grow_to - count) / (kGrowthRounds + 1 - round);
}

}  // namespace

GaussianAvatar train_gaussian_avatar(const Capture& capture, const GaussianTrainOptions& options,
                                     GaussianTrainReport* report) {
  check_options(options);
  const bool cuda = use_cuda(options.device);
  const int pace = cuda ? kCudaPace : 1;
  const SampleReader reader(capture, "train", options.cache_bytes, options.sound.get());
  const std::vector<SampleKey> canonical = canonical_keys(reader);
  const std::uint64_t mark = fingerprint(capture, options);
  GaussianAvatar avatar;
  int first = 0;
  if (!options.checkpoint.empty()) {
    avatar.head = capture.load_head_model();
    avatar.pixel_filter = options.pixel_filter;
    avatar.g2anet.options = network_options(options);
    avatar.g2anet.hears = heard_by(options);
    first = load_checkpoint(options.checkpoint, avatar, mark);
  }
  const MouthOpenings openings(reader);
  const SampleChoice choice(reader, openings, options.open_mouth_bias);
  if (first == 0) avatar = start_avatar(reader, canonical, openings, options);
  const std::unique_ptr<AvatarOptimiser> optimiser =
      cuda ? make_cuda_optimiser(avatar, options, reader) : make_cpu_optimiser(avatar, options, reader);
  if (first > 0) {
    load_optimiser_state(options.checkpoint, optimiser->groups());
    optimiser->fetch();
  }

  const int total = options.canonical_steps + options.dynamic_steps;
  // Each step draws its picture from a generator of its own, so that resuming needs no generator state.
  const auto key_at = [&](int step) {
    Random random(options.seed * 1000003 + static_cast<std::uint64_t>(step), 3);
    if (step < options.canonical_steps) return canonical[random.below(static_cast<std::uint32_t>(canonical.size()))];
    return reader.keys()[choice.pick(random.uniform())];
  };
  const auto save = [&](int step) {
    optimiser->store();
    if (!options.checkpoint.empty()) save_checkpoint(options.checkpoint, avatar, optimiser->groups(), step, mark);
    if (!options.preview.empty()) write_preview(options.preview, avatar, reader);
  };
  int requested = first;
  const auto start = std::chrono::steady_clock::now();
  TrainingLog log(options.log, first > 0);
  double mean_l1 = 0;
  int step = first, reported = first;
  bool stopped = false, settled = false;
  EarlyStop enough(options.patience);  // a run that is resumed begins to count anew
  for (; step < total && !stopped && !settled; ++step) {
    if (const int splits = growth_before(step, avatar.gaussians.count(), options); splits > 0) {
      optimiser->store();
      grow_gaussians(avatar, optimiser->groups(), covered_error(avatar, reader, options), splits);
      optimiser->fetch();
    }
    while (requested < total && requested - step < optimiser->ahead()) optimiser->announce(key_at(requested++));
    Random random(options.seed * 7919 + static_cast<std::uint64_t>(step), 5);
    StepJob job;
    const float grey = step % 3 == 0 ? 0.0f : random.uniform();
    job.background = {grey, step % 3 == 2 ? random.uniform() : grey, grey};
    job.key = key_at(step);
    job.sh_degree = std::min(3, step / kShWarmUp);
    job.rates = rates_at(options, static_cast<double>(step) / total);
    optimiser->use_networks(step >= options.canonical_steps);
    optimiser->step(job);
    const int done = step + 1;
    if (done % optimiser->report_every() == 0 || done == total) {
      const ImageLossValue loss = optimiser->losses();
      log.add(step, done - reported, step < options.canonical_steps ? "canonical" : "dynamic", loss);
      const double keep = reported == first ? 0 : std::pow(0.98, done - reported);
      mean_l1 = keep * mean_l1 + (1 - keep) * loss.l1;
      settled = step >= options.canonical_steps && enough.add(done, done - reported, loss.l1);
      reported = done;
      if (options.progress && !options.progress(done, total, fmt::format("L1 {:.4f}", mean_l1))) stopped = true;
    }
    if (!options.preview.empty() && step > 0 && step % (kPreviewEvery * pace) == 0) {
      optimiser->store();
      write_preview(options.preview, avatar, reader);
    }
    if (!options.checkpoint.empty() && step > 0 && step % (kCheckpointEvery * pace) == 0) save(done);
  }
  save(step);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const bool finished = (step == total || settled) && !stopped;
  if (finished) {
    prune_floaters(avatar, reader.motion(canonical.front()), canonical_views(reader, canonical), kLeastViews);
    prune_unseen(avatar, capture, kSeenAtLast, options.sound.get());
  }
  if (report != nullptr) {
    report->cuda = cuda;
    report->steps = step;
    report->finished = finished;
    report->early = settled && finished;
    report->seconds = seconds;
    report->steps_per_second = (step - first) / std::max(report->seconds, 1e-9);
    report->final_l1 = mean_l1;
  }
  return avatar;
}

}  // namespace mien
