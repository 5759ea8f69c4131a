#include "mien/training/gaussian_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

#include "checkpoint.h"
#include "gaussian_step.h"
#include "mien/base/error.h"
#include "mien/base/random.h"
#include "training_samples.h"

namespace mien {
namespace {

constexpr int kShWarmUp = 400;          // steps per SH degree
constexpr int kCheckpointEvery = 1000;  // steps
constexpr int kPreviewEvery = 500;
constexpr int kReadAhead = 3;
constexpr float kFinalRate = 0.05f;  // of the position rate at the end

// FNV-1a over what a checkpoint must agree with.
std::uint64_t fingerprint(const Capture& capture, const GaussianTrainOptions& options) {
  std::string text = capture.person + capture.head_model;
  for (const auto& sequence : capture.sequences)
    text += fmt::format("{}:{}:{};", sequence.id, sequence.frames, sequence.views.size());
  text += fmt::format("{}:{}:{}:{}:{}", options.seed, options.canonical_steps, options.dynamic_steps,
                      options.initialise.surface_count, options.initialise.volume_count);
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
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

GaussianAvatar start_avatar(const SampleReader& reader, const std::vector<SampleKey>& keys,
                            const GaussianTrainOptions& options) {
  InitialiseOptions initialise = options.initialise;
  initialise.seed = options.seed;
  return initialise_avatar(reader.capture().load_head_model(), reader.motion(keys.front()),
                           canonical_views(reader, keys), initialise);
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
    renderer.render(*sample.motion, sample.camera, SplatOptions{}, rgb.data(), alpha.data());
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
          options.rate_opacity * gentle, options.rate_sh * gentle,    options.rate_sh * gentle / 20};
}

}  // namespace

GaussianAvatar train_gaussian_avatar(const Capture& capture, const GaussianTrainOptions& options,
                                     GaussianTrainReport* report) {
  const SampleReader reader(capture, "train", options.cache_bytes);
  const std::vector<SampleKey> canonical = canonical_keys(reader);
  const std::uint64_t mark = fingerprint(capture, options);
  GaussianAvatar avatar;
  int first = 0;
  if (!options.checkpoint.empty()) {
    avatar.head = capture.load_head_model();
    first = load_checkpoint(options.checkpoint, avatar, mark);
  }
  if (first == 0) avatar = start_avatar(reader, canonical, options);
  GaussianOptimiser optimiser(avatar, options);
  if (first > 0) load_optimiser_state(options.checkpoint, optimiser.groups());

  const int total = options.canonical_steps + options.dynamic_steps;
  // Each step draws its picture from a generator of its own, so that resuming needs no generator state.
  const auto key_at = [&](int step) {
    Random random(options.seed * 1000003 + static_cast<std::uint64_t>(step), 3);
    const auto& keys = step < options.canonical_steps ? canonical : reader.keys();
    return keys[random.below(static_cast<std::uint32_t>(keys.size()))];
  };
  const auto save = [&](int step) {
    optimiser.store();
    if (!options.checkpoint.empty()) save_checkpoint(options.checkpoint, avatar, optimiser.groups(), step, mark);
    if (!options.preview.empty()) write_preview(options.preview, avatar, reader);
  };
  std::deque<std::future<TrainingSample>> ahead;
  int requested = first;
  const auto start = std::chrono::steady_clock::now();
  double mean_l1 = 0;
  int step = first;
  bool stopped = false;
  for (; step < total && !stopped; ++step) {
    while (requested < total && static_cast<int>(ahead.size()) < kReadAhead)
      ahead.push_back(reader.read_ahead(key_at(requested++)));
    const TrainingSample sample = ahead.front().get();
    ahead.pop_front();
    Random random(options.seed * 7919 + static_cast<std::uint64_t>(step), 5);
    const float grey = step % 3 == 0 ? 0.0f : random.uniform();
    const float background[3] = {grey, step % 3 == 2 ? random.uniform() : grey, grey};
    const double progress = static_cast<double>(step) / total;
    const int degree = std::min(3, step / kShWarmUp);
    const ImageLossValue loss = optimiser.step(sample, background, degree, rates_at(options, progress));
    mean_l1 = step == first ? loss.l1 : 0.98 * mean_l1 + 0.02 * loss.l1;
    if (!options.preview.empty() && step > 0 && step % kPreviewEvery == 0) {
      optimiser.store();
      write_preview(options.preview, avatar, reader);
    }
    if (!options.checkpoint.empty() && step > 0 && step % kCheckpointEvery == 0) save(step + 1);
    if (options.progress && !options.progress(step + 1, total, fmt::format("L1 {:.4f}", mean_l1))) stopped = true;
  }
  save(step);
  if (step == total && !stopped) {
    prune_floaters(avatar, reader.motion(canonical.front()), canonical_views(reader, canonical));
    prune_unseen(avatar, capture);
  }
  if (report != nullptr) {
    report->steps = step;
    report->finished = step == total && !stopped;
    report->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report->steps_per_second = (step - first) / std::max(report->seconds, 1e-9);
    report->final_l1 = mean_l1;
  }
  return avatar;
}

}  // namespace mien
