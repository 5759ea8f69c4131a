#include <gtest/gtest.h>

#include "mien/base/random.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "simple_head.h"

namespace mien {
namespace {

GaussianAvatar random_avatar(int count) {
  GaussianAvatar avatar;
  avatar.head = simple_head();
  Random random(3);
  for (int i = 0; i < count; ++i) {
    GaussianAnchor anchor;
    float sum = 0;
    for (int k = 0; k < kAnchorCount; ++k) {
      anchor.vertex[k] = static_cast<int>(random.below(static_cast<std::uint32_t>(avatar.head.vertex_count())));
      sum += anchor.weight[k] = random.uniform(0.1f, 1);
    }
    for (float& w : anchor.weight) w /= sum;
    avatar.anchors.push_back(anchor);
    for (int k = 0; k < 3; ++k) avatar.gaussians.means.push_back(random.uniform(-0.15f, 0.15f));
    avatar.gaussians.opacity_logits.push_back(0);
  }
  return avatar;
}

TEST(Deform, RigidMotionCarriesEverythingRigidly) {
  const GaussianAvatar avatar = random_avatar(50);
  SurfaceFrames frames(avatar.head);
  MotionFrame frame;
  frame.pose.root = Quat(Eigen::AngleAxisf(0.7f, Vec3(1, 2, -1).normalized()));
  frame.pose.translation = Vec3(0.1f, -0.2f, 0.3f);
  frames.update(frame);
  std::vector<float> means, deformation;
  deform_gaussians(avatar, frames, means, deformation);
  const Mat3 rotation = frame.pose.root.toRotationMatrix();
  for (int i = 0; i < avatar.gaussians.count(); ++i) {
    const Vec3 wanted = rotation * Eigen::Map<const Vec3>(&avatar.gaussians.means[i * 3]) + frame.pose.translation;
    EXPECT_LT((Eigen::Map<const Vec3>(&means[i * 3]) - wanted).norm(), 2e-6f);
    const Mat3 turn = Eigen::Map<const Eigen::Matrix<float, 3, 3, Eigen::RowMajor>>(&deformation[i * 9]);
    EXPECT_LT((turn - rotation).norm(), 2e-5f);
  }
}

TEST(Deform, StretchedSurfaceStretchesCovarianceInItsPlaneOnly) {
  GaussianAvatar avatar = random_avatar(0);
  SurfaceFrames frames(avatar.head);
  MotionFrame frame;
  frame.expression = {1.0f};  // the sphere grows by 10 %
  frames.update(frame);
  for (std::size_t v = 0; v < avatar.head.mesh.positions.size(); v += 7) {
    const Vec3 normal = avatar.head.mesh.positions[v].normalized();
    const Vec3 tangent = normal.cross(Vec3(0.3f, 0.9f, 0.1f)).normalized();
    EXPECT_NEAR((frames.deformation()[v] * tangent).norm(), 1.1f, 5e-3f);
    EXPECT_NEAR((frames.deformation()[v] * normal).norm(), 1.0f, 2e-2f);
    EXPECT_LT((frames.vertices()[v] - 1.1f * avatar.head.mesh.positions[v]).norm(), 1e-6f);
  }
}

TEST(Deform, NeutralIsTheIdentity) {
  const GaussianAvatar avatar = random_avatar(20);
  SurfaceFrames frames(avatar.head);
  frames.update(MotionFrame{});
  std::vector<float> means, deformation;
  deform_gaussians(avatar, frames, means, deformation);
  for (std::size_t i = 0; i < means.size(); ++i) EXPECT_NEAR(means[i], avatar.gaussians.means[i], 1e-6f);
}

}  // namespace
}  // namespace mien
