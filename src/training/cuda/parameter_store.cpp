// What training keeps: parameters and moments between the host, where they are changed, stored and shared, and the
// device.
#include <cuda_runtime_api.h>

#include <utility>

#include "cuda/check.h"
#include "training/appearance_learner.h"
#include "training/cuda/cuda_optimiser.h"
#include "training/limits.h"

namespace mien {
namespace {

constexpr double kFrameShare = 0.5;  // of the free GPU memory, for pictures
constexpr int kShWidth = kShCoefficients * 3;

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

}  // namespace

CudaOptimiser::CudaOptimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options, const SampleReader& reader)
    : avatar_(avatar),
      options_(options),
      frames_(avatar, options, reader, memory_for_frames(), stream_),
      losses_(std::vector<training_cuda::Losses>(1)) {
  groups_ = parameter_groups(avatar_, sh_base_, sh_rest_);
  look_groups_ = first_look_group(groups_);
  split_rows(avatar_.gaussians.sh, sh_base_, sh_rest_);
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
  looks_ = nullptr;  // its memory first
  if (avatar_.looks.learns()) looks_ = std::make_unique<DeviceLooks>(avatar_, groups_, look_groups_);
  training_cuda::activate(gaussian_arrays(), sh_arrays(), stream_);
  cuda_check(cudaGetLastError(), "activating Gaussians");
}

// Weights, and what depends on which Gaussians follow the networks.
void CudaOptimiser::fetch_networks() {
  networks_ = nullptr;  // its memory first
  networks_ = std::make_unique<DeviceNetworks>(avatar_, true);
  AdamState all;
  for (std::size_t g = kNetworks; g < look_groups_; ++g) {
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
  for (std::size_t g = kNetworks; g < look_groups_; ++g) {
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
  if (looks_) looks_->store(groups_);
  g.sh = sh_.parameters.host();
  split_rows(g.sh, sh_base_, sh_rest_);
  AdamState &base = groups_[kShBase].state, &rest = groups_[kShRest].state;
  if (base.steps > 0) {
    split_rows(sh_.first.host(), base.first, rest.first);
    split_rows(sh_.second.host(), base.second, rest.second);
    if (rest.steps == 0) rest.first = rest.second = {};
  }
  bake_appearances(avatar_);
}

}  // namespace mien
