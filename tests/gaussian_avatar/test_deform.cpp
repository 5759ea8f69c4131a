// Gaussians that follow a surface: one test body over the CPU and CUDA, and both against each other.
#include <gtest/gtest.h>

#include <algorithm>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/gaussian_avatar/cuda.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/gaussian_avatar/renderer.h"
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

struct Posed {
  std::vector<float> means, deformation;
};

Posed pose_with(bool cuda, const GaussianAvatar& avatar, const MotionFrame& frame) {
  Posed out;
  SurfaceFrames frames(avatar.head);
  frames.update(frame);
  if (!cuda) {
    deform_gaussians(avatar, frames, out.means, out.deformation);
    return out;
  }
  std::vector<float> vertices;
  for (const Vec3& v : frames.vertices()) vertices.insert(vertices.end(), {v.x(), v.y(), v.z()});
  const CudaAvatarPose pose(avatar);
  EXPECT_EQ(pose.vertex_count(), static_cast<int>(frames.vertices().size()));
  const auto n = static_cast<std::size_t>(pose.gaussian_count());
  const CudaArray<float> posed(vertices), means(std::vector<float>(3 * n, 7));
  const CudaArray<float> deformation(std::vector<float>(9 * n, 7));
  pose.enqueue(posed.data(), means.data(), deformation.data(), nullptr);
  cuda_synchronize(nullptr);
  return {means.host(), deformation.host()};
}

class Deform : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (cuda() && !cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
  }
  static bool cuda() { return std::string(GetParam()) == "cuda"; }
  static Posed pose(const GaussianAvatar& avatar, const MotionFrame& frame) { return pose_with(cuda(), avatar, frame); }
};

TEST_P(Deform, RigidMotionCarriesEverythingRigidly) {
  const GaussianAvatar avatar = random_avatar(50);
  MotionFrame frame;
  frame.pose.root = Quat(Eigen::AngleAxisf(0.7f, Vec3(1, 2, -1).normalized()));
  frame.pose.translation = Vec3(0.1f, -0.2f, 0.3f);
  const auto [means, deformation] = pose(avatar, frame);
  const Mat3 rotation = frame.pose.root.toRotationMatrix();
  for (int i = 0; i < avatar.gaussians.count(); ++i) {
    const Vec3 wanted = rotation * Eigen::Map<const Vec3>(&avatar.gaussians.means[i * 3]) + frame.pose.translation;
    EXPECT_LT((Eigen::Map<const Vec3>(&means[i * 3]) - wanted).norm(), 2e-6f);
    const Mat3 turn = Eigen::Map<const Eigen::Matrix<float, 3, 3, Eigen::RowMajor>>(&deformation[i * 9]);
    EXPECT_LT((turn - rotation).norm(), 2e-5f);
  }
}

