#include "mien/training/field_trainer.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

#include "early_stop.h"
#include "field_checkpoint.h"
#include "field_optimiser.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/hash.h"
#include "mien/capture/fitness.h"
#include "mien/field_avatar/renderer.h"
#include "training_log.h"

namespace mien {
namespace {

constexpr int kMostWarmUp = 256;        // steps in which all of canonical space is asked
constexpr double kWarmUpShare = 0.05;   // of all steps
constexpr int kCheckpointEvery = 1000;  // steps; a GPU takes so many more between checkpoints and previews:
constexpr int kPreviewEvery = 500;
constexpr int kCudaPace = 10;
constexpr float kFinalRate = 0.05f;  // of the rates at the end
constexpr float kExposureRate = 1e-3f;
constexpr int kSettleFrames = 120;  // that say in the end what is empty,
constexpr int kPreviewFrames = 40;  // and for a picture on the way
constexpr int kPreviewSize = 256;   // pixels, at most

std::uint64_t fingerprint(const Capture& capture, const FieldTrainOptions& o) {
  std::string text = capture.person + capture.head_model;
  const auto hash = [&](const std::string& file) {
    text += fmt::format("{:x};", fnv1a(read_file(path_inside(capture.folder, file, file))));
  };
  hash(capture.head_model);
  for (const CaptureSequence& s : capture.sequences) {
    text += fmt::format("{}:{}:{}:{}:{};", s.id, s.appearance, s.split, s.frames, s.views.size());
    if (!s.motion.empty()) hash(s.motion);
  }
  const FieldSettings& f = o.field;
  text += fmt::format(":{}:{}:{}:{}:{}:{}", f.grid.levels, f.grid.features, f.grid.log2_table, f.grid.coarsest,
                      f.grid.finest, f.occupancy);
  text += fmt::format(":{}:{}:{}:{}", static_cast<int>(f.latents), f.density_offset, f.limit, f.step);
  text += fmt::format(":{}:{}:{}:{}:{}:{}", o.steps, o.rays, o.frames, o.colour_weight, o.depth_weight, o.matte_weight);
  text += fmt::format(":{}:{}:{}:{}:{}:{}:{}:{}", o.hold_out, o.open_mouth_bias, o.mouth_weight, o.exposure, o.rate,
                      o.rate_table, o.rate_offset, o.seed);
  return fnv1a(text);
}

void check_options(const FieldTrainOptions& o) {
  const auto refuse = [](const std::string& what, const char* mend) {
    throw Error(ErrorCode::kBadArgument, "field training: " + what, mend);
  };
  if (o.steps < 1) refuse(fmt::format("{} steps", o.steps), "use at least 1");
  if (o.frames < 1 || o.frames > 64) refuse(fmt::format("{} frames a step", o.frames), "use 1 to 64");
  if (o.rays < o.frames || o.rays > (1 << 20)) refuse(fmt::format("{} rays a step", o.rays), "use 1 a frame to 2^20");
}

// At most kPreviewSize a side.
Camera smaller(Camera camera) {
  const float scale =
      std::min(1.0f, static_cast<float>(kPreviewSize) / static_cast<float>(std::max(camera.width, camera.height)));
  camera.width = std::max(1, static_cast<int>(std::lround(static_cast<float>(camera.width) * scale)));
  camera.height = std::max(1, static_cast<int>(std::lround(static_cast<float>(camera.height) * scale)));
  for (float* value : {&camera.fx, &camera.fy, &camera.cx, &camera.cy}) *value *= scale;
  return camera;
}

// A few frames of all appearances, truth above render; none when `goes_on` says so on the way.
void write_preview(const std::filesystem::path& path, const FieldAvatar& avatar, const FieldPlan& plan,
                   const SampleReader& reader, const std::function<bool()>& goes_on) {
  FieldRenderer renderer(avatar, Device::kCpu);
  std::vector<Image8> truth, drawn;
  const auto& keys = reader.keys();
  for (int i = 0; i < 4; ++i) {
    if (!goes_on()) return;
    // The golden ratio: even steps would meet the same view of sequences that are equally long.
    const double place = std::fmod(0.5 + 0.6180339887 * i, 1.0);
    const TrainingSample sample = reader.read(keys[static_cast<std::size_t>(place * static_cast<double>(keys.size()))]);
    const Camera camera = smaller(sample.camera);
    ImageF shown(sample.camera.width, sample.camera.height, 3), image(camera.width, camera.height, 3);
    shown.pixels = sample.rgb;
    std::vector<float> alpha(static_cast<std::size_t>(camera.width) * camera.height);
    std::vector<float> worn(plan.appearances().size(), 0.0f);
    worn[static_cast<std::size_t>(plan.appearance(sample.key))] = 1;
    renderer.wear(worn);
    renderer.render(*sample.motion, camera, image.pixels.data(), alpha.data());
    truth.push_back(resize_image(to_8bit(shown), camera.width, camera.height));
    drawn.push_back(to_8bit(image));
  }
  truth.insert(truth.end(), drawn.begin(), drawn.end());
  write_image(path, tile_images(truth, 4));
}

// One training: the avatar, who moves it, and where it stands.
class Training {
 public:
  Training(const Capture& capture, const FieldTrainOptions& options)
      : options_(options),
        cuda_(use_cuda(options.device)),
        reader_(capture, "train", options.cache_bytes, nullptr, options.hold_out),
        mark_(fingerprint(capture, options)),
        avatar_(make_field_avatar(capture.load_head_model(), options.field,
                                  static_cast<int>(appearance_names(capture).size()), options.seed)),
        plan_(reader_, avatar_.head, options) {
    state_.exposure.assign(options.exposure ? capture.sequences.size() * 6 : 0, 0.0f);
    for (std::size_t i = 0; i < state_.exposure.size(); ++i) state_.exposure[i] = i % 6 < 3 ? 1.0f : 0.0f;
    const int r = options.field.occupancy;
    state_.occupancy.assign(static_cast<std::size_t>(r) * r * r, 0.0f);
    optimiser_ = cuda_ ? make_field_cuda_optimiser(avatar_, state_, options, reader_, plan_)
                       : make_field_cpu_optimiser(avatar_, state_, options, reader_, plan_);
    if (options.checkpoint.empty()) return;
    first_ = load_field_checkpoint(options.checkpoint, optimiser_->groups(), state_, mark_);
    if (first_ > 0) optimiser_->fetch();
  }

