#include <algorithm>
#include <cmath>

#include "mien/training/gaussian_trainer.h"
#include "training_samples.h"

namespace mien {
namespace {

constexpr std::size_t kPictures = 110;
constexpr float kMouthShare = 0.1f;            // of the limit, for what shows only now and then
constexpr float kShDc = 0.28209479177387814f;  // Y_0^0

}  // namespace

int prune_unseen(GaussianAvatar& avatar, const Capture& capture, float least_pixels) {
  const SampleReader reader(capture, "train", 0);
  const Gaussians& g = avatar.gaussians;
  const auto n = static_cast<std::size_t>(g.count());
  std::vector<float> scales(n * 3), opacities(n), means, deformation;
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = std::exp(g.log_scales[i]);
  for (std::size_t i = 0; i < n; ++i) opacities[i] = 1 / (1 + std::exp(-g.opacity_logits[i]));
  // Every Gaussian is painted mid-grey: the derivative of the picture's sum by its colour is then what it covers.
  const std::vector<float> grey(g.sh.size(), 0.0f);
  std::vector<float> d_means(n * 3), d_quats(n * 4), d_scales(n * 3), d_opacities(n), d_sh(g.sh.size());
  SurfaceFrames frames(avatar.head);
  SplatRasterizer rasterizer;
  const auto& keys = reader.keys();
  const std::size_t stride = std::max<std::size_t>(1, keys.size() / kPictures) | 1;  // odd: all views come up
  for (std::size_t k = stride / 2; k < keys.size(); k += stride) {
    const CaptureSequence& sequence = capture.sequences[keys[k].sequence];
    const Camera camera = capture.camera_at(sequence, sequence.views[keys[k].view], keys[k].frame);
    frames.update(reader.motion(keys[k]));
    deform_gaussians(avatar, frames, means, deformation);
    const SplatInput input{g.count(),        means.data(), g.quats.data(),     scales.data(),
                           opacities.data(), grey.data(),  deformation.data(), 0};
    const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
    std::vector<float> rgb(pixels * 3), alpha(pixels), ones(pixels * 3, 1.0f);
    rasterizer.forward(input, camera, SplatOptions{}, rgb.data(), alpha.data(), true);
    rasterizer.backward(input, camera, SplatOptions{}, ones.data(), nullptr,
                        {d_means.data(), d_quats.data(), d_scales.data(), d_opacities.data(), d_sh.data()});
  }
  std::vector<bool> keep(n);
  for (std::size_t i = 0; i < n; ++i) {
    const HeadRegion region = avatar.head.region[avatar.anchors[i].vertex[0]];
    const bool inner =
        region == HeadRegion::kTeeth || region == HeadRegion::kTongue || region == HeadRegion::kMouthInside;
    keep[i] = d_sh[i * kShCoefficients * 3] / kShDc >= least_pixels * (inner ? kMouthShare : 1);
  }
  keep_gaussians(avatar, keep);
  return static_cast<int>(std::count(keep.begin(), keep.end(), false));
}

}  // namespace mien
