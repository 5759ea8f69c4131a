// The optimiser on an NVIDIA GPU: the step of GaussianOptimiser with everything that it needs in GPU memory. The host
// only enqueues; it waits when losses are asked for, and when parameters are stored.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "cuda/check.h"
#include "gaussian_avatar/cuda/device_networks.h"
#include "mien/base/error.h"
#include "mien/gaussian_avatar/cuda.h"
#include "mien/splat/cuda.h"
#include "training/avatar_optimiser.h"
#include "training/cuda/frame_store.h"
#include "training/cuda/kernels.h"
#include "training/limits.h"

namespace mien {
namespace {

using training_cuda::AdamRate;
using training_cuda::Moments;

constexpr int kAhead = 64;           // pictures that are read ahead
constexpr int kReportEvery = 50;     // steps
constexpr double kFrameShare = 0.5;  // of the free GPU memory, for pictures
constexpr int kFirstPairs = 24;      // tile list entries a Gaussian that there is room for at first
constexpr int kShWidth = kShCoefficients * 3;
enum GroupIndex { kMeans, kQuats, kScales, kOpacity, kShBase, kShRest, kModes, kNetworks };  // and then

// A parameter array with its moments on the device.
struct DeviceArray {
  CudaArray<float> parameters, first, second;
  Moments moments() const { return {parameters.data(), first.data(), second.data()}; }
  void take(const std::vector<float>& values, const AdamState& state) {
    parameters.resize(values.size(), "Gaussians that learn");
    parameters = values;
    first = state.first.empty() ? std::vector<float>(values.size(), 0.0f) : state.first;
    second = state.second.empty() ? std::vector<float>(values.size(), 0.0f) : state.second;
  }
  void give(std::vector<float>& values, AdamState& state) const {
    values = parameters.host();
    if (state.steps == 0) return;
    state.first = first.host();
    state.second = second.host();
  }
};

// Base and rest of spherical harmonics, one row a Gaussian, from and to the arrays of two groups.
std::vector<float> join_rows(const std::vector<float>& base, const std::vector<float>& rest, std::size_t rows) {
  std::vector<float> out(rows * kShWidth, 0.0f);
  for (std::size_t i = 0; i < rows; ++i) {
    if (!base.empty()) std::copy_n(&base[i * 3], 3, &out[i * kShWidth]);
    if (!rest.empty()) std::copy_n(&rest[i * (kShWidth - 3)], kShWidth - 3, &out[i * kShWidth + 3]);
  }
  return out;
}
void split_rows(const std::vector<float>& rows, std::vector<float>& base, std::vector<float>& rest) {
  const std::size_t count = rows.size() / kShWidth;
  base.resize(count * 3);
  rest.resize(count * (kShWidth - 3));
  for (std::size_t i = 0; i < count; ++i) {
    std::copy_n(&rows[i * kShWidth], 3, &base[i * 3]);
    std::copy_n(&rows[i * kShWidth + 3], kShWidth - 3, &rest[i * (kShWidth - 3)]);
  }
}

std::size_t memory_for_frames() {
  std::size_t free = 0, total = 0;
  cuda_check(cudaMemGetInfo(&free, &total), "free GPU memory");
  return static_cast<std::size_t>(static_cast<double>(free) * kFrameShare);
}

class CudaOptimiser final : public AvatarOptimiser {
 public:
  CudaOptimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options, const SampleReader& reader);

  void announce(const SampleKey& key) override { frames_.announce(key); }
  int ahead() const override { return std::min(kAhead, std::max(1, frames_.most_frames() - 2)); }
  void step(const StepJob& job) override;
  ImageLossValue losses() override;
  int report_every() const override { return kReportEvery; }
  std::vector<ParameterGroup>& groups() override { return groups_; }
  void use_networks(bool on) override { networks_on_ = on; }
  void store() override;
  void fetch() override;

 private:
  void make_room(const Camera& camera, std::int64_t pairs);
  void fetch_networks();
  void store_networks();
  SplatInput input(int sh_degree) const;
  avatar_cuda::NetworkGaussians network_gaussians() const;
  void add_looks(const DeviceFrame& frame);
  training_cuda::PhotometricJob compare(const DeviceFrame& frame, const StepJob& job) const;
  void update(const DeviceFrame& frame, const StepJob& job);
  training_cuda::GaussianArrays gaussian_arrays() const;
  training_cuda::ShArrays sh_arrays() const;
  training_cuda::ModeArrays mode_arrays(const float* activations) const;
  AdamRate advance(std::size_t group, float rate);

