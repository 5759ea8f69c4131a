// The built head: what it holds, where things lie, how it moves.
#include <algorithm>
#include <set>

#include "head/head_fixture.h"

namespace mien {
namespace {

Vec3 at(const HeadModel& model, const std::vector<Vec3>& vertices, int landmark) {
  const SurfacePoint& point = model.landmarks[landmark];
  Vec3 p = Vec3::Zero();
  for (int k = 0; k < 3; ++k) p += point.barycentric[k] * vertices[model.mesh.faces[point.face][k]];
  return p;
}

// The region of the heaviest corner.
HeadRegion region_at(const HeadModel& model, int landmark) {
  const SurfacePoint& point = model.landmarks[landmark];
  Eigen::Index corner = 0;
  point.barycentric.maxCoeff(&corner);
  return model.region[model.mesh.faces[point.face][corner]];
}

TEST(BuiltHead, IsCompleteAndSmall) {
  MIEN_REQUIRE_HEAD(head);
  EXPECT_LE(std::filesystem::file_size(find_head_asset()), 20u << 20);
  EXPECT_LE(head.vertex_count(), 12000);
  EXPECT_GE(head.identity_count(), 40);
  EXPECT_GE(head.expression_count(), kArkitCount);
  EXPECT_EQ(head.landmarks.size(), 478u);
  std::set<HeadPart> parts(head.face_part.begin(), head.face_part.end());
  EXPECT_EQ(parts.size(), 9u);
  std::set<HeadRegion> regions(head.region.begin(), head.region.end());
  EXPECT_EQ(static_cast<int>(regions.size()), kHeadRegionCount);
  std::set<int> used;
  for (const Index3& face : head.mesh.faces) used.insert(face.begin(), face.end());
  EXPECT_GT(static_cast<int>(used.size()), head.vertex_count() * 98 / 100);
}

TEST(BuiltHead, StandsWhereTheContractSays) {
  MIEN_REQUIRE_HEAD(head);
  const Vec3& left = head.joints[2];
  const Vec3& right = head.joints[3];
  EXPECT_GT(left.x(), 0.02f);
  EXPECT_LT((left + right - Vec3(0, 0, 0.16f)).norm(), 1e-3f);  // midpoint 80 mm before the origin
  EXPECT_NEAR(left.x() - right.x(), 0.060f, 0.006f);            // adult pupil distance
  float top = 0, lowest = 0, front = 0;
  for (const Vec3& p : head.mesh.positions) {
    top = std::max(top, p.y());
    lowest = std::min(lowest, p.y());
    front = std::max(front, p.z());
  }
  EXPECT_NEAR(top, 0.11f, 0.02f);
  EXPECT_LT(lowest, -0.25f);
  EXPECT_NEAR(front, 0.12f, 0.02f);  // tip of the nose
}

TEST(BuiltHead, EveryExpressionDoesSomethingOnItsOwnSide) {
  MIEN_REQUIRE_HEAD(head);
  const std::size_t n = head.mesh.positions.size();
  for (int e = 0; e < head.expression_count(); ++e) {
    float largest = 0, left = 0, right = 0;
    for (std::size_t v = 0; v < n; ++v) {
      const float d = head.expression[static_cast<std::size_t>(e) * n + v].norm();
      largest = std::max(largest, d);
      // Away from the middle, where halves blend.
      if (head.mesh.positions[v].x() > 0.013f) left = std::max(left, d);
      if (head.mesh.positions[v].x() < -0.013f) right = std::max(right, d);
    }
    const std::string& name = head.expression_names[e];
    EXPECT_GT(largest, 0.0008f) << name;
    EXPECT_LT(largest, 0.06f) << name;
    const bool is_sideways = name == "jawLeft" || name == "jawRight" || name == "mouthLeft" || name == "mouthRight";
    if (name.ends_with("Left") && !is_sideways) {
      EXPECT_LT(right, 0.1f * left) << name;
    }
    if (name.ends_with("Right") && !is_sideways) {
      EXPECT_LT(left, 0.1f * right) << name;
    }
  }
}

TEST(BuiltHead, LeftAndRightAreMirrorImages) {
  MIEN_REQUIRE_HEAD(head);
  const auto& teeth = head.contours.lips;
  for (std::size_t i = 0; i < teeth.size(); ++i) {
    const Vec3 a = head.mesh.positions[teeth[i][0]], b = head.mesh.positions[teeth[teeth.size() - 1 - i][0]];
    EXPECT_LT((a - Vec3(-b.x(), b.y(), b.z())).norm(), 1e-4f);
  }
  EXPECT_LT(head.mesh.positions[head.contours.mouth_corners[0]].x(), -0.015f);  // right first
}

TEST(BuiltHead, TheSkullIsRigid) {
  MIEN_REQUIRE_HEAD(head);
  HeadPose pose;
  pose.head = Quat(Eigen::AngleAxisf(0.5f, Vec3(0.2f, 1, 0).normalized()));
  pose.neck = Quat(Eigen::AngleAxisf(0.3f, Vec3::UnitX()));
  std::vector<Vec3> moved = head.mesh.positions;
  head.pose(pose, moved);
  const int nose = head.mesh.faces[head.landmarks[4].face][0];
  for (int v = 0; v < head.vertex_count(); ++v) {
    const Vec3& p = head.mesh.positions[v];
    if (p.y() < (p.z() < 0.02f ? 0.0f : -0.045f)) continue;  // all of the skull above mouth and nape
    const float before = (head.mesh.positions[v] - head.mesh.positions[nose]).norm();
    ASSERT_NEAR((moved[v] - moved[nose]).norm(), before, 3e-6f) << v;
  }
}

TEST(BuiltHead, TheNeckHasNoSeam) {
  MIEN_REQUIRE_HEAD(head);
  // Neighbours differ little in how far they follow, so a turned neck does not tear.
  for (int f = 0; f < head.mesh.face_count(); ++f) {
    if (head.face_part[f] != HeadPart::kSkin) continue;
    for (int k = 0; k < 3; ++k) {
      const int a = head.mesh.faces[f][k], b = head.mesh.faces[f][(k + 1) % 3];
      const float length = (head.mesh.positions[a] - head.mesh.positions[b]).norm();
      for (int j = 0; j < 2; ++j) {
        EXPECT_LT(std::abs(head.skin_weights[a][j] - head.skin_weights[b][j]), 0.06f + 25.0f * length) << a << " " << b;
      }
      ASSERT_LE(head.skin_weights[a][1], head.skin_weights[a][0]);
    }
  }
}

TEST(Landmarks, LieOnTheRightRegions) {
  MIEN_REQUIRE_HEAD(head);
  for (const int i : {61, 40, 37, 0, 267, 270, 13, 82, 312}) EXPECT_EQ(region_at(head, i), HeadRegion::kUpperLip) << i;
  for (const int i : {91, 84, 17, 314, 321, 14, 87, 317}) EXPECT_EQ(region_at(head, i), HeadRegion::kLowerLip) << i;
  for (const int i : {159, 158, 160}) EXPECT_EQ(region_at(head, i), HeadRegion::kUpperLidRight) << i;
  for (const int i : {386, 385, 387}) EXPECT_EQ(region_at(head, i), HeadRegion::kUpperLidLeft) << i;
  for (const int i : {145, 153}) EXPECT_EQ(region_at(head, i), HeadRegion::kLowerLidRight) << i;
  for (const int i : {374, 380}) EXPECT_EQ(region_at(head, i), HeadRegion::kLowerLidLeft) << i;
  for (const int i : {4, 1, 5, 195}) EXPECT_EQ(region_at(head, i), HeadRegion::kNose) << i;
  for (const int i : {151, 10}) EXPECT_EQ(region_at(head, i), HeadRegion::kForehead) << i;
  for (int i = 468; i < 478; ++i) EXPECT_EQ(region_at(head, i), HeadRegion::kEyes) << i;
}

TEST(Landmarks, AreMirroredAndOrderedLikeAFace) {
  MIEN_REQUIRE_HEAD(head);
  const auto& rest = head.mesh.positions;
  const auto place = [&](int i) { return at(head, rest, i); };
  // Pairs of MediaPipe's left and right points.
  for (const auto& [right, left] : {std::pair(33, 263), std::pair(133, 362), std::pair(61, 291), std::pair(234, 454),
                                    std::pair(172, 397), std::pair(105, 334)}) {
    const Vec3 a = place(right), b = place(left);
    EXPECT_LT(a.x(), 0) << right;
    EXPECT_LT((a - Vec3(-b.x(), b.y(), b.z())).norm(), 0.004f) << right;
  }
  // Down the middle line.
  const int middle[] = {10, 151, 9, 168, 6, 197, 195, 5, 4, 2, 164, 0, 13, 17, 18, 200, 152};
  for (std::size_t i = 1; i < std::size(middle); ++i) {
    EXPECT_GT(place(middle[i - 1]).y(), place(middle[i]).y()) << middle[i];
    EXPECT_LT(std::abs(place(middle[i]).x()), 0.002f) << middle[i];
  }
  EXPECT_LT((place(13) - place(14)).norm(), 0.0005f);                  // closed lips
  EXPECT_NEAR((place(468) - head.joints[3]).norm(), 0.0165f, 0.003f);  // right pupil before the right eye's centre
  EXPECT_GT(place(468).z(), head.joints[3].z() + 0.012f);
  EXPECT_LT(place(468).x(), 0);
  EXPECT_GT(place(473).x(), 0);
}

TEST(Landmarks, FollowTheMouth) {
  MIEN_REQUIRE_HEAD(head);
  std::vector<float> weights(kArkitCount, 0.0f);
  weights[arkit_index("jawOpen")] = 1;
  std::vector<Vec3> open;
  head.deform(weights.data(), kArkitCount, nullptr, open);
  EXPECT_GT((at(head, open, 13) - at(head, open, 14)).norm(), 0.02f);
  EXPECT_LT((at(head, open, 4) - at(head, head.mesh.positions, 4)).norm(), 1e-4f);
}

}  // namespace
}  // namespace mien
