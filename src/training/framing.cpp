#include "mien/training/framing.h"

#include <Eigen/Dense>

#include "mien/base/error.h"

namespace mien {

Framing capture_framing(const Capture& capture) {
  // The point nearest to all optical axes: sum (I - d d^T) (x - c) = 0. A little weight on the origin, near which heads
  // are, settles the depth when there is only one camera.
  Mat3 left = Mat3::Identity() * 1e-3f;
  Vec3 right = Vec3::Zero();
  Framing framing;
  float best = -2;
  for (const CaptureSequence& sequence : capture.sequences) {
    if (sequence.split != "train") continue;
    for (const CaptureView& view : sequence.views) {
      const Camera camera = capture.camera_at(sequence, view, 0);
      const Vec3 axis = camera.world_to_camera.row(2).head<3>();
      const Mat3 across = Mat3::Identity() - axis * axis.transpose();
      left += across;
      right += across * camera.centre();
      const float facing = -axis.z();  // the neutral head looks along +z
      if (facing > best) {
        best = facing;
        framing.front = camera;
      }
    }
  }
  if (best < -1.5f) {
    throw Error(ErrorCode::kBadArgument, capture.folder.string() + ": no training view",
                "check the capture with: mien capture check");
  }
  framing.focus = left.ldlt().solve(right);
  return framing;
}

}  // namespace mien
