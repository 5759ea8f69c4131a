#include "training_plan.h"

#include <cmath>
#include <string>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/hash.h"
#include "mien/capture/split.h"

namespace mien {
namespace {

constexpr int kGrowthRounds = 8;      // in which the number of Gaussians grows
constexpr double kGrowthShare = 0.5;  // of the moving stage, in which they lie
constexpr float kFinalRate = 0.05f;   // of the position rate at the end

std::string file_hash(const Capture& capture, const std::string& file) {
  return fmt::format("{:x};", fnv1a(read_file(path_inside(capture.folder, file, file))));
}

}  // namespace

std::uint64_t training_fingerprint(const Capture& capture, const GaussianTrainOptions& options) {
  std::string text = capture.person + capture.head_model;
  for (const auto& sequence : capture.sequences)
    text += fmt::format("{}:{}:{};", sequence.id, sequence.frames, sequence.views.size());
  // Two takes of the same sentences look alike but for how the face moves.
  if (!capture.head_model.empty()) text += file_hash(capture, capture.head_model);
  for (const auto& sequence : capture.sequences)
    if (!sequence.motion.empty()) text += file_hash(capture, sequence.motion);
  text += fmt::format("{}:{}:{}:{}:{}", options.seed, options.canonical_steps, options.dynamic_steps,
                      options.initialise.surface_count, options.initialise.volume_count);
  text += fmt::format(":{}:{}:{}:{}", options.initialise.colour_modes, options.mouth_weight, options.eye_weight,
                      options.open_mouth_bias);
  const ImageLossOptions plain;
  if (options.loss.l1 != plain.l1 || options.loss.ssim != plain.ssim || options.loss.matte != plain.matte)
    text += fmt::format(":loss:{}:{}:{}", options.loss.l1, options.loss.ssim, options.loss.matte);
  text += fmt::format(":filter:{}", options.pixel_filter);
  if (const auto names = appearance_names(capture); names.size() > 1)
    text += fmt::format(":looks:{}:{}:{}:{}:{}", fmt::join(names, ","), static_cast<int>(options.appearance.features),
                        options.appearance.density_offset, options.rate_looks, options.rate_look_networks);
  if (options.hold_out > 0) text += fmt::format(":held:{}", options.hold_out);
  if (options.grow_to > 0) text += fmt::format(":grow:{}", options.grow_to);
  if (options.networks) {
    const G2aOptions& g = options.g2anet;
    text += fmt::format(":g2a:{}:{}:{}:{}:{}:{}", g.width, g.frequencies, g.feature_net, g.emotion, g.dynamic_opacity,
                        options.rate_g2anet);
    if (options.sound != nullptr) text += ":hears:" + options.sound->name();
  }
  if (const int pictures = options.batch * options.ranks.size; pictures != 1)
    text += fmt::format(":pictures:{}", pictures);
  return fnv1a(text);
}

StepRates rates_at(const GaussianTrainOptions& options, double progress) {
  const auto fall = static_cast<float>(std::pow(kFinalRate, progress));
  const float gentle = std::sqrt(fall);  // colour and shape keep learning a little longer
  return {options.rate_means * fall,          options.rate_quats * gentle,  options.rate_scales * gentle,
          options.rate_opacity * gentle,      options.rate_sh * gentle,     options.rate_sh * gentle / 20,
          options.rate_modes * gentle,        options.rate_g2anet * gentle, options.rate_looks * gentle,
          options.rate_look_networks * gentle};
}

int growth_before(int step, int count, const GaussianTrainOptions& options) {
  const int length = static_cast<int>(options.dynamic_steps * kGrowthShare) / kGrowthRounds;
  const int since = step - options.canonical_steps;
  if (count >= options.grow_to || length == 0 || since <= 0 || since % length != 0) return 0;
  const int round = since / length;
  return round > kGrowthRounds ? 0 : (options.grow_to - count) / (kGrowthRounds + 1 - round);
}

}  // namespace mien