  GaussianAvatar& avatar_;
  const GaussianTrainOptions& options_;
  OwnedCudaStream stream_;
  CudaFrameStore frames_;
  CudaSplatRasterizer rasterizer_;
  std::unique_ptr<CudaAvatarPose> pose_;
  std::vector<ParameterGroup> groups_;
  std::vector<float> sh_base_, sh_rest_;  // what the groups show, filled by store()

  int count_ = 0;
  DeviceArray means_, quats_, log_scales_, opacity_logits_, sh_, modes_;
  CudaArray<float> homes_, posed_means_, deformation_, scales_, opacities_, shown_;
  CudaArray<float> d_means_, d_quats_, d_scales_, d_opacities_, d_sh_;
  CudaArray<std::int32_t> mode_gaussian_;
  CudaArray<std::uint8_t> mode_inner_;
  int inner_mode_ = -1;
  std::unique_ptr<DeviceNetworks> networks_;
  bool networks_on_ = true;
  bool spoken_of_ = false;                         // whether the networks had their say in the last step
  DeviceArray weights_;                            // all of the networks', as join_weights()
  CudaArray<float> turned_, shifted_, d_weights_;  // quaternions and means as drawn, where networks change them
  CudaArray<float> rgb_, alpha_, d_rgb_, d_alpha_, slopes_, partial_;
  std::size_t pixels_ = 0;
  CudaArray<training_cuda::Losses> losses_;
};

CudaOptimiser::CudaOptimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options, const SampleReader& reader)
    : avatar_(avatar),
      options_(options),
      frames_(avatar, options, reader, memory_for_frames(), stream_),
      losses_(std::vector<training_cuda::Losses>(1)) {
  Gaussians& g = avatar_.gaussians;
  groups_ = {{"means", &g.means, {}, {}},
             {"quats", &g.quats, {}, {}},
             {"log_scales", &g.log_scales, {}, {}},
             {"opacity_logits", &g.opacity_logits, {}, {}},
             {"sh_base", &sh_base_, {}, {}},
             {"sh_rest", &sh_rest_, {}, {}},
             {"modes", &avatar_.modes.colour, {}, {}}};
  if (!avatar_.g2anet.empty()) {
    for (auto* stack : {&avatar_.g2anet.feature, &avatar_.g2anet.rotation}) {
      for (G2aLayer& layer : *stack) {
        groups_.push_back({"g2anet." + layer.name + ".weight", &layer.weight, {}, {}});
        groups_.push_back({"g2anet." + layer.name + ".bias", &layer.bias, {}, {}});
      }
    }
  }
  split_rows(g.sh, sh_base_, sh_rest_);
  fetch();
}

void CudaOptimiser::fetch() {
  cuda_synchronize(stream_);
  const Gaussians& g = avatar_.gaussians;
  count_ = g.count();
  const auto n = static_cast<std::size_t>(count_);
  means_.take(g.means, groups_[kMeans].state);
  quats_.take(g.quats, groups_[kQuats].state);
  log_scales_.take(g.log_scales, groups_[kScales].state);
  opacity_logits_.take(g.opacity_logits, groups_[kOpacity].state);
  AdamState sh;
  sh.first = join_rows(groups_[kShBase].state.first, groups_[kShRest].state.first, n);
  sh.second = join_rows(groups_[kShBase].state.second, groups_[kShRest].state.second, n);
  sh_.take(g.sh, sh);
  modes_.take(avatar_.modes.colour, groups_[kModes].state);
  mode_gaussian_ = avatar_.modes.gaussian;
  std::vector<std::uint8_t> inner;
  for (const std::int32_t i : avatar_.modes.gaussian)
    inner.push_back(is_inner_region(avatar_.head.region[static_cast<std::size_t>(avatar_.anchors[i].vertex[0])]));
  mode_inner_ = inner;
  const auto& names = avatar_.modes.names;
  const auto jaw = std::find(names.begin(), names.end(), kInnerMode);
  inner_mode_ = jaw == names.end() ? -1 : static_cast<int>(jaw - names.begin());
  std::vector<float> homes(n * 4, 0.0f);
  for (std::size_t i = 0; i < n; ++i) {
    const GaussianAnchor& anchor = avatar_.anchors[i];
    if (!on_surface(anchor)) continue;
    Eigen::Map<Vec3>{&homes[i * 4]} = home_of(anchor, avatar_.head.mesh.positions);
    homes[i * 4 + 3] = 1;
  }
  homes_ = homes;
  pose_ = std::make_unique<CudaAvatarPose>(avatar_);
  for (auto [array, width] : {std::pair{&posed_means_, 3},
                              {&deformation_, 9},
                              {&scales_, 3},
                              {&opacities_, 1},
                              {&shown_, kShWidth},
                              {&d_means_, 3},
                              {&d_quats_, 4},
                              {&d_scales_, 3},
                              {&d_opacities_, 1},
                              {&d_sh_, kShWidth}})
    array->resize(n * static_cast<std::size_t>(width), "Gaussians that learn");
  if (!avatar_.g2anet.empty()) fetch_networks();
  training_cuda::activate(gaussian_arrays(), sh_arrays(), stream_);
  cuda_check(cudaGetLastError(), "activating Gaussians");
}

