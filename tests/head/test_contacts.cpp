// Lips that meet, lids that close, teeth that stay behind lips: geometric tests on the built head.
#include <algorithm>
#include <set>

#include "head/head_fixture.h"
#include "mien/head/measures.h"

namespace mien {
namespace {

std::vector<Vec3> posed(const HeadModel& head, const std::vector<std::pair<const char*, float>>& expressions) {
  std::vector<float> weights(static_cast<std::size_t>(head.expression_count()), 0.0f);
  for (const auto& [name, weight] : expressions) {
    const auto found = std::find(head.expression_names.begin(), head.expression_names.end(), name);
    EXPECT_NE(found, head.expression_names.end()) << name;
    weights[static_cast<std::size_t>(found - head.expression_names.begin())] = weight;
  }
  std::vector<Vec3> out;
  head.deform(weights.data(), head.expression_count(), nullptr, out);
  return out;
}

float widest_gap_mm(const std::vector<Vec3>& vertices, const std::vector<std::array<int, 2>>& pairs) {
  float widest = 0;
  for (const auto& [upper, lower] : pairs) widest = std::max(widest, 1000 * (vertices[upper] - vertices[lower]).norm());
  return widest;
}

HeadModel random_person(const HeadModel& head, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> weights;
  for (int i = 0; i < head.identity_count(); ++i) weights.push_back(0.5f * random.normal());
  return head.with_identity(weights);
}

TEST(Contacts, LipsMeetAtRestAndInClosedExpressions) {
  MIEN_REQUIRE_HEAD(head);
  const std::set<std::string> open = {
      "jawOpen",          "mouthClose",        "mouthFunnel", "mouthLowerDownLeft", "mouthLowerDownRight",
      "mouthUpperUpLeft", "mouthUpperUpRight", "tongueOut",   "lipsPart",           "lowerLipTuck"};
  EXPECT_LT(widest_gap_mm(head.mesh.positions, head.contours.lips), 0.1f);
  for (const std::string& name : head.expression_names) {
    const float gap = widest_gap_mm(posed(head, {{name.c_str(), 1.0f}}), head.contours.lips);
    if (open.count(name) == 0) {
      EXPECT_LT(gap, 0.5f) << name;
    } else {
      EXPECT_GT(gap, 3.0f) << name;
    }
  }
}

TEST(Contacts, MouthCloseShutsAnOpenJaw) {
  MIEN_REQUIRE_HEAD(head);
  for (const float open : {0.25f, 0.6f, 1.0f}) {
    const std::vector<Vec3> closed = posed(head, {{"jawOpen", open}, {"mouthClose", open}});
    EXPECT_LT(widest_gap_mm(closed, head.contours.lips), 0.5f) << open;
    EXPECT_GT(mouth_opening_mm(head, posed(head, {{"jawOpen", open}})), 25 * open) << open;
    // The teeth stay as far apart as without it.
    const int tooth = head.contours.lower_teeth[head.contours.lower_teeth.size() / 2];
    EXPECT_LT((closed[tooth] - posed(head, {{"jawOpen", open}})[tooth]).norm(), 1e-5f);
  }
}

TEST(Contacts, LidsClose) {
  MIEN_REQUIRE_HEAD(head);
  const std::vector<Vec3> shut = posed(head, {{"eyeBlinkLeft", 1.0f}, {"eyeBlinkRight", 1.0f}});
  EXPECT_LT(widest_gap_mm(shut, head.contours.lids_left), 0.5f);
  EXPECT_LT(widest_gap_mm(shut, head.contours.lids_right), 0.5f);
  EXPECT_NEAR(lid_opening_left_mm(head, head.mesh.positions), 9, 2);
  EXPECT_GT(lid_opening_left_mm(head, posed(head, {{"eyeWideLeft", 1.0f}})),
            lid_opening_left_mm(head, head.mesh.positions) + 1);
  EXPECT_LT(lid_opening_left_mm(head, posed(head, {{"eyeBlinkRight", 1.0f}})), 12);
}

// No part of the eye shows through a shut lid: from every lid vertex that was near the opening, the eye lies deeper.
TEST(Contacts, TheEyeStaysBehindShutLids) {
  MIEN_REQUIRE_HEAD(head);
  const std::vector<Vec3> shut = posed(head, {{"eyeBlinkLeft", 1.0f}});
  const Vec3& centre = head.joints[static_cast<int>(HeadJoint::kEyeLeft)];
  std::set<int> eye;
  for (int f = 0; f < head.mesh.face_count(); ++f) {
    if (head.face_part[f] == HeadPart::kEyeLeft) eye.insert(head.mesh.faces[f].begin(), head.mesh.faces[f].end());
  }
  // Rays from the eye's centre through each front vertex of the eyeball meet lid skin further out.
  int checked = 0;
  for (const int v : eye) {
    const Vec3 ray = (shut[v] - centre);
    if (ray.z() < 0.8f * ray.norm()) continue;
    ++checked;
    float furthest = 0;
    for (int f = 0; f < head.mesh.face_count(); ++f) {
      if (head.face_part[f] != HeadPart::kSkin) continue;
      const Index3& face = head.mesh.faces[f];
      if ((shut[face[0]] - centre).norm() > 0.03f) continue;
      const Vec3 e1 = shut[face[1]] - shut[face[0]], e2 = shut[face[2]] - shut[face[0]], p = ray.cross(e2);
      const float det = e1.dot(p);
      if (std::abs(det) < 1e-14f) continue;
      const Vec3 from = centre - shut[face[0]], q = from.cross(e1);
      const float a = from.dot(p) / det, b = ray.dot(q) / det;
      if (a < -1e-4f || b < -1e-4f || a + b > 1 + 1e-4f) continue;
      furthest = std::max(furthest, e2.dot(q) / det);
    }
    EXPECT_GT(furthest, 1.0f) << "eye vertex " << v << " at " << head.mesh.positions[v].transpose();
  }
  EXPECT_GT(checked, 50);
}

// A tooth that has entered a lip sees an odd number of skin layers between itself and the outside.
TEST(Contacts, TeethStayOutOfTheLips) {
  MIEN_REQUIRE_HEAD(head);
  std::set<int> teeth;
  for (int f = 0; f < head.mesh.face_count(); ++f) {
    const bool is_tooth = head.face_part[f] == HeadPart::kTeethUpper || head.face_part[f] == HeadPart::kTeethLower;
    if (is_tooth) teeth.insert(head.mesh.faces[f].begin(), head.mesh.faces[f].end());
  }
  std::vector<Index3> near;
  for (int f = 0; f < head.mesh.face_count(); ++f) {
    const Vec3& p = head.mesh.positions[head.mesh.faces[f][0]];
    if (head.face_part[f] == HeadPart::kSkin && p.z() > 0.03f && p.y() < 0.01f && p.y() > -0.15f)
      near.push_back(head.mesh.faces[f]);
  }
  const auto check = [&](const std::string& name, const std::vector<Vec3>& v) {
    int inside = 0, seen = 0;
    for (const int t : teeth) {
      if (t % 7 != 0 || v[t].z() < 0.07f) continue;  // a seventh of the vertices of the front teeth
      ++seen;
      const Vec3 ray = Vec3(0.8f * v[t].x(), 0.003f, 0.02f).normalized();
      int layers = 0;
      for (const Index3& face : near) {
        const Vec3& a = v[face[0]];
        if (std::abs(a.y() - v[t].y()) > 0.03f || std::abs(a.x() - v[t].x()) > 0.03f) continue;
        const Vec3 e1 = v[face[1]] - a, e2 = v[face[2]] - a, p = ray.cross(e2);
        const float det = e1.dot(p);
        if (std::abs(det) < 1e-14f) continue;
        const Vec3 from = v[t] - a, q = from.cross(e1);
        const float s = from.dot(p) / det, u = ray.dot(q) / det;
        if (s >= 0 && u >= 0 && s + u <= 1 && e2.dot(q) / det > 0) ++layers;
      }
      inside += layers % 2;
    }
    ASSERT_GT(seen, 60);
    // lowerLipTuck presses the lip against the teeth's edge: that contact is wanted.
    EXPECT_LE(inside, name == "lowerLipTuck" ? seen / 20 : seen / 100) << name << ": " << inside << " of " << seen;
  };
  check("neutral", head.mesh.positions);
  for (const std::string& name : head.expression_names) {
    if (name.starts_with("eye") || name.starts_with("brow")) continue;
    if (name == "mouthClose") {
      check("mouthClose", posed(head, {{"mouthClose", 1.0f}, {"jawOpen", 1.0f}}));
    } else {
      check(name, posed(head, {{name.c_str(), 1.0f}}));
    }
  }
  check("smile", posed(head, {{"mouthSmileLeft", 1.0f}, {"mouthSmileRight", 1.0f}}));
  check("press", posed(head, {{"mouthPressLeft", 1.0f}, {"mouthPressRight", 1.0f}}));
}

TEST(Contacts, HoldForOtherPeopleToo) {
  MIEN_REQUIRE_HEAD(head);
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const HeadModel person = random_person(head, seed);
    EXPECT_LT(widest_gap_mm(person.mesh.positions, person.contours.lips), 0.5f) << seed;
    const std::vector<Vec3> shut = posed(person, {{"eyeBlinkLeft", 1.0f}, {"eyeBlinkRight", 1.0f}});
    EXPECT_LT(widest_gap_mm(shut, person.contours.lids_left), 0.5f) << seed;
    EXPECT_LT(widest_gap_mm(shut, person.contours.lids_right), 0.5f) << seed;
    EXPECT_LT((person.joints[2] + person.joints[3] - Vec3(0, 0, 0.16f)).norm(), 2e-3f) << seed;
  }
}

TEST(Measures, SayWhatTheyShould) {
  MIEN_REQUIRE_HEAD(head);
  const std::vector<Vec3>& rest = head.mesh.positions;
  EXPECT_LT(mouth_opening_mm(head, rest), 0.1f);
  EXPECT_NEAR(mouth_width_mm(head, rest), 50, 8);
  EXPECT_LT(lower_lip_to_teeth_mm(head, posed(head, {{"lowerLipTuck", 1.0f}})), 2.0f);  // F and V are possible
  EXPECT_GT(lower_lip_to_teeth_mm(head, posed(head, {{"jawOpen", 0.6f}})), 8.0f);
  EXPECT_LT(mouth_width_mm(head, posed(head, {{"mouthPucker", 1.0f}})), 0.85f * mouth_width_mm(head, rest));
  EXPECT_GT(mouth_width_mm(head, posed(head, {{"mouthSmileLeft", 1.0f}, {"mouthSmileRight", 1.0f}})),
            mouth_width_mm(head, rest) + 4);
  EXPECT_GT(minimal_lip_gap_mm(head, posed(head, {{"jawOpen", 0.5f}})), 5);
  EXPECT_GT(lip_vertices(head).size(), 200u);
  EXPECT_GT(lid_vertices(head).size(), 200u);
  // Posing the head changes none of them.
  std::vector<Vec3> turned = posed(head, {{"jawOpen", 0.4f}});
  const float opening = mouth_opening_mm(head, turned);
  HeadPose pose;
  pose.head = Quat(Eigen::AngleAxisf(1.2f, Vec3::UnitX()));
  pose.root = Quat(Eigen::AngleAxisf(2.0f, Vec3::UnitZ()));
  head.pose(pose, turned);
  EXPECT_NEAR(mouth_opening_mm(head, turned), opening, 1e-2f);
  HeadModel blind = test::toy_head();
  blind.contours = {};
  EXPECT_THROW(mouth_opening_mm(blind, blind.mesh.positions), Error);
}

}  // namespace
}  // namespace mien
