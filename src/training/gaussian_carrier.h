// Where the face of an avatar without geometry is: its surface stays at rest, so its Gaussians say.
#pragma once

#include <array>
#include <vector>

#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {

// Every vertex of face and mouth is carried by its nearest Gaussians: the kCarriers whose canonical means are nearest
// to the vertex at rest, of those that hang on the same region of the head (the lower lip does not follow the upper
// one) and are not nearly transparent; it moves by the mean of their shifts. Not thread-safe.
class GaussianCarrier {
 public:
  static constexpr int kCarriers = 8;

  // `avatar` must outlive the object and not change; it must be one without geometry (G2aOptions::geometry()).
  explicit GaussianCarrier(const GaussianAvatar& avatar);

  // The frame with the vertices' shifts as its offsets and without expression.
  MotionFrame carry(const MotionFrame& frame);
  // The carried vertices of that moment, world.
  const std::vector<Vec3>& vertices(const MotionFrame& frame);

 private:
  const GaussianAvatar& avatar_;
  G2aInference networks_;
  std::vector<std::vector<std::int32_t>> carriers_;  // [V] Gaussians; none for a vertex that stays
  std::vector<float> sh_, quats_, opacities_, means_;
  std::vector<Vec3> vertices_;
};

}  // namespace mien