// Weights, and what depends on which Gaussians follow the networks.
void CudaOptimiser::fetch_networks() {
  networks_ = nullptr;  // its memory first
  networks_ = std::make_unique<DeviceNetworks>(avatar_, true);
  AdamState all;
  for (std::size_t g = kNetworks; g < groups_.size(); ++g) {
    const AdamState& state = groups_[g].state;
    all.steps = state.steps;
    all.first.insert(all.first.end(), state.first.begin(), state.first.end());
    all.second.insert(all.second.end(), state.second.begin(), state.second.end());
  }
  weights_.take(join_weights(avatar_.g2anet), all);
  d_weights_.resize(weights_.parameters.size());
  turned_.resize(static_cast<std::size_t>(count_) * 4);
  if (networks_->shifts()) shifted_.resize(static_cast<std::size_t>(count_) * 3);
}

void CudaOptimiser::store_networks() {
  std::vector<float> values;
  AdamState all;
  all.steps = groups_[kNetworks].state.steps;
  weights_.give(values, all);
  auto at = std::ptrdiff_t{0};
  for (std::size_t g = kNetworks; g < groups_.size(); ++g) {
    const auto end = at + static_cast<std::ptrdiff_t>(groups_[g].parameters->size());
    groups_[g].parameters->assign(values.begin() + at, values.begin() + end);
    if (all.steps > 0) {
      groups_[g].state.first.assign(all.first.begin() + at, all.first.begin() + end);
      groups_[g].state.second.assign(all.second.begin() + at, all.second.begin() + end);
    }
    at = end;
  }
}

void CudaOptimiser::store() {
  cuda_synchronize(stream_);
  Gaussians& g = avatar_.gaussians;
  means_.give(g.means, groups_[kMeans].state);
  quats_.give(g.quats, groups_[kQuats].state);
  log_scales_.give(g.log_scales, groups_[kScales].state);
  opacity_logits_.give(g.opacity_logits, groups_[kOpacity].state);
  modes_.give(avatar_.modes.colour, groups_[kModes].state);
  if (networks_ != nullptr) store_networks();
  g.sh = sh_.parameters.host();
  split_rows(g.sh, sh_base_, sh_rest_);
  AdamState &base = groups_[kShBase].state, &rest = groups_[kShRest].state;
  if (base.steps > 0) {
    split_rows(sh_.first.host(), base.first, rest.first);
    split_rows(sh_.second.host(), base.second, rest.second);
    if (rest.steps == 0) rest.first = rest.second = {};
  }
}

void CudaOptimiser::make_room(const Camera& camera, std::int64_t pairs) {
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  const std::int64_t wanted = std::max({pairs, rasterizer_.capacity(), std::int64_t{count_} * kFirstPairs});
  if (wanted > rasterizer_.capacity() || pixels > pixels_)
    rasterizer_.reserve(count_, camera.width, camera.height, true, wanted);
  const auto sums = 3 * static_cast<std::size_t>(training_cuda::photometric_blocks(camera.width, camera.height));
  if (pixels <= pixels_ && sums <= partial_.size()) return;
  cuda_synchronize(stream_);
  pixels_ = std::max(pixels, pixels_);
  partial_.resize(std::max(sums, partial_.size()));
  rgb_.resize(pixels_ * 3, "a picture and its gradients");
  alpha_.resize(pixels_, "a picture and its gradients");
  d_rgb_.resize(pixels_ * 3, "a picture and its gradients");
  d_alpha_.resize(pixels_, "a picture and its gradients");
  slopes_.resize(pixels_ * 9, "a picture and its gradients");
}

SplatInput CudaOptimiser::input(int sh_degree) const {
  return {count_,
          posed_means_.data(),
          spoken_of_ ? turned_.data() : quats_.parameters.data(),
          scales_.data(),
          opacities_.data(),
          shown_.data(),
          deformation_.data(),
          sh_degree};
}

