// The steps of training: pictures, gradients, Adam.
#include "training/cuda/cuda_optimiser.h"

#include <cuda_runtime_api.h>

#include <cmath>
#include <utility>

#include "cuda/check.h"
#include "mien/base/error.h"
#include "training/limits.h"

namespace mien {
namespace {

using training_cuda::AdamRate;

constexpr int kFirstPairs = 24;  // tile list entries a Gaussian that there is room for at first

}  // namespace

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
  return {worn_sh(),     quats_.parameters.data(), worn_logits(),     means_.parameters.data(),
          shown_.data(), turned_.data(),           opacities_.data(), shifted_.data()};
}

// What modes and networks make of the canonical Gaussians in this moment.
void CudaOptimiser::add_looks(const DeviceFrame& frame) {
  const auto start_from = [this](const CudaArray<float>& to, const CudaArray<float>& from) {
    cuda_check(cudaMemcpyAsync(to.data(), from.data(), to.size() * sizeof(float), cudaMemcpyDeviceToDevice, stream_),
               "copying Gaussians");
  };
  const bool before = std::exchange(spoken_of_, networks_ != nullptr && networks_on_ && frame.spoken_of);
  if (before && !spoken_of_ && !looks_)
    training_cuda::activate(gaussian_arrays(), sh_arrays(), stream_);  // nothing of it stays
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
  if (looks_) {
    for (const DeviceLooks::Learning& what : {looks_->features(job.appearance), looks_->weights()})
      training_cuda::check_weights(what.moments.parameters, what.count, losses_.data(), stream_);
    looks_->dress(job.appearance, sh_.parameters.data(), opacity_logits_.parameters.data(), shown_.data(),
                  opacities_.data(), stream_);
  }
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
  a.sh = worn_sh();
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
    for (std::size_t g = kNetworks; g < look_groups_; ++g) rate = advance(g, job.rates.g2anet);
    training_cuda::update_weights(weights_.moments(), d_weights_.data(), networks_->weight_count(), rate, betas, drawn,
                                  losses_.data(), stream_);
  }
  if (looks_) update_looks(job, betas, drawn);
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

void CudaOptimiser::update_looks(const StepJob& job, const training_cuda::AdamBetas& betas,
                                 const training_cuda::Drawn& drawn) {
  looks_->backward(d_sh_.data(), d_opacities_.data(), opacities_.data(), stream_);
  const auto learn = [&](const DeviceLooks::Learning& what, const AdamRate& rate) {
    training_cuda::update_weights(what.moments, what.gradients, what.count, rate, betas, drawn, losses_.data(),
                                  stream_);
  };
  for (const int a : job.appearances)
    learn(looks_->features(a), advance(look_groups_ + static_cast<std::size_t>(a), job.rates.looks));
  AdamRate colour = {}, density = {};
  for (std::size_t g = look_groups_ + avatar_.looks.features.size(); g < groups_.size(); ++g) {
    const bool of_density = groups_[g].name.starts_with(kLookDensityPrefix);
    (of_density ? density : colour) = advance(g, job.rates.look_networks * (of_density ? kDensityShare : 1));
  }
  learn(looks_->colour_weights(), colour);
  learn(looks_->density_weights(), density);
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

std::unique_ptr<AvatarOptimiser> make_cuda_optimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options,
                                                     const SampleReader& reader) {
  if (!cuda_missing().empty()) throw Error(ErrorCode::kMissingFeature, cuda_missing(), "train on the CPU");
  return std::make_unique<CudaOptimiser>(avatar, options, reader);
}

}  // namespace mien