TEST(SurfaceFrames, StretchedSurfaceStretchesCovarianceInItsPlaneOnly) {
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

TEST_P(Deform, NeutralIsTheIdentity) {
  const GaussianAvatar avatar = random_avatar(20);
  const std::vector<float> means = pose(avatar, MotionFrame{}).means;
  ASSERT_EQ(means.size(), avatar.gaussians.means.size());
  for (std::size_t i = 0; i < means.size(); ++i) EXPECT_NEAR(means[i], avatar.gaussians.means[i], 1e-6f);
}

TEST(CudaAvatarPose, AgreesWithTheCpuWhereTheSurfaceIsCreased) {
  if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
  GaussianAvatar avatar = random_avatar(1000);
  avatar.anchors[3].weight = {1, 0, 0, 0};
  Random random(5);
  MotionFrame frame;
  for (int v = 0; v < avatar.head.vertex_count(); ++v)
    frame.offsets.emplace_back(0.004f * random.normal(), 0.004f * random.normal(), 0.004f * random.normal());
  frame.pose.neck = Quat(Eigen::AngleAxisf(0.3f, Vec3::UnitX()));
  SurfaceFrames frames(avatar.head);
  frames.update(frame);
  Posed expected;
  deform_gaussians(avatar, frames, expected.means, expected.deformation);
  const Posed got = pose_with(true, avatar, frame);
  ASSERT_EQ(got.deformation.size(), expected.deformation.size());
  for (std::size_t i = 0; i < got.means.size(); ++i) ASSERT_NEAR(got.means[i], expected.means[i], 2e-6f) << i;
  for (std::size_t i = 0; i < got.deformation.size(); ++i)
    ASSERT_NEAR(got.deformation[i], expected.deformation[i], 1e-4f) << i;
}

INSTANTIATE_TEST_SUITE_P(Devices, Deform, testing::Values("cpu", "cuda"),
                         [](const auto& p) { return std::string(p.param); });

// An avatar with everything that changes from moment to moment.
struct Look {
  const char* name;
  bool networks = false;
  G2aOptions g2anet = {};

  friend void PrintTo(const Look& look, std::ostream* out) { *out << look.name; }
};

GaussianAvatar dressed_avatar(const Look& look) {
  GaussianAvatar avatar = random_avatar(2000);
  Random random(6);
  Gaussians& g = avatar.gaussians;
  for (int i = 0; i < 2000; ++i) {
    for (int k = 0; k < 4; ++k) g.quats.push_back(random.normal());
    for (int k = 0; k < 3; ++k) g.log_scales.push_back(-5 + 0.3f * random.normal());
    for (int k = 0; k < 48; ++k) g.sh.push_back(0.3f * random.normal());
  }
  avatar.modes = face_colour_modes(avatar.head);
  for (std::int32_t i = 1; i < 2000; i += 3) {
    avatar.modes.gaussian.push_back(i);
    for (int k = 0; k < 3 * avatar.modes.count(); ++k) avatar.modes.colour.push_back(0.5f * random.normal());
  }
  // Eyes, and a neck that follows in parts.
  for (std::size_t v = 0; v < avatar.head.region.size(); ++v) {
    const Vec3& p = avatar.head.mesh.positions[v];
    if (p.z() > 0.08f && p.y() > 0) avatar.head.region[v] = HeadRegion::kEyes;
    const float neck = std::clamp(p.y() * 8 + 0.6f, 0.0f, 1.0f);
    avatar.head.skin_weights[v] = {neck, neck * neck};
  }
  avatar.head.joints[static_cast<int>(HeadJoint::kEyeLeft)] = Vec3(0.03f, 0.03f, 0.05f);
  avatar.head.joints[static_cast<int>(HeadJoint::kEyeRight)] = Vec3(-0.03f, 0.03f, 0.05f);
  if (!look.networks) return avatar;
  avatar.g2anet = make_g2anet(avatar, look.g2anet, 4);
  avatar.g2anet.gaussian.clear();
  for (std::int32_t i = 0; i < 2000; i += 2) avatar.g2anet.gaussian.push_back(i);
  for (auto* stack : {&avatar.g2anet.feature, &avatar.g2anet.rotation}) {
    for (G2aLayer& layer : *stack) {
      for (float& w : layer.weight) w += 0.05f * random.normal();
    }
  }
  return avatar;
}

MotionFrame lively_frame(const HeadModel& head, float strength) {
  MotionFrame frame;
  frame.expression.assign(head.expression_names.size(), 0.0f);
  for (std::size_t e = 0; e < frame.expression.size(); e += 2) frame.expression[e] = strength;
  frame.emotion = {0.3f, 0.7f};
  frame.pose.root = Quat(Eigen::AngleAxisf(strength, Vec3::UnitY()));
  frame.pose.head = Quat(Eigen::AngleAxisf(-strength, Vec3::UnitX()));
  frame.pose.neck = Quat(Eigen::AngleAxisf(strength / 2, Vec3(1, 1, 0).normalized()));
  frame.pose.translation = Vec3(0.02f, 0.01f, -0.03f);
  frame.pose.gaze_left = {0.2f, 0.1f};
  frame.pose.gaze_right = {-0.3f, 0.2f};
  Random random(17);
  for (int v = 0; v < head.vertex_count() && strength > 0.3f; ++v)
    frame.offsets.emplace_back(1e-3f * random.normal(), 1e-3f * random.normal(), 1e-3f * random.normal());
  return frame;
}

class CudaRenderer : public testing::TestWithParam<Look> {
 protected:
  void SetUp() override {
    if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
  }
  const GaussianAvatar avatar_ = dressed_avatar(GetParam());
  const Camera camera_ = look_at({0.1f, 0.1f, 0.9f}, {0, 0, 0}, 0.5f, 130, 110);
};

TEST_P(CudaRenderer, DrawsWhatTheCpuDraws) {
  std::vector<float> rgb(3 * 130 * 110), alpha(130 * 110), got = rgb, got_alpha = alpha;
  AvatarRenderer cpu(avatar_, Device::kCpu), cuda(avatar_, Device::kCuda);
  EXPECT_TRUE(cuda.cuda());
  for (const float strength : {0.4f, 0.1f, 0.4f}) {  // nothing stays of an earlier moment
    MotionFrame frame = lively_frame(avatar_.head, strength);
    if (strength > 0.3f)  // between them a moment without sound
      for (int i = 0; i < avatar_.g2anet.options.sound; ++i) frame.sound.push_back(0.3f * static_cast<float>(i % 3));
    cpu.render(frame, camera_, SplatOptions{}, rgb.data(), alpha.data());
    cuda.render(frame, camera_, SplatOptions{}, got.data(), got_alpha.data());
    double mean = 0, covered = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], rgb[i], 6e-3f) << i;
      mean += std::abs(got[i] - rgb[i]) / static_cast<double>(got.size());
    }
    for (std::size_t i = 0; i < alpha.size(); ++i) {
      ASSERT_NEAR(got_alpha[i], alpha[i], 6e-3f) << i;
      covered += alpha[i];
    }
    EXPECT_LT(mean, 2e-5);
    EXPECT_GT(covered, 1000);
    for (std::size_t v = 0; v < cpu.vertices().size(); ++v) ASSERT_EQ(cuda.vertices()[v], cpu.vertices()[v]);
  }
}