  FieldAvatar run(FieldTrainReport* report);

 private:
  FieldJob job_at(int step) const;
  bool goes_on();
  void show(int frames);
  void save();

  const FieldTrainOptions& options_;
  bool cuda_;
  SampleReader reader_;
  std::uint64_t mark_;
  FieldAvatar avatar_;
  FieldPlan plan_;
  FieldState state_;
  std::unique_ptr<FieldOptimiser> optimiser_;
  int first_ = 0, step_ = 0;
  double mean_colour_ = 0;
  bool stopped_ = false;
};

FieldJob Training::job_at(int step) const {
  const double progress = static_cast<double>(step) / options_.steps;
  const auto fall = static_cast<float>(std::pow(kFinalRate, progress));
  FieldJob job;
  job.step = step;
  job.everywhere = step < std::clamp(static_cast<int>(options_.steps * kWarmUpShare), 1, kMostWarmUp);
  job.rates = {options_.rate * fall, options_.rate_table * fall, options_.rate_offset * fall, kExposureRate * fall};
  return job;
}

bool Training::goes_on() {
  const double psnr = -10 * std::log10(std::max(mean_colour_, 1e-9));
  stopped_ =
      stopped_ || (options_.progress && !options_.progress(step_, options_.steps, fmt::format("{:.1f} dB", psnr)));
  return !stopped_;
}

void Training::show(int frames) {
  const auto poll = [this] { return goes_on(); };
  optimiser_->store();
  if (!settle_field(avatar_, state_, plan_, reader_, frames, poll) || options_.preview.empty()) return;
  write_preview(options_.preview, avatar_, plan_, reader_, poll);
}

void Training::save() {
  if (options_.checkpoint.empty()) return;
  optimiser_->store();
  save_field_checkpoint(options_.checkpoint, optimiser_->groups(), state_, step_, mark_);
}

FieldAvatar Training::run(FieldTrainReport* report) {
  const int pace = cuda_ ? kCudaPace : 1;
  const auto start = std::chrono::steady_clock::now();
  TrainingLog log(options_.log, first_ > 0);
  EarlyStop enough(options_.patience);  // a run that is resumed begins to count anew
  bool settled = false;
  int reported = step_ = first_;
  while (step_ < options_.steps && !stopped_ && !settled) {
    optimiser_->step(job_at(step_));
    const int last = step_++;
    if (step_ % optimiser_->report_every() == 0 || step_ == options_.steps) {
      const FieldLosses loss = optimiser_->losses();
      const int steps = step_ - reported;
      log.add(last, steps, "field",
              {{"colour", loss.colour},
               {"depth", loss.depth},
               {"matte", loss.matte},
               {"loss", loss.total},
               {"samples", loss.samples}});
      const double keep = reported == first_ ? 0 : std::pow(0.98, steps);
      mean_colour_ = keep * mean_colour_ + (1 - keep) * loss.colour;
      settled = enough.add(step_, steps, loss.colour);
      reported = step_;
      goes_on();
    }
    if (last > 0 && last % (kCheckpointEvery * pace) == 0) save();
    if (!options_.preview.empty() && last > 0 && last % (kPreviewEvery * pace) == 0) show(kPreviewFrames);
  }
  save();
  if (!stopped_) show(kSettleFrames);
  require_numbers(optimiser_->groups(), mean_colour_, step_);
  if (report != nullptr) {
    report->cuda = cuda_;
    report->steps = step_;
    report->finished = (step_ == options_.steps || settled) && !stopped_;
    report->early = settled && report->finished;
    report->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report->steps_per_second = (step_ - first_) / std::max(report->seconds, 1e-9);
    report->final_colour = mean_colour_;
    std::int64_t bits = 0;
    for (const std::uint32_t word : avatar_.occupied) bits += std::popcount(word);
    report->occupied = static_cast<double>(bits) / static_cast<double>(state_.occupancy.size());
  }
  optimiser_.reset();  // it looks at the avatar
  return std::move(avatar_);
}

}  // namespace

FieldAvatar train_field_avatar(const Capture& capture, const FieldTrainOptions& options, FieldTrainReport* report) {
  check_options(options);
  require_trainable(capture, "train");
  Training training(capture, options);
  return training.run(report);
}

}  // namespace mien
