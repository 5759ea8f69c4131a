// The steps of field training on a GPU: what the CPU's optimiser does, with everything in device memory. The host sends
// which frames and waits only for the mean losses.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>

#include "cuda/check.h"
#include "field_avatar/cuda/field_pass.h"
#include "mien/base/error.h"
#include "training/cuda/field_frames.h"
#include "training/field_optimiser.h"

namespace mien {
namespace {

using namespace training_cuda;

constexpr int kAhead = 4;               // steps whose frames are read before they are needed
constexpr int kReport = 50;             // steps between two looks at the losses
constexpr std::int64_t kMarched = 400;  // samples a ray that there is room for at first,
constexpr std::int64_t kKept = 160;     // and of those that are kept
constexpr double kPictureShare = 0.4;   // of the GPU's free memory
constexpr AdamBetas kBetas = {0.9f, 0.99f, 1e-15f};

// A group in device memory.
struct DeviceGroup {
  CudaArray<float> parameters, first, second, gradients;
  CudaArray<unsigned long long> whole;  // gradients of the latents
  std::int64_t steps = 0;
  Moments moments() const { return {parameters.data(), first.data(), second.data()}; }
};

std::size_t picture_bytes() {
  std::size_t free = 0, total = 0;
  cuda_check(cudaMemGetInfo(&free, &total), "asking for free memory");
  return static_cast<std::size_t>(kPictureShare * static_cast<double>(free));
}

class CudaFieldOptimiser final : public FieldOptimiser {
 public:
  CudaFieldOptimiser(FieldAvatar& avatar, FieldState& state, const FieldTrainOptions& options,
                     const SampleReader& reader, const FieldPlan& plan);
  void step(const FieldJob& job) override;
  FieldLosses losses() override;
  int report_every() const override { return kReport; }
  std::vector<ParameterGroup>& groups() override { return groups_; }
  void store() override;
  void fetch() override;

 private:
  DeviceGroup* group(const char* name);
  DeviceFieldParameters parameters();
  DeviceFieldParameters gradients();

