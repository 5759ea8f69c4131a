// What each Gaussian covers of pictures.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/splat/gaussians.h"
#include "training_samples.h"

namespace mien {

// About a hundred of the pictures, from all views and moments.
std::vector<SampleKey> spread_keys(const SampleReader& reader);

// Sums over pictures of what the Gaussians add to each pixel, weighted. Every Gaussian is painted mid-grey: the
// derivative of the picture's weighted sum by its colour is then what it covers. Of the networks only the shift takes
// part. `avatar` must outlive the object and not change.
class Coverage {
 public:
  explicit Coverage(const GaussianAvatar& avatar);
  void pose(const MotionFrame& frame);
  const SurfaceFrames& surface() const { return frames_; }
  // The picture of the present pose in its colours, on black: [H,W,3].
  std::vector<float> draw(const MotionFrame& frame, const Camera& camera);
  // Adds a picture of the present pose; `weights` [H,W], empty = 1 everywhere.
  void add(const Camera& camera, const std::vector<float>& weights = {});
  std::vector<float> sums() const;  // [N], in pixels where the weights are 1

 private:
  SplatInput input(const std::vector<float>& sh, int degree) const;

  const GaussianAvatar& avatar_;
  SurfaceFrames frames_;
  std::optional<G2aInference> networks_;  // without geometry: they say where the Gaussians are
  SplatRasterizer rasterizer_;
  std::vector<float> scales_, opacities_, means_, deformation_, grey_, rgb_, alpha_, d_rgb_;
  std::vector<float> d_means_, d_quats_, d_scales_, d_opacities_, d_sh_;
};

// The same over the appearances of an avatar, which need to be baked: `add` is called for each of spread_keys() with
// the Coverage of the appearance that it shows. Sums over all.
std::vector<float> covered_by_all(const GaussianAvatar& avatar, const SampleReader& reader,
                                  const std::function<void(Coverage&, const SampleKey&)>& add);

}  // namespace mien
