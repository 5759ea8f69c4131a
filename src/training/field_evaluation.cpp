// How well a field avatar shows what it has not learnt.
#include <algorithm>
#include <cmath>
#include <map>

#include "mien/base/error.h"
#include "mien/field_avatar/renderer.h"
#include "mien/metrics/image_metrics.h"
#include "mien/metrics/lpips.h"
#include "mien/training/field_trainer.h"
#include "training_samples.h"

namespace mien {
namespace {

constexpr std::size_t kSheetColumns = 8;

struct Sums {
  int pictures = 0;
  double psnr = 0, ssim = 0, lpips = 0;
  void add(double p, double s, double l) {
    ++pictures;
    psnr += p;
    ssim += s;
    lpips += l;
  }
  FieldScore score(const std::string& name, bool perceptual) const {
    FieldScore out;
    out.appearance = name;
    out.pictures = pictures;
    out.psnr = psnr / pictures;
    out.ssim = ssim / pictures;
    if (perceptual) out.lpips = lpips / pictures;
    return out;
  }
};

Image8 as_image(const std::vector<float>& rgb, int width, int height) {
  ImageF image(width, height, 3);
  image.pixels = rgb;
  return to_8bit(image);
}

std::vector<SampleKey> wanted_keys(const SampleReader& reader, const FieldEvaluationOptions& options) {
  std::vector<SampleKey> keys;
  for (const SampleKey& key : reader.keys()) {
    const CaptureSequence& sequence = reader.capture().sequences[static_cast<std::size_t>(key.sequence)];
    if (key.frame % options.every == 0 && sequence.id.ends_with(options.sequences)) keys.push_back(key);
  }
  if (keys.empty()) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("no picture of the split \"{}\" and those sequences", options.split),
                "see what the capture holds: mien capture check");
  }
  return keys;
}

}  // namespace

std::vector<FieldScore> evaluate_field_avatar(const FieldAvatar& avatar, const std::vector<std::string>& appearances,
                                              const Capture& capture, const FieldEvaluationOptions& options) {
  const SampleReader reader(capture, options.split, std::size_t{64} << 20, nullptr, options.hold_out);
  const std::vector<SampleKey> keys = wanted_keys(reader, options);
  std::optional<Lpips> lpips;
  if (!options.lpips_weights.empty()) lpips = Lpips::load(options.lpips_weights);
  FieldRenderer renderer(avatar, options.device);
  std::map<int, Sums> sums;
  Sums all;
  std::vector<Image8> truth, drawn;
  // An odd stride through the list, so that the sheet shows appearances and frames alike.
  const std::size_t stride = std::max<std::size_t>(1, keys.size() / kSheetColumns) | 1;
  int worn = -1;
  for (std::size_t n = 0; n < keys.size(); ++n) {
    const CaptureSequence& sequence = capture.sequences[static_cast<std::size_t>(keys[n].sequence)];
    const int look = appearance_of(appearances, sequence);
    if (look < 0)
      throw Error(ErrorCode::kBadArgument,
                  fmt::format("sequence {} shows the appearance \"{}\", which the avatar lacks", sequence.id,
                              sequence.appearance),
                  fmt::format("it has {}; compare it with a capture of those", fmt::join(appearances, ", ")));
    if (look != worn) {
      std::vector<float> weights(appearances.size(), 0.0f);
      weights[static_cast<std::size_t>(look)] = 1;
      renderer.wear(weights);
      worn = look;
    }
    const TrainingSample sample = reader.read(keys[n]);
    std::vector<float> rgb(sample.rgb.size()), alpha(sample.matte.size());
    renderer.render(*sample.motion, sample.camera, rgb.data(), alpha.data());
    const Image8 a = as_image(sample.rgb, sample.camera.width, sample.camera.height);
    const Image8 b = as_image(rgb, sample.camera.width, sample.camera.height);
    Image8 mask(a.width, a.height, 1);
    for (std::size_t i = 0; i < sample.matte.size(); ++i) mask.pixels[i] = sample.matte[i] > 0.5f ? 255 : 0;
    const double p = psnr(a, b, &mask), s = ssim(a, b, &mask);
    const double l = lpips && std::min(a.width, a.height) >= Lpips::kSmallestSide ? (*lpips)(a, b) : 0;
    sums[look].add(p, s, l);
    all.add(p, s, l);
    if (!options.sheet.empty() && truth.size() < kSheetColumns && n % stride == stride / 2) {
      truth.push_back(a);
      drawn.push_back(b);
    }
    if (options.progress &&
        !options.progress(static_cast<std::int64_t>(n + 1), static_cast<std::int64_t>(keys.size()), ""))
      throw Error(ErrorCode::kInterrupted, "stopped", "run it again");
  }
  if (!options.sheet.empty()) {
    const int columns = static_cast<int>(truth.size());
    truth.insert(truth.end(), drawn.begin(), drawn.end());
    write_image(options.sheet, tile_images(truth, columns));
  }
  std::vector<FieldScore> out;
  for (const auto& [look, sum] : sums)
    out.push_back(sum.score(appearances[static_cast<std::size_t>(look)], lpips.has_value()));
  out.push_back(all.score("", lpips.has_value()));
  return out;
}

}  // namespace mien
