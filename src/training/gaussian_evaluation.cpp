#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/metrics/image_metrics.h"
#include "mien/training/gaussian_trainer.h"
#include "training_samples.h"

namespace mien {
namespace {

constexpr std::size_t kSheetColumns = 8;

Image8 as_image(const std::vector<float>& rgb, int width, int height) {
  ImageF image(width, height, 3);
  image.pixels = rgb;
  return to_8bit(image);
}

}  // namespace

GaussianEvaluation evaluate_gaussian_avatar(const GaussianAvatar& avatar, const Capture& capture,
                                            const GaussianEvaluationOptions& options) {
  const SampleReader reader(capture, options.split, std::size_t{64} << 20);
  GaussianRenderer renderer(avatar);
  GaussianEvaluation result;
  std::vector<Image8> truth, drawn;
  std::vector<SampleKey> wanted_keys;
  for (const SampleKey& key : reader.keys()) {
    const std::string& camera = capture.sequences[key.sequence].views[key.view].camera;
    const bool wanted = options.cameras.empty() ||
                        std::find(options.cameras.begin(), options.cameras.end(), camera) != options.cameras.end();
    if (wanted && key.frame % options.every == 0) wanted_keys.push_back(key);
  }
  // An odd stride through the list, so that the sheet shows sequences, views and frames alike.
  const std::size_t stride = std::max<std::size_t>(1, wanted_keys.size() / kSheetColumns) | 1;
  for (std::size_t n = 0; n < wanted_keys.size(); ++n) {
    const SampleKey& key = wanted_keys[n];
    const TrainingSample sample = reader.read(key);
    std::vector<float> rgb(sample.rgb.size()), alpha(sample.matte.size());
    renderer.render(*sample.motion, sample.camera, SplatOptions{}, rgb.data(), alpha.data());
    const Image8 a = as_image(sample.rgb, sample.camera.width, sample.camera.height);
    const Image8 b = as_image(rgb, sample.camera.width, sample.camera.height);
    Image8 mask(a.width, a.height, 1);
    for (std::size_t i = 0; i < sample.matte.size(); ++i) mask.pixels[i] = sample.matte[i] > 0.5f ? 255 : 0;
    result.psnr += psnr(a, b, &mask);
    result.ssim += ssim(a, b, &mask);
    ++result.pictures;
    if (!options.sheet.empty() && truth.size() < kSheetColumns && n % stride == stride / 2) {
      truth.push_back(a);
      drawn.push_back(b);
    }
  }
  if (result.pictures == 0) {
    throw Error(ErrorCode::kBadArgument, fmt::format("no picture of the split \"{}\" and those cameras", options.split),
                "see what the capture holds: mien capture check");
  }
  result.psnr /= result.pictures;
  result.ssim /= result.pictures;
  if (!options.sheet.empty()) {
    const int columns = static_cast<int>(truth.size());
    truth.insert(truth.end(), drawn.begin(), drawn.end());
    write_image(options.sheet, tile_images(truth, columns));
  }
  return result;
}

}  // namespace mien