  FieldState& state_;
  const FieldTrainOptions& options_;
  const FieldPlan& plan_;
  FieldSettings settings_;
  OwnedCudaStream stream_;
  std::vector<ParameterGroup> groups_;
  std::vector<DeviceGroup> device_;  // as groups_
  CudaFieldPass pass_;
  CudaFieldFrames frames_;
  CudaOccupancy known_, everything_;
  Occupancy host_known_;
  CudaArray<FieldPicture> pictures_;
  CudaArray<std::int64_t> pixels_;
  CudaArray<float> rgb_, depth_, opacity_, d_rgb_, d_depth_, d_opacity_;
  CudaArray<FieldSums> sums_;
  int announced_ = 0, last_ = 0;
};

FieldPassOptions pass_options(const FieldTrainOptions& options) {
  const std::int64_t rays = options.rays / options.frames * std::int64_t{options.frames};
  return {
      .most_moments = options.frames, .rays = rays, .marched = rays * kMarched, .kept = rays * kKept, .learns = true};
}

FieldAvatar with_whole_reach(const FieldAvatar& avatar) {
  FieldAvatar out;
  out.head = avatar.head;
  out.settings = avatar.settings;
  out.appearances = avatar.appearances;
  out.reach.assign(avatar.reach.size(), avatar.settings.limit);
  return out;
}

CudaFieldOptimiser::CudaFieldOptimiser(FieldAvatar& avatar, FieldState& state, const FieldTrainOptions& options,
                                       const SampleReader& reader, const FieldPlan& plan)
    : state_(state),
      options_(options),
      plan_(plan),
      settings_(avatar.settings),
      groups_(field_groups(avatar, state, options)),
      device_(groups_.size()),
      pass_(with_whole_reach(avatar), pass_options(options), stream_),
      frames_(plan, reader, picture_bytes(), stream_),
      known_({.resolution = settings_.occupancy, .decay = kOccupancyDecay, .threshold = kOccupancyThreshold}),
      everything_({.resolution = settings_.occupancy}),
      host_known_({.resolution = settings_.occupancy, .decay = kOccupancyDecay, .threshold = kOccupancyThreshold}) {
  const auto rays = static_cast<std::size_t>(pass_options(options).rays);
  pictures_.resize(static_cast<std::size_t>(options.frames));
  pixels_.resize(rays);
  for (CudaArray<float>* array : {&rgb_, &d_rgb_}) array->resize(rays * 3);
  for (CudaArray<float>* array : {&depth_, &opacity_, &d_depth_, &d_opacity_}) array->resize(rays);
  sums_ = std::vector<FieldSums>(1);
  fetch();
}

DeviceGroup* CudaFieldOptimiser::group(const char* name) {
  for (std::size_t g = 0; g < groups_.size(); ++g)
    if (groups_[g].name == name) return &device_[g];
  return nullptr;
}

DeviceFieldParameters CudaFieldOptimiser::parameters() {
  const auto of = [this](const char* name) {
    const DeviceGroup* found = group(name);
    return found == nullptr ? nullptr : found->parameters.data();
  };
  return {of("table"), of("density"), of("offset"), of("colour"), of("latents")};
}

DeviceFieldParameters CudaFieldOptimiser::gradients() {
  const auto of = [this](const char* name) {
    const DeviceGroup* found = group(name);
    return found == nullptr ? nullptr : found->gradients.data();
  };
  return {of("table"), of("density"), of("offset"), of("colour"), nullptr};
}

void CudaFieldOptimiser::step(const FieldJob& job) {
  announced_ = std::max(announced_, job.step);
  for (; announced_ < std::min(options_.steps, job.step + kAhead); ++announced_)
    for (int slot = 0; slot < options_.frames; ++slot) frames_.announce(plan_.key(announced_, slot));
  const int rows = pass_.shape().has_latents ? pass_.shape().rows : 0;
  std::vector<FieldView> views;
  std::vector<FieldPicture> pictures;
  std::vector<float> conditions;
  for (int slot = 0; slot < options_.frames; ++slot) {
    const FieldDeviceFrame& frame = frames_.get(plan_.key(job.step, slot), job.step);
    views.push_back({frame.frame.camera, frame.posed, frame.low, frame.high, frame.frame.appearance * rows});
    pictures.push_back(frame.picture);
    conditions.insert(conditions.end(), frame.frame.condition.begin(), frame.frame.condition.end());
  }
  cuda_check(cudaMemcpyAsync(pictures_.data(), pictures.data(), pictures.size() * sizeof(FieldPicture),
                             cudaMemcpyHostToDevice, stream_),
             "copying a step");
  const int each = options_.rays / options_.frames;
  const std::int64_t rays = std::int64_t{each} * options_.frames;
  const std::uint32_t seed = plan_.seed(job.step);
  const FieldRayTable table = {rays, each, pictures_.data(), seed, pixels_.data()};
  choose_pixels(table, stream_);
  pass_.set_moments(views, conditions);
  pass_.aim(each, pixels_.data());
  const DeviceFieldParameters p = parameters();
  pass_.gather(job.everywhere ? everything_.view() : known_.view(),
               {.step = settings_.step, .explore = job.everywhere ? 0 : kExplore, .jitter = true, .seed = seed},
               p.latents);
  pass_.forward(p);
  pass_.composite(rgb_.data(), depth_.data(), opacity_.data());
  const auto n = static_cast<float>(rays);
  const DeviceGroup* exposure = group("exposure");
  const FieldLossJob loss = {table,
                             pass_.rays().surface,
                             pass_.rays().bare,
                             exposure == nullptr ? nullptr : exposure->parameters.data(),
                             exposure == nullptr ? nullptr : exposure->gradients.data(),
                             rgb_.data(),
                             depth_.data(),
                             opacity_.data(),
                             d_rgb_.data(),
                             d_depth_.data(),
                             d_opacity_.data(),
                             {options_.colour_weight / (3 * n), options_.depth_weight / n, options_.matte_weight / n},
                             pass_.kept().total};
  compare_rays(loss, sums_.data(), stream_);
  const DeviceGroup* latents = group("latents");
  pass_.backward(p, rgb_.data(), depth_.data(), opacity_.data(), d_rgb_.data(), d_depth_.data(), d_opacity_.data(),
                 gradients(), latents == nullptr ? nullptr : latents->whole.data());
  known_.update(pass_.kept().capacity, pass_.cells(), pass_.density(), stream_);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    DeviceGroup& array = device_[g];
    const double steps = static_cast<double>(++array.steps);
    const AdamRate rate = {
        static_cast<float>(rate_of(job.rates, groups_[g].name) / (1 - std::pow(double{kBetas.beta1}, steps))),
        static_cast<float>(1 / std::sqrt(1 - std::pow(double{kBetas.beta2}, steps)))};
    const auto count = static_cast<std::int64_t>(array.parameters.size());
    if (array.whole.size() > 0)
      update_array(array.moments(), array.whole.data(), field_cuda::kLatentUnit, count, rate, kBetas, sums_.data(),
                   stream_);
    else
      update_array(array.moments(), array.gradients.data(), count, rate, kBetas, sums_.data(), stream_);
  }
  cuda_check(cudaGetLastError(), "a step of field training");
  last_ = job.step;
}

FieldLosses CudaFieldOptimiser::losses() {
  pass_.had_room();
  cuda_synchronize(stream_);
  const FieldSums sums = sums_.host().front();
  cuda_check(cudaMemsetAsync(sums_.data(), 0, sizeof(FieldSums), stream_), "clearing the losses");
  const double n = std::max<double>(1, static_cast<double>(sums.steps));
  FieldLosses out;
  out.colour = sums.colour / n;
  out.depth = sums.depth / n;
  out.matte = sums.matte / n;
  out.samples = sums.samples / n;
  out.total =
      options_.colour_weight * out.colour + options_.depth_weight * out.depth + options_.matte_weight * out.matte;
  if (sums.spoilt != 0 || !std::isfinite(out.total)) {
    store();
    require_numbers(groups_, std::nan(""), last_);
  }
  return out;
}

void CudaFieldOptimiser::store() {
  cuda_synchronize(stream_);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    *groups_[g].parameters = device_[g].parameters.host();
    groups_[g].state.steps = device_[g].steps;
    if (device_[g].steps == 0) continue;
    groups_[g].state.first = device_[g].first.host();
    groups_[g].state.second = device_[g].second.host();
  }
  known_.download(host_known_);
  state_.occupancy.assign(host_known_.density().begin(), host_known_.density().end());
}

void CudaFieldOptimiser::fetch() {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const std::size_t size = groups_[g].parameters->size();
    const AdamState& state = groups_[g].state;
    const std::vector<float> zero(size, 0.0f);
    device_[g].parameters = *groups_[g].parameters;
    device_[g].first = state.first.empty() ? zero : state.first;
    device_[g].second = state.second.empty() ? zero : state.second;
    device_[g].gradients = zero;
    device_[g].steps = state.steps;
    if (groups_[g].name == "latents") device_[g].whole = std::vector<unsigned long long>(size, 0);
  }
  host_known_.restore(state_.occupancy);
  known_.upload(host_known_);
}

}  // namespace

std::unique_ptr<FieldOptimiser> make_field_cuda_optimiser(FieldAvatar& avatar, FieldState& state,
                                                          const FieldTrainOptions& options, const SampleReader& reader,
                                                          const FieldPlan& plan) {
  return std::make_unique<CudaFieldOptimiser>(avatar, state, options, reader, plan);
}

}  // namespace mien
