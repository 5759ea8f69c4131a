#include "mien/training/gaussian_trainer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "appearance_learner.h"
#include "avatar_optimiser.h"
#include "checkpoint.h"
#include "early_stop.h"
#include "growth.h"
#include "mien/base/error.h"
#include "mien/base/interrupt.h"
#include "mien/base/random.h"
#include "mien/capture/fitness.h"
#include "share_training.h"
#include "training_log.h"
#include "training_pictures.h"
#include "training_plan.h"
#include "training_samples.h"

namespace mien {
namespace {

constexpr int kShWarmUp = 400;          // steps per SH degree
constexpr int kCheckpointEvery = 1000;  // steps; a GPU takes so many more between checkpoints and previews:
constexpr int kPreviewEvery = 500;
constexpr int kCudaPace = 10;
constexpr int kAverageEvery = 100;  // steps that ranks go on their own where gradients are not averaged
constexpr int kOpenMoments = 4;     // that show what the closed mouth hides
constexpr int kLeastViews = 2;      // of the canonical moment, that must have a Gaussian in the picture
constexpr float kSeenAtFirst = 1;   // pixels: of Gaussians that training does not even start with,
constexpr float kSeenAtLast = 5;    // and of those that it drops in the end

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
  const HeadModel head = reader.capture().load_head_model();
  GaussianAvatar avatar;
  if (is_monocular(reader.capture())) {
    avatar = initialise_monocular(head, monocular_moments(reader, keys), initialise, reader.appearances(),
                                  options.appearance);
  } else {
    avatar = initialise_avatar(head, reader.motion(keys.front()), canonical_views(reader, keys), initialise,
                               openings.widest(reader, kOpenMoments));
    make_appearances(avatar, reader.appearances(), options.appearance, options.seed);
  }
  avatar.pixel_filter = options.pixel_filter;
  bake_appearances(avatar);
  prune_unseen(avatar, reader.capture(), kSeenAtFirst, nullptr, options.hold_out);
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
  std::vector<Image8> truth, drawn;
  const auto& keys = reader.keys();
  for (int i = 0; i < 4; ++i) {
    // The golden ratio: even steps would meet the same view of sequences that are equally long.
    const double place = std::fmod(0.5 + 0.6180339887 * i, 1.0);
    const TrainingSample sample = reader.read(keys[static_cast<std::size_t>(place * static_cast<double>(keys.size()))]);
    std::vector<float> rgb(sample.rgb.size()), alpha(sample.matte.size());
    const GaussianAvatar worn = dress(avatar, sample.appearance);
    GaussianRenderer renderer(worn);
    renderer.render(*sample.motion, sample.camera, splat_options(avatar), rgb.data(), alpha.data());
    truth.push_back(as_image(sample.rgb, sample.camera.width, sample.camera.height));
    drawn.push_back(as_image(rgb, sample.camera.width, sample.camera.height));
  }
  truth.insert(truth.end(), drawn.begin(), drawn.end());
  write_image(path, tile_images(truth, 4));
}

ImageLossValue average_loss(const RankGroup& ranks, const ImageLossValue& loss) {
  if (!ranks.several()) return loss;
  std::array<float, 4> all = {static_cast<float>(loss.total), static_cast<float>(loss.l1),
                              static_cast<float>(loss.ssim), static_cast<float>(loss.matte)};
  ranks.average(std::span<float>(all));
  return {all[0], all[1], all[2], all[3]};
}

// One training: the avatar, who moves it, and where it stands.
class Training {
 public:
  Training(const Capture& capture, const GaussianTrainOptions& options)
      : capture_(capture),
        options_(options),
        ranks_(options.ranks),
        cuda_(use_cuda(options.device)),
        reader_(capture, "train", options.cache_bytes, options.sound.get(), options.hold_out),
        canonical_(is_monocular(capture) ? spread_poses(reader_) : canonical_keys(reader_)),
        mark_(training_fingerprint(capture, options)),
        openings_(reader_),
        choice_(reader_, openings_, options.open_mouth_bias),
        total_(options.canonical_steps + options.dynamic_steps) {
    ranks_.must_agree(mark_, "another capture or other options than the first rank's",
                      "start all ranks with the same command");
    begin();
  }

  GaussianAvatar run(GaussianTrainReport* report);

 private:
  void begin();
  std::int64_t picture_index(int step, int picture) const;
  SampleKey key_at(std::int64_t picture, int step) const;
  std::vector<int> shown_in(int step) const;
  void grow(int splits);
  void announce(int picture);
  void take_step();
  bool goes_on() const;
  void agree();
  void save();
  bool leads_and(const std::filesystem::path& file) const { return ranks_.leads() && !file.empty(); }

