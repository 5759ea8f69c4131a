// The CPU's optimiser of field avatars, the oracle.
#include <algorithm>
#include <array>
#include <cmath>
#include <future>

#include "field_avatar/moment.h"
#include "field_loss.h"
#include "field_optimiser.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/field/composite.h"

namespace mien {
namespace {

constexpr AdamOptions kAdam = {.beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-15f};

class CpuFieldOptimiser final : public FieldOptimiser {
 public:
  CpuFieldOptimiser(FieldAvatar& avatar, FieldState& state, const FieldTrainOptions& options,
                    const SampleReader& reader, const FieldPlan& plan)
      : avatar_(avatar),
        state_(state),
        options_(options),
        reader_(reader),
        plan_(plan),
        canonical_(avatar.head),
        moment_(canonical_, avatar.settings.limit),
        network_(field_shape(avatar)),
        reach_(canonical_.faces().size(), avatar.settings.limit),
        known_({.resolution = avatar.settings.occupancy, .decay = kOccupancyDecay, .threshold = kOccupancyThreshold}),
        everything_({.resolution = avatar.settings.occupancy}),
        groups_(field_groups(avatar, state, options)),
        d_exposure_(state.exposure.size(), 0.0f) {
    const FieldParameters<float>& p = avatar.parameters;
    gradients_.table.assign(p.table.size(), 0.0f);
    gradients_.density.assign(p.density.size(), 0.0f);
    gradients_.offset.assign(p.offset.size(), 0.0f);
    gradients_.colour.assign(p.colour.size(), 0.0f);
    gradients_.latents.assign(p.latents.size(), 0.0f);
  }

  void step(const FieldJob& job) override;
  FieldLosses losses() override {
    const double n = std::max(1, std::exchange(steps_, 0));
    FieldLosses sum = std::exchange(sum_, {});
    sum.total /= n;
    sum.colour /= n;
    sum.depth /= n;
    sum.matte /= n;
    sum.samples /= n;
    if (!std::isfinite(sum.total)) require_numbers(groups_, sum.total, last_);
    return sum;
  }
  int report_every() const override { return 1; }
  std::vector<ParameterGroup>& groups() override { return groups_; }
  void store() override { state_.occupancy.assign(known_.density().begin(), known_.density().end()); }
  void fetch() override { known_.restore(state_.occupancy); }

 private:
  struct Picture {
    FieldFrame frame;
    std::shared_ptr<const CaptureFrame> shown;
  };
  Picture read(int step, int slot) const {
    FieldFrame frame = plan_.frame(plan_.key(step, slot));
    auto shown = reader_.picture(frame.key);
    return {std::move(frame), std::move(shown)};
  }
  void announce(int step) {
    if (step >= options_.steps) return;
    coming_step_ = step;
    coming_.clear();
    for (int slot = 0; slot < options_.frames; ++slot)
      coming_.push_back(std::async(std::launch::async, [this, step, slot] { return read(step, slot); }));
  }
  std::vector<float>& gradients_of(const std::string& group) {
    if (group == "table") return gradients_.table;
    if (group == "density") return gradients_.density;
    if (group == "offset") return gradients_.offset;
    if (group == "colour") return gradients_.colour;
    return group == "latents" ? gradients_.latents : d_exposure_;
  }
  void look(const Picture& picture, int slot, const FieldJob& job);
  void differentiate();

