#include <algorithm>

#include "coverage.h"
#include "mien/training/gaussian_trainer.h"
#include "training_samples.h"

namespace mien {
namespace {

constexpr float kMouthShare = 0.1f;  // of the limit, for what shows only now and then

}  // namespace

int prune_unseen(GaussianAvatar& avatar, const Capture& capture, float least_pixels, const SoundContext* sound,
                 float hold_out) {
  const SampleReader reader(capture, "train", 0, sound, hold_out);
  const std::vector<float> covered = covered_by_all(avatar, reader, [&](Coverage& coverage, const SampleKey& key) {
    coverage.pose(reader.motion(key));
    coverage.add(reader.camera(key));
  });
  std::vector<bool> keep(covered.size());
  for (std::size_t i = 0; i < keep.size(); ++i) {
    const HeadRegion region = avatar.head.region[avatar.anchors[i].vertex[0]];
    const bool inner =
        region == HeadRegion::kTeeth || region == HeadRegion::kTongue || region == HeadRegion::kMouthInside;
    keep[i] = covered[i] >= least_pixels * (inner ? kMouthShare : 1);
  }
  keep_gaussians(avatar, keep);
  return static_cast<int>(std::count(keep.begin(), keep.end(), false));
}

}  // namespace mien
