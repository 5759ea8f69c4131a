#include <gtest/gtest.h>

#include <cmath>

#include "mien/base/error.h"
#include "mien/metrics/motion_metrics.h"

namespace mien {
namespace {

// Three vertices, one of each lip and one of the nose; expression 0 lifts all of them by 10 mm, expression 1 pulls the
// lower lip sideways by 10 mm.
HeadModel three_points() {
  HeadModel model;
  model.id = "three";
  model.mesh.positions = {Vec3(0, 0, 0), Vec3(0.1f, 0, 0), Vec3(0, 0.1f, 0)};
  model.mesh.faces = {{0, 1, 2}};
  model.face_part = {HeadPart::kSkin};
  model.region = {HeadRegion::kUpperLip, HeadRegion::kLowerLip, HeadRegion::kNose};
  model.expression_names = {"lift", "pull"};
  const Vec3 up(0, 0.01f, 0), side(0.01f, 0, 0), none(0, 0, 0);
  model.expression = {up, up, up, none, side, none};
  model.joints.fill(Vec3::Zero());
  model.skin_weights.assign(3, {1.0f, 1.0f});
  return model;
}

HeadMotion motion_of(const std::vector<std::vector<float>>& weights) {
  HeadMotion motion;
  motion.head_model = "three";
  motion.expression_names = {"lift", "pull"};
  for (const std::vector<float>& w : weights) {
    motion.frames.emplace_back();
    motion.frames.back().expression = w;
  }
  return motion;
}

TEST(MotionMetrics, JitterByHand) {
  const HeadModel model = three_points();
  // Steady motion has no second difference; one step of weight 1 has one of 10 mm up and one down.
  EXPECT_NEAR(motion_jitter_mm(model, motion_of({{0, 0}, {0.1f, 0}, {0.2f, 0}, {0.3f, 0}})), 0, 1e-4);
  EXPECT_NEAR(motion_jitter_mm(model, motion_of({{0, 0}, {0, 0}, {1, 0}, {1, 0}})), 10, 1e-4);
  EXPECT_NEAR(motion_jitter_mm(model, motion_of({{0, 0}, {0, 1}, {0, 0}})), 20.0 / 3, 1e-4);
  MotionMetricOptions lower;
  lower.regions = {HeadRegion::kLowerLip};
  EXPECT_NEAR(motion_jitter_mm(model, motion_of({{0, 0}, {0, 1}, {0, 0}}), lower), 20, 1e-4);
  lower.regions = {HeadRegion::kEars};
  EXPECT_THROW(motion_jitter_mm(model, motion_of({{0, 0}}), lower), Error);
  EXPECT_EQ(motion_jitter_mm(model, motion_of({{0, 0}, {1, 1}})), 0);
}

TEST(MotionMetrics, PoseCountsOnlyWhenAskedFor) {
  const HeadModel model = three_points();
  HeadMotion motion = motion_of({{0, 0}, {0, 0}, {0, 0}});
  motion.frames[1].pose.translation = Vec3(0, 0, 0.005f);
  EXPECT_NEAR(motion_jitter_mm(model, motion), 0, 1e-6);
  MotionMetricOptions posed;
  posed.posed = true;
  EXPECT_NEAR(motion_jitter_mm(model, motion, posed), 10, 1e-4);
}

TEST(MotionMetrics, JitterAgainstTruth) {
  const HeadModel model = three_points();
  const HeadMotion truth = motion_of({{0, 0}, {0, 0}, {1, 0}, {1, 0}});  // 10 mm
  EXPECT_NEAR(jitter_ratio(model, truth, truth), 1, 1e-6);
  EXPECT_NEAR(jitter_ratio(model, truth, motion_of({{0, 0}, {0.6f, 0}, {0, 0}})), 1.2, 1e-4);
  const HeadMotion still = motion_of({{1, 0}, {1, 0}, {1, 0}});
  EXPECT_EQ(jitter_ratio(model, truth, still), 0);
  EXPECT_EQ(jitter_ratio(model, still, still), 1);
  EXPECT_TRUE(std::isinf(jitter_ratio(model, still, truth)));
  HeadMotion slow = truth;
  slow.fps = 25;
  EXPECT_THROW(jitter_ratio(model, truth, slow), Error);
}

TEST(MotionMetrics, LipErrorTakesTheWorstLipVertex) {
  const HeadModel model = three_points();
  const HeadMotion truth = motion_of({{0, 0}, {0, 0}});
  EXPECT_EQ(lip_vertex_error_mm(model, truth, truth), 0);
  EXPECT_NEAR(lip_vertex_error_mm(model, truth, motion_of({{0, 0}, {0.3f, 0.4f}})), 5.0 / 2, 1e-4);
  EXPECT_THROW(lip_vertex_error_mm(model, truth, motion_of({{0, 0}})), Error);
}

}  // namespace
}  // namespace mien