training_cuda::PhotometricJob CudaOptimiser::compare(const DeviceFrame& frame, const StepJob& job) const {
  const ImageLossOptions& loss = options_.loss;
  training_cuda::PhotometricJob out = {};
  out.width = frame.camera.width;
  out.height = frame.camera.height;
  out.stored = frame.rgb;
  out.matte = frame.matte;
  std::copy_n(frame.background.data(), 3, out.stored_background);
  std::copy_n(job.background.data(), 3, out.background);
  out.rgb = rgb_.data();
  out.alpha = alpha_.data();
  out.rectangles = std::min<int>(training_cuda::kRectangles, static_cast<int>(frame.rectangles.size()));
  for (int r = 0; r < out.rectangles; ++r) {
    const WeightedRectangle& box = frame.rectangles[static_cast<std::size_t>(r)];
    out.rectangle[r] = {box.x0, box.y0, box.x1, box.y1, 1 + box.extra};
  }
  out.l1 = loss.l1;
  out.ssim = loss.ssim;
  out.matte_weight = loss.matte;
  out.d_rgb = d_rgb_.data();
  out.d_alpha = d_alpha_.data();
  out.slopes = slopes_.data();
  out.partial = partial_.data();
  return out;
}

avatar_cuda::NetworkGaussians CudaOptimiser::network_gaussians() const {
  return {sh_.parameters.data(),
          quats_.parameters.data(),
          opacity_logits_.parameters.data(),
          means_.parameters.data(),
          shown_.data(),
          turned_.data(),
          opacities_.data(),
          shifted_.data()};
}

// What modes and networks make of the canonical Gaussians in this moment.
void CudaOptimiser::add_looks(const DeviceFrame& frame) {
  const auto start_from = [this](const CudaArray<float>& to, const CudaArray<float>& from) {
    cuda_check(cudaMemcpyAsync(to.data(), from.data(), to.size() * sizeof(float), cudaMemcpyDeviceToDevice, stream_),
               "copying Gaussians");
  };
  const bool before = std::exchange(spoken_of_, networks_ != nullptr && networks_on_ && frame.spoken_of);
  if (before && !spoken_of_) training_cuda::activate(gaussian_arrays(), sh_arrays(), stream_);  // nothing of it stays
  if (spoken_of_) {
    training_cuda::check_weights(weights_.parameters.data(), networks_->weight_count(), losses_.data(), stream_);
    start_from(turned_, quats_.parameters);
    if (networks_->shifts()) start_from(shifted_, means_.parameters);
    networks_->run(weights_.parameters.data(), network_gaussians(), frame.moved, frame.felt, stream_);
  }
  training_cuda::show_modes(mode_arrays(frame.activations), stream_);
  if (spoken_of_) networks_->conclude(network_gaussians(), stream_);
}

void CudaOptimiser::step(const StepJob& job) {
  const DeviceFrame& frame = frames_.get(job.key);
  make_room(frame.camera, 0);
  SplatOptions splat = splat_options(avatar_);
  std::copy_n(job.background.data(), 3, splat.background);
  add_looks(frame);
  const bool shifts = spoken_of_ && networks_->shifts();
  pose_->enqueue(frame.vertices, posed_means_.data(), deformation_.data(), stream_,
                 shifts ? shifted_.data() : means_.parameters.data());
  const SplatInput drawn_input = input(job.sh_degree);
  rasterizer_.forward(drawn_input, frame.camera, splat, rgb_.data(), alpha_.data(), true, stream_);
  const training_cuda::Drawn drawn = {rasterizer_.wanted_pairs(),
                                      static_cast<unsigned long long>(rasterizer_.capacity())};
  training_cuda::photometric(compare(frame, job), drawn, losses_.data(), stream_);
  rasterizer_.backward(drawn_input, frame.camera, splat, d_rgb_.data(), d_alpha_.data(),
                       {d_means_.data(), d_quats_.data(), d_scales_.data(), d_opacities_.data(), d_sh_.data()}, stream_,
                       false);
  update(frame, job);
  cuda_check(cudaGetLastError(), "a training step");
}

AdamRate CudaOptimiser::advance(std::size_t group, float rate) {
  const AdamOptions adam;
  const auto steps = static_cast<double>(++groups_[group].state.steps);
  return {static_cast<float>(rate / (1 - std::pow(double{adam.beta1}, steps))),
          static_cast<float>(1 / std::sqrt(1 - std::pow(double{adam.beta2}, steps)))};
}

