// The parts that the first Gaussians of an avatar are made from.
#pragma once

#include <cmath>
#include <vector>

#include "mien/gaussian_avatar/initialise.h"

namespace mien {

constexpr float kShDc = 0.28209479177387814f;  // Y_0^0

// Appends Gaussians one by one.
class Builder {
 public:
  explicit Builder(GaussianAvatar& avatar) : avatar_(avatar) {}
  void add(const Vec3& mean, const Quat& rotation, const Vec3& scale, float opacity, const GaussianAnchor& anchor) {
    Gaussians& g = avatar_.gaussians;
    for (int k = 0; k < 3; ++k) g.means.push_back(mean[k]);
    for (const float q : {rotation.w(), rotation.x(), rotation.y(), rotation.z()}) g.quats.push_back(q);
    for (int k = 0; k < 3; ++k) g.log_scales.push_back(std::log(scale[k]));
    g.opacity_logits.push_back(std::log(opacity / (1 - opacity)));
    g.sh.resize(g.sh.size() + kShCoefficients * 3, 0.0f);
    avatar_.anchors.push_back(anchor);
  }

 private:
  GaussianAvatar& avatar_;
};

// Gaussians on the head's surface: options.surface_count, densest where a viewer looks. Their normals are appended.
void add_surface(GaussianAvatar& avatar, const InitialiseOptions& options, std::vector<Vec3>& normals);

// About `count` vertices of the rigid parts, far from each other (farthest-point sampling).
std::vector<int> anchor_vertices(const HeadModel& head, int count);
// The nearest of those vertices, by inverse squares of their distances.
GaussianAnchor near_anchor(const Vec3& point, const std::vector<Vec3>& vertices, const std::vector<int>& candidates);

// The canonical mean of a Gaussian that is seen at `posed`: the inverse of the formula in gaussian_avatar.h.
Vec3 undo_motion(const Vec3& posed, const GaussianAnchor& anchor, const SurfaceFrames& frames);

// What the pictures say about the colour of each Gaussian, [N].
struct Painting {
  explicit Painting(int count) : sum(count, Vec3::Zero()), weight(count, 0.0f) {}
  bool knows(std::size_t i) const { return weight[i] >= 1e-5f; }
  Vec3 colour(std::size_t i) const { return sum[i] / weight[i]; }
  std::vector<Vec3> sum;
  std::vector<float> weight;
};
// Adds the views of one moment: of those that face a Gaussian and see it past the head's own surface.
void paint(const GaussianAvatar& avatar, const CanonicalMoment& moment, const std::vector<Vec3>& normals,
           const std::vector<bool>& wanted, Painting& painting);
// Degree-0 SH from a painting; what it does not know gets its region's mean.
void take_colours(GaussianAvatar& avatar, const Painting& painting);

// Modes for the Gaussians whose look changes with the expression: those on the face and in the mouth.
void add_modes(GaussianAvatar& avatar);

}  // namespace mien
