// The optimiser on an NVIDIA GPU: the step of GaussianOptimiser with everything that it needs in GPU memory. The host
// only enqueues; it waits when losses are asked for, and when parameters are stored.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "gaussian_avatar/cuda/device_networks.h"
#include "mien/gaussian_avatar/cuda.h"
#include "mien/splat/cuda.h"
#include "training/avatar_optimiser.h"
#include "training/cuda/device_array.h"
#include "training/cuda/device_looks.h"
#include "training/cuda/frame_store.h"
#include "training/cuda/kernels.h"

namespace mien {

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
  static constexpr int kAhead = 64;        // pictures that are read ahead
  static constexpr int kReportEvery = 50;  // steps
  enum GroupIndex { kMeans, kQuats, kScales, kOpacity, kShBase, kShRest, kModes, kNetworks };  // and then

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
  void update_looks(const StepJob& job, const training_cuda::AdamBetas& betas, const training_cuda::Drawn& drawn);
  // The Gaussians' own, as the picture's appearance has them.
  const float* worn_sh() const { return looks_ ? looks_->dressed_sh() : sh_.parameters.data(); }
  const float* worn_logits() const { return looks_ ? looks_->dressed_logits() : opacity_logits_.parameters.data(); }
  training_cuda::AdamRate advance(std::size_t group, float rate);

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
  std::unique_ptr<DeviceLooks> looks_;  // of the appearances, where there are several
  std::size_t look_groups_ = 0;         // the first of theirs
  bool networks_on_ = true;
  bool spoken_of_ = false;                         // whether the networks had their say in the last step
  DeviceArray weights_;                            // all of the networks', as join_weights()
  CudaArray<float> turned_, shifted_, d_weights_;  // quaternions and means as drawn, where networks change them
  CudaArray<float> rgb_, alpha_, d_rgb_, d_alpha_, slopes_, partial_;
  std::size_t pixels_ = 0;
  CudaArray<training_cuda::Losses> losses_;
};

}  // namespace mien