training_cuda::GaussianArrays CudaOptimiser::gaussian_arrays() const {
  training_cuda::GaussianArrays a = {};
  a.count = count_;
  a.means = means_.moments();
  a.quats = quats_.moments();
  a.log_scales = log_scales_.moments();
  a.opacity_logits = opacity_logits_.moments();
  a.deformation = deformation_.data();
  a.homes = homes_.data();
  a.pull = anchor_pull(options_, count_);
  a.d_means = d_means_.data();
  a.d_quats = d_quats_.data();
  a.d_scales = d_scales_.data();
  a.d_opacities = d_opacities_.data();
  a.scales = scales_.data();
  a.opacities = opacities_.data();
  a.smallest = std::log(kSmallestScale);
  a.largest = std::log(kLargestScale);
  return a;
}

training_cuda::ShArrays CudaOptimiser::sh_arrays() const {
  training_cuda::ShArrays a = {};
  a.count = count_;
  a.sh = sh_.moments();
  a.d_sh = d_sh_.data();
  a.shown = shown_.data();
  return a;
}

training_cuda::ModeArrays CudaOptimiser::mode_arrays(const float* activations) const {
  training_cuda::ModeArrays a = {};
  a.gaussians = static_cast<int>(avatar_.modes.gaussian.size());
  a.modes = avatar_.modes.count();
  a.gaussian = mode_gaussian_.data();
  a.inner = mode_inner_.data();
  a.inner_mode = inner_mode_;
  a.colour = modes_.moments();
  a.activations = activations;
  a.sh = sh_.parameters.data();
  a.d_sh = d_sh_.data();
  a.shown = shown_.data();
  return a;
}

void CudaOptimiser::update(const DeviceFrame& frame, const StepJob& job) {
  const AdamOptions adam;
  const training_cuda::AdamBetas betas = {adam.beta1, adam.beta2, adam.epsilon};
  const training_cuda::Drawn drawn = {rasterizer_.wanted_pairs(),
                                      static_cast<unsigned long long>(rasterizer_.capacity())};
  // Networks and modes first: they need the gradients of what was shown.
  if (spoken_of_) {
    networks_->backward(weights_.parameters.data(), network_gaussians(),
                        {d_sh_.data(), d_opacities_.data(), d_quats_.data(), d_means_.data(), deformation_.data()},
                        frame.felt, d_weights_.data(), stream_);
    AdamRate rate = {};
    for (std::size_t g = kNetworks; g < groups_.size(); ++g) rate = advance(g, job.rates.g2anet);
    training_cuda::update_weights(weights_.moments(), d_weights_.data(), networks_->weight_count(), rate, betas, drawn,
                                  losses_.data(), stream_);
  }
  if (!avatar_.modes.colour.empty()) {
    training_cuda::ModeArrays modes = mode_arrays(frame.activations);
    modes.rate = advance(kModes, job.rates.modes);
    modes.keep = 1 - job.rates.modes * options_.mode_decay;
    training_cuda::update_modes(modes, betas, drawn, losses_.data(), stream_);
  }
  training_cuda::ShArrays sh = sh_arrays();
  sh.base = advance(kShBase, job.rates.sh_base);
  sh.rest_learns = job.sh_degree > 0;
  if (sh.rest_learns) sh.rest = advance(kShRest, job.rates.sh_rest);
  training_cuda::update_sh(sh, betas, drawn, losses_.data(), stream_);
  training_cuda::GaussianArrays gaussians = gaussian_arrays();
  const float rates[] = {job.rates.means, job.rates.quats, job.rates.scales, job.rates.opacity};
  for (int k = 0; k < 4; ++k) gaussians.rate[k] = advance(static_cast<std::size_t>(k), rates[k]);
  training_cuda::update_gaussians(gaussians, betas, drawn, losses_.data(), stream_);
}

ImageLossValue CudaOptimiser::losses() {
  cuda_synchronize(stream_);
  const training_cuda::Losses sum = losses_.host().front();
  losses_ = std::vector<training_cuda::Losses>(1);
  if (sum.overflowed > 0)
    rasterizer_.reserve(count_, 1, 1, true, static_cast<std::int64_t>(sum.most_pairs + sum.most_pairs / 2));
  const double n = std::max<double>(1, static_cast<double>(sum.steps));
  if (!std::isfinite(sum.total) || sum.spoilt != 0) {
    store();
    check_finite(groups_);
    throw Error(ErrorCode::kInternal, "training stopped: the loss is not finite although every parameter is",
                "check the capture's pictures and cameras with: mien capture check");
  }
  return {sum.total / n, sum.l1 / n, sum.ssim / n, sum.matte / n};
}

}  // namespace

std::unique_ptr<AvatarOptimiser> make_cuda_optimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options,
                                                     const SampleReader& reader) {
  if (!cuda_missing().empty()) throw Error(ErrorCode::kMissingFeature, cuda_missing(), "train on the CPU");
  return std::make_unique<CudaOptimiser>(avatar, options, reader);
}

}  // namespace mien