  FieldAvatar& avatar_;
  FieldState& state_;
  const FieldTrainOptions& options_;
  const SampleReader& reader_;
  const FieldPlan& plan_;
  CanonicalHead canonical_;
  FieldMoment moment_;
  FieldNetwork<float> network_;
  std::vector<float> reach_;
  Occupancy known_, everything_;
  std::vector<ParameterGroup> groups_;
  FieldParameters<float> gradients_;  // Adam leaves them at zero
  std::vector<float> d_exposure_;
  int coming_step_ = -1;
  std::vector<std::future<Picture>> coming_;
  GatheredSamples samples_;
  std::vector<FieldTarget> targets_;  // [R]
  std::vector<int> sequence_;         // [R]
  std::vector<float> density_, colour_, d_density_, d_colour_;
  FieldLosses sum_;
  int steps_ = 0, last_ = 0;
};

// Adds a frame's rays: their samples and what they should see.
void CpuFieldOptimiser::look(const Picture& picture, int slot, const FieldJob& job) {
  const FieldFrame& frame = picture.frame;
  const std::uint32_t seed = plan_.seed(job.step);
  const int rays = options_.rays / options_.frames, first = slot * rays;
  std::vector<std::int64_t> pixels;
  for (int r = 0; r < rays; ++r)
    pixels.push_back(choose_pixel(frame.choice, frame.camera.width, seed, static_cast<std::uint32_t>(first + r)));
  moment_.update(frame.posed, reach_);
  FieldRays aimed;
  moment_.aim(frame.camera, pixels, aimed);
  const FieldShape& shape = network_.shape();
  GatherOptions gather;
  gather.step = avatar_.settings.step;
  gather.limit = avatar_.settings.limit;
  gather.explore = job.everywhere ? 0 : kExplore;
  gather.jitter = true;
  gather.seed = seed + static_cast<std::uint32_t>(slot) * 7919u;
  gather.group = slot;
  gather.first_row = shape.has_latents ? frame.appearance * shape.rows : 0;
  gather.rows_are_vertices = shape.rows > 1;
  moment_.gather(aimed, reach_, job.everywhere ? everything_.view() : known_.view(), gather, samples_);
  samples_.seen.condition.insert(samples_.seen.condition.end(), frame.condition.begin(), frame.condition.end());
  const std::array<float, 3>& behind = reader_.background(frame.key);
  for (int r = 0; r < rays; ++r) {
    const auto at = static_cast<std::size_t>(pixels[r]);
    FieldTarget target = {};
    target.matte = static_cast<float>(picture.shown->matte.pixels[at]) / 255.0f;
    for (int c = 0; c < 3; ++c) {
      const float stored = static_cast<float>(picture.shown->rgb.pixels[at * 3 + c]) / 255.0f;
      target.rgb[c] = target.matte == 0 ? 0.0f : std::max(0.0f, stored - (1 - target.matte) * behind[c]);
      target.background[c] = field_uniform(seed, static_cast<std::uint32_t>(first + r), 3u + c);
    }
    target.depth = aimed.bare[r] != 0 && target.matte > 0.5f ? aimed.surface[r] : -1;
    targets_.push_back(target);
    sequence_.push_back(frame.key.sequence);
  }
}

void CpuFieldOptimiser::differentiate() {
  const auto rays = static_cast<std::int64_t>(targets_.size());
  network_.forward(avatar_.parameters, samples_.seen, density_, colour_);
  std::vector<float> rgb(targets_.size() * 3), opacity(targets_.size()), depth(targets_.size());
  const CompositeInput<float> input = {rays,
                                       samples_.rays.first.data(),
                                       samples_.rays.count.data(),
                                       samples_.rays.t.data(),
                                       samples_.rays.dt.data(),
                                       density_.data(),
                                       colour_.data()};
  const CompositeOutput<float> output = {rgb.data(), depth.data(), opacity.data(), nullptr};
  composite_rays(input, output);
  const auto n = static_cast<float>(rays);
  const FieldLossWeights weights = {options_.colour_weight / (3 * n), options_.depth_weight / n,
                                    options_.matte_weight / n};
  std::vector<float> d_rgb(rgb.size()), d_opacity(opacity.size()), d_depth(depth.size());
  FieldLosses mean;
  for (std::size_t r = 0; r < targets_.size(); ++r) {
    const FieldSeen<float> seen = {{rgb[r * 3], rgb[r * 3 + 1], rgb[r * 3 + 2]}, opacity[r], depth[r]};
    FieldSeen<float> d_seen;
    float d_exposure[6];
    const float* exposure = options_.exposure ? &state_.exposure[static_cast<std::size_t>(sequence_[r]) * 6] : nullptr;
    const FieldLossParts<float> parts = field_loss(weights, targets_[r], exposure, seen, d_seen, d_exposure);
    if (options_.exposure) {
      for (int k = 0; k < 6; ++k) d_exposure_[static_cast<std::size_t>(sequence_[r]) * 6 + k] += d_exposure[k];
    }
    std::copy_n(d_seen.rgb, 3, &d_rgb[r * 3]);
    d_opacity[r] = d_seen.opacity;
    d_depth[r] = d_seen.depth;
    mean.colour += parts.colour / n;
    mean.depth += parts.depth / n;
    mean.matte += parts.matte / n;
  }
  d_density_.resize(density_.size());
  d_colour_.resize(colour_.size());
  composite_backward<float>(
      input, output, {d_rgb.data(), d_depth.data(), d_opacity.data(), nullptr, d_density_.data(), d_colour_.data()});
  network_.backward(avatar_.parameters, samples_.seen, density_, colour_, d_density_, d_colour_, gradients_);
  sum_.colour += mean.colour;
  sum_.depth += mean.depth;
  sum_.matte += mean.matte;
  sum_.samples += static_cast<double>(samples_.seen.count) / n;
  sum_.total +=
      options_.colour_weight * mean.colour + options_.depth_weight * mean.depth + options_.matte_weight * mean.matte;
}

void CpuFieldOptimiser::step(const FieldJob& job) {
  if (coming_step_ != job.step) announce(job.step);
  std::vector<Picture> pictures;
  for (std::future<Picture>& picture : coming_) pictures.push_back(picture.get());
  announce(job.step + 1);
  samples_.clear();
  samples_.seen.condition.clear();
  samples_.seen.groups = options_.frames;
  targets_.clear();
  sequence_.clear();
  for (int slot = 0; slot < options_.frames; ++slot) look(pictures[static_cast<std::size_t>(slot)], slot, job);
  differentiate();
  known_.update(samples_.seen.count, samples_.cell.data(), density_.data());
  for (ParameterGroup& group : groups_)
    adam_step(*group.parameters, gradients_of(group.name), group.state, rate_of(job.rates, group.name), kAdam);
  last_ = job.step;
  ++steps_;
}

}  // namespace

std::unique_ptr<FieldOptimiser> make_field_cpu_optimiser(FieldAvatar& avatar, FieldState& state,
                                                         const FieldTrainOptions& options, const SampleReader& reader,
                                                         const FieldPlan& plan) {
  return std::make_unique<CpuFieldOptimiser>(avatar, state, options, reader, plan);
}

}  // namespace mien