  const Capture& capture_;
  const GaussianTrainOptions& options_;
  const RankGroup& ranks_;
  bool cuda_;
  SampleReader reader_;
  std::vector<SampleKey> canonical_;
  std::uint64_t mark_;
  MouthOpenings openings_;
  SampleChoice choice_;
  int total_;
  GaussianAvatar avatar_;
  std::unique_ptr<AvatarOptimiser> optimiser_;
  int first_ = 0, step_ = 0, reported_ = 0;
  std::int64_t requested_ = 0;  // pictures of this rank
  double mean_l1_ = 0;
  bool stopped_ = false, settled_ = false;
};

// The first rank knows where a stopped run was.
void Training::begin() {
  if (leads_and(options_.checkpoint)) {
    avatar_.head = capture_.load_head_model();
    avatar_.pixel_filter = options_.pixel_filter;
    if (options_.appearance.features != AppearanceFeatures::kNone && reader_.appearances().size() > 1) {
      avatar_.looks.names = reader_.appearances();
      avatar_.looks.options = options_.appearance;
    }
    avatar_.g2anet.options = network_options(options_);
    avatar_.g2anet.hears = heard_by(options_);
    first_ = load_checkpoint(options_.checkpoint, avatar_, mark_);
  }
  first_ = static_cast<int>(ranks_.share(static_cast<double>(first_)));
  if (first_ == 0) avatar_.looks = {};
  if (first_ == 0 || !ranks_.leads()) avatar_ = start_avatar(reader_, canonical_, openings_, options_);
  share_avatar(ranks_, avatar_);
  optimiser_ = cuda_ ? make_cuda_optimiser(avatar_, options_, reader_) : make_cpu_optimiser(avatar_, options_, reader_);
  if (options_.batch > 1 && !optimiser_->adds_up_gradients())
    throw Error(ErrorCode::kBadArgument, fmt::format("{} pictures a step on a GPU", options_.batch),
                "leave --batch at 1 there, or train on the CPU");
  if (first_ > 0) {
    if (ranks_.leads()) load_optimiser_state(options_.checkpoint, optimiser_->groups());
    share_moments(ranks_, optimiser_->groups());
    optimiser_->fetch();
  }
  step_ = reported_ = first_;
  requested_ = std::int64_t{first_} * options_.batch;
}

// Over all ranks: two ranks see the pictures that one with twice the batch does.
std::int64_t Training::picture_index(int step, int picture) const {
  return (std::int64_t{step} * ranks_.size + ranks_.rank) * options_.batch + picture;
}

// Each picture is drawn from a generator of its own, so that resuming needs no generator state.
SampleKey Training::key_at(std::int64_t picture, int step) const {
  Random random(options_.seed * 1000003 + static_cast<std::uint64_t>(picture), 3);
  if (step < options_.canonical_steps) return canonical_[random.below(static_cast<std::uint32_t>(canonical_.size()))];
  return reader_.keys()[choice_.pick(random.uniform())];
}

// By the pictures of all ranks, so that they stay the same.
std::vector<int> Training::shown_in(int step) const {
  std::vector<int> shown;
  const std::int64_t pictures = std::int64_t{ranks_.size} * options_.batch;
  for (std::int64_t p = step * pictures; avatar_.looks.learns() && p < (step + 1) * pictures; ++p)
    shown.push_back(reader_.appearance(key_at(p, step)));
  std::sort(shown.begin(), shown.end());
  shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
  return shown;
}

// All ranks split the same Gaussians: those that cover the most error, as the mean over the ranks has it.
void Training::grow(int splits) {
  agree();
  std::vector<float> score = covered_error(avatar_, reader_, options_);
  ranks_.average(std::span<float>(score));
  grow_gaussians(avatar_, optimiser_->groups(), score, splits);
  optimiser_->fetch();
}

void Training::announce(int picture) {
  const std::int64_t now = std::int64_t{step_} * options_.batch + picture;
  for (; requested_ < std::int64_t{total_} * options_.batch && requested_ - now < optimiser_->ahead(); ++requested_) {
    const auto step = static_cast<int>(requested_ / options_.batch);
    optimiser_->announce(key_at(picture_index(step, static_cast<int>(requested_ % options_.batch)), step));
  }
}

void Training::take_step() {
  optimiser_->use_networks(step_ >= options_.canonical_steps);
  for (int picture = 0; picture < options_.batch; ++picture) {
    announce(picture);
    const std::int64_t index = picture_index(step_, picture);
    Random random(options_.seed * 7919 + static_cast<std::uint64_t>(index), 5);
    StepJob job;
    const float grey = index % 3 == 0 ? 0.0f : random.uniform();
    job.background = {grey, index % 3 == 2 ? random.uniform() : grey, grey};
    job.key = key_at(index, step_);
    job.appearance = reader_.appearance(job.key);
    job.appearances = shown_in(step_);
    job.sh_degree = std::min(3, step_ / kShWarmUp);
    job.rates = rates_at(options_, static_cast<double>(step_) / total_);
    job.last = picture + 1 == options_.batch;
    optimiser_->step(job);
  }
}

// Only the first rank shows progress; any may be interrupted.
bool Training::goes_on() const {
  if (!ranks_.leads()) return !interrupted();
  return !options_.progress || options_.progress(step_, total_, fmt::format("L1 {:.4f}", mean_l1_));
}

// Makes the avatar current, and the same on all ranks.
void Training::agree() {
  optimiser_->store();
  if (!ranks_.several() || optimiser_->adds_up_gradients()) return;
  average_training(ranks_, avatar_, optimiser_->groups());
  optimiser_->fetch();
}

void Training::save() {
  agree();
  check_same_training(ranks_, avatar_, optimiser_->groups(), step_);
  if (leads_and(options_.checkpoint)) save_checkpoint(options_.checkpoint, avatar_, optimiser_->groups(), step_, mark_);
  if (leads_and(options_.preview)) write_preview(options_.preview, avatar_, reader_);
}

GaussianAvatar Training::run(GaussianTrainReport* report) {
  const int pace = cuda_ ? kCudaPace : 1;
  const auto start = std::chrono::steady_clock::now();
  TrainingLog log(ranks_.leads() ? options_.log : std::filesystem::path(), first_ > 0);
  EarlyStop enough(options_.patience);  // a run that is resumed begins to count anew
  while (step_ < total_ && !stopped_ && !settled_) {
    if (const int splits = growth_before(step_, avatar_.gaussians.count(), options_); splits > 0) grow(splits);
    take_step();
    const int last = step_++;
    if (step_ % optimiser_->report_every() == 0 || step_ == total_) {
      const ImageLossValue loss = average_loss(ranks_, optimiser_->losses());
      const int steps = step_ - reported_;
      log.add(last, steps, last < options_.canonical_steps ? "canonical" : "dynamic", loss);
      const double keep = reported_ == first_ ? 0 : std::pow(0.98, steps);
      mean_l1_ = keep * mean_l1_ + (1 - keep) * loss.l1;
      settled_ = last >= options_.canonical_steps && enough.add(step_, steps, loss.l1);
      reported_ = step_;
      stopped_ = !ranks_.all(goes_on());
    }
    if (ranks_.several() && !optimiser_->adds_up_gradients() && step_ % kAverageEvery == 0) agree();
    if (leads_and(options_.preview) && last > 0 && last % (kPreviewEvery * pace) == 0) {
      optimiser_->store();
      write_preview(options_.preview, avatar_, reader_);
    }
    if (!options_.checkpoint.empty() && last > 0 && last % (kCheckpointEvery * pace) == 0) save();
  }
  save();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const bool finished = (step_ == total_ || settled_) && !stopped_;
  if (finished && ranks_.leads()) {
    if (!is_monocular(capture_))
      prune_floaters(avatar_, reader_.motion(canonical_.front()), canonical_views(reader_, canonical_), kLeastViews);
    prune_unseen(avatar_, capture_, kSeenAtLast, options_.sound.get(), options_.hold_out);
  }
  if (report != nullptr) {
    report->cuda = cuda_;
    report->steps = step_;
    report->finished = finished;
    report->early = settled_ && finished;
    report->seconds = seconds;
    report->steps_per_second = (step_ - first_) / std::max(report->seconds, 1e-9);
    report->final_l1 = mean_l1_;
  }
  optimiser_.reset();  // it looks at the avatar
  Appearances& looks = avatar_.looks;
  looks.features.clear();  // what they made is in the residuals
  looks.colour.clear();
  looks.density.clear();
  return std::move(avatar_);
}

}  // namespace

GaussianAvatar train_gaussian_avatar(const Capture& capture, const GaussianTrainOptions& options,
                                     GaussianTrainReport* report) {
  check_options(options);
  require_trainable(capture, "train");
  Training training(capture, options);
  return training.run(report);
}

}  // namespace mien
