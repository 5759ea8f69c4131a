#include <cmath>

#include "mien/base/error.h"
#include "mien/metrics/image_metrics.h"
#include "mien/metrics/lpips.h"
#include "mien/scene/scene.h"
#include "scene/scene_views.h"

namespace mien {
namespace {

constexpr std::size_t kSheetColumns = 8;

}  // namespace

ImageF draw_scene(const Gaussians& gaussians, const Camera& camera) {
  const auto n = static_cast<std::size_t>(gaussians.count());
  std::vector<float> scales(n * 3), opacities(n);
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = std::exp(gaussians.log_scales[i]);
  for (std::size_t i = 0; i < n; ++i) opacities[i] = 1.0f / (1.0f + std::exp(-gaussians.opacity_logits[i]));
  ImageF rgb(camera.width, camera.height, 3), alpha(camera.width, camera.height, 1);
  SplatRasterizer rasterizer;
  rasterizer.forward({gaussians.count(), gaussians.means.data(), gaussians.quats.data(), scales.data(),
                      opacities.data(), gaussians.sh.data()},
                     camera, {}, rgb.pixels.data(), alpha.pixels.data(), false);
  return rgb;
}

SceneEvaluation evaluate_scene(const Gaussians& gaussians, const Capture& capture, const std::string& split,
                               const ProgressCallback& progress) {
  const std::vector<scene::View> views = scene::views_of(capture, split, 1);
  FrameCache cache(capture, std::size_t{64} << 20);
  const Lpips lpips = Lpips::load();
  SceneEvaluation out;
  out.mean.camera = "mean";
  std::vector<Image8> above, below;
  const std::size_t stride = (views.size() + kSheetColumns - 1) / kSheetColumns;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (progress && !progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(views.size()), "views")) {
      throw Error(ErrorCode::kInterrupted, "interrupted");
    }
    const Camera& camera = views[i].camera;
    ImageF truth(camera.width, camera.height, 3);
    truth.pixels = scene::read_picture(cache, capture, views[i]).rgb;
    const Image8 a = to_8bit(truth), b = to_8bit(draw_scene(gaussians, camera));
    SceneScore score{views[i].view->camera, psnr(a, b), ssim(a, b), 0};
    if (std::min(camera.width, camera.height) >= Lpips::kSmallestSide) score.lpips = lpips(a, b);
    out.mean.psnr += score.psnr / static_cast<double>(views.size());
    out.mean.ssim += score.ssim / static_cast<double>(views.size());
    out.mean.lpips += score.lpips / static_cast<double>(views.size());
    out.views.push_back(std::move(score));
    if (i % stride == 0) {
      above.push_back(a);
      below.push_back(b);
    }
  }
  const int columns = static_cast<int>(above.size());
  above.insert(above.end(), below.begin(), below.end());
  out.sheet = tile_images(above, columns);
  return out;
}

}  // namespace mien
