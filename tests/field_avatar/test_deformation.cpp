#include <gtest/gtest.h>

#include "field_avatar/moment.h"
#include "gaussian_avatar/simple_head.h"
#include "mien/base/random.h"

namespace mien {
namespace {

std::vector<Vec3> posed(const HeadModel& head, const MotionFrame& frame) {
  std::vector<Vec3> out;
  head.deform(frame.expression.data(), static_cast<int>(frame.expression.size()), nullptr, out);
  head.pose(frame.pose, out);
  return out;
}

// A head that only turns carries every point back by the same turn.
TEST(Deformation, UndoesARigidMotionExactly) {
  const HeadModel head = simple_head();
  const CanonicalHead canonical(head);
  MovedHead moved(canonical);
  const Mat3 turn = Eigen::AngleAxisf(0.7f, Vec3(1, 2, 3).normalized()).toRotationMatrix();
  const Vec3 shift(0.1f, -0.2f, 0.3f);
  std::vector<Vec3> vertices;
  for (const Vec3& p : canonical.positions()) vertices.push_back(turn * p + shift);
  moved.update(vertices);
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    const Vec3 x = 0.12f * Vec3(random.normal(), random.normal(), random.normal());
    const carry::Place place = moved.place(turn * x + shift, 1);
    ASSERT_GE(place.face, 0);
    EXPECT_LT((Eigen::Map<const Vec3>(place.x) - x).norm(), 2e-5f);
    const Vec3 d = Vec3(random.normal(), random.normal(), random.normal()).normalized();
    Vec3 out;
    const Vec3 seen = turn * d;
    carry::turn_direction(place.turn, seen.data(), out.data());
    EXPECT_LT((out - d).norm(), 1e-4f);
  }
}

// Points of the moved surface are the same points of the canonical one, however the face moves.
TEST(Deformation, SurfaceStaysSurface) {
  const HeadModel head = simple_head();
  const CanonicalHead canonical(head);
  MovedHead moved(canonical);
  MotionFrame frame;
  frame.expression = {1.5f};
  frame.pose.root = Quat(Eigen::AngleAxisf(0.4f, Vec3::UnitX()));
  std::vector<Vec3> vertices = posed(head, frame);
  for (Vec3& p : vertices) p.x() *= 1 + 2 * p.y();  // not the same everywhere
  moved.update(vertices);
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    const Index3& t = canonical.faces()[random.below(static_cast<std::uint32_t>(canonical.faces().size()))];
    float a = random.uniform(), b = random.uniform();
    if (a + b > 1) a = 1 - a, b = 1 - b;
    const auto at = [&](const std::vector<Vec3>& p) { return Vec3((1 - a - b) * p[t[0]] + a * p[t[1]] + b * p[t[2]]); };
    const carry::Place place = moved.place(at(vertices), 0.01f);
    ASSERT_GE(place.face, 0);
    EXPECT_LT((Eigen::Map<const Vec3>(place.x) - at(canonical.positions())).norm(), 1e-5f);
    EXPECT_LT(place.distance, 3e-5f);
  }
}

// A sphere that has grown by a tenth carries points above it back by that tenth too.
TEST(Deformation, ScalesWithTheSurface) {
  const HeadModel head = simple_head(32, 48);
  const CanonicalHead canonical(head);
  MovedHead moved(canonical);
  std::vector<Vec3> grown;
  for (const Vec3& p : canonical.positions()) grown.push_back(1.1f * p);
  moved.update(grown);
  const Vec3 d = Vec3(0.3f, 0.2f, 0.9f).normalized();
  const carry::Place place = moved.place(0.132f * d, 0.1f);
  EXPECT_LT((Eigen::Map<const Vec3>(place.x) - 0.12f * d).norm(), 3e-4f);
  EXPECT_EQ(moved.place(0.3f * d, 0.1f).face, -1) << "too far from it";
}

// The place of a point does not jump from triangle to triangle.
TEST(Deformation, IsContinuous) {
  const HeadModel head = simple_head();
  const CanonicalHead canonical(head);
  MovedHead moved(canonical);
  std::vector<Vec3> bent;
  for (const Vec3& p : canonical.positions())
    bent.emplace_back(p.x() + 3 * p.y() * p.y(), p.y(), p.z() - 4 * p.x() * p.x());
  moved.update(bent);
  Vec3 last = Vec3::Zero();
  constexpr int kSteps = 4000;
  for (int i = 0; i <= kSteps; ++i) {
    const float angle = 6.2831853f * static_cast<float>(i) / kSteps;
    const Vec3 p(0.125f * std::cos(angle), 0.02f, 0.125f * std::sin(angle));
    const carry::Place place = moved.place(p, 1);
    const Eigen::Map<const Vec3> x(place.x);
    if (i > 0) {
      EXPECT_LT((x - last).norm(), 0.003f) << "at " << angle;
    }
    last = x;
  }
}

// Samples: what a march asks about holds everything within reach, and nothing else is kept.
TEST(FieldMoment, GathersAllThatIsWithinReach) {
  const HeadModel head = simple_head();
  const CanonicalHead canonical(head);
  FieldMoment moment(canonical, 0.05f);
  const std::vector<float> reach(canonical.faces().size(), 0.02f);
  moment.update(canonical.positions(), reach);
  const Camera camera = look_at({0, 0, 1}, {0, 0, 0}, 0.35f, 32, 32);
  std::vector<std::int64_t> pixels;
  for (int i = 0; i < 32 * 32; ++i) pixels.push_back(i);
  FieldRays rays;
  moment.aim(camera, pixels, rays);
  const Occupancy everything({.resolution = 32});
  GatheredSamples samples;
  moment.gather(rays, reach, everything.view(), {.step = 0.002f, .limit = 0.05f}, samples);
  MovedHead moved(canonical);
  std::size_t sure = 0;
  for (std::size_t r = 0; r < rays.size(); ++r) {
    int least = 0, most = 0;
    for (int k = 0; k < 1000; ++k) {
      const float t = 0.5f + 0.001f * static_cast<float>(k);
      if (t > rays.surface[r] + 0.03f) break;
      const float d = moved.place(rays.origins[r] + t * rays.directions[r], 1).distance;
      least += d < 0.0195f ? 1 : 0;
      most += d < 0.0205f ? 1 : 0;
    }
    // The march samples every 2 mm what is counted here every millimetre.
    EXPECT_GE(samples.rays.count[r] + 2.5, least / 2.0) << r;
    EXPECT_LE(samples.rays.count[r] - 2.5, most / 2.0) << r;
    sure += static_cast<std::size_t>(least);
  }
  EXPECT_GT(sure, 1000u);
  for (const float d : samples.distance) EXPECT_LE(d, 0.02f);
}

}  // namespace
}  // namespace mien