TEST_P(CudaRenderer, PaintsWhatTheCpuPaints) {
  AvatarRenderer cpu(avatar_, Device::kCpu), cuda(avatar_, Device::kCuda);
  const MotionFrame frame = lively_frame(avatar_.head, 0.3f);
  const Backdrop backdrop = {{0.6f, 0.5f, 0.4f}, {0.1f, 0.2f, 0.3f}};
  const Image8 expected = cpu.paint(frame, camera_, backdrop), got = cuda.paint(frame, camera_, backdrop);
  ASSERT_EQ(got.pixels.size(), expected.pixels.size());
  int unlike = 0;
  for (std::size_t i = 0; i < got.pixels.size(); ++i) {
    ASSERT_NEAR(got.pixels[i], expected.pixels[i], 2) << i;
    unlike += got.pixels[i] != expected.pixels[i] ? 1 : 0;
  }
  EXPECT_LT(unlike, 200) << "of 42900 values: only where rounding decides";
  EXPECT_NEAR(expected.pixels.front(), 0.6f * 255, 1.5f) << "a corner of the backdrop";
}

INSTANTIATE_TEST_SUITE_P(Looks, CudaRenderer,
                         testing::Values(Look{"modes"}, Look{"networks", true, {32, 6, true, true, true}},
                                         Look{"turns", true, {33, 2, false, true, false}},
                                         Look{"narrow", true, {1, 0, true, false, false}},
                                         Look{"wide", true, {250, 6, true, true, false}},
                                         Look{"sound", true, {40, 6, true, true, true, 19}}),
                         [](const auto& p) { return std::string(p.param.name); });

TEST(AvatarRenderer, TheCpuIsTakenWhenAskedForAndCudaRefusedWhenAbsent) {
  const GaussianAvatar avatar = dressed_avatar({"modes"});
  EXPECT_FALSE(AvatarRenderer(avatar, Device::kCpu).cuda());
  EXPECT_EQ(AvatarRenderer(avatar, Device::kAuto).cuda(), cuda_missing().empty());
  if (!cuda_missing().empty()) {
    EXPECT_THROW(AvatarRenderer(avatar, Device::kCuda), Error);
  }
}

}  // namespace
}  // namespace mien
