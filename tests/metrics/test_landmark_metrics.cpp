#include <gtest/gtest.h>

#include <cmath>

#include "mien/base/error.h"
#include "mien/metrics/landmark_metrics.h"

namespace mien {
namespace {

// One triangle before the camera with three landmarks: two corners, of which the second is a lip, and the middle.
HeadModel triangle_head() {
  HeadModel model;
  model.mesh.positions = {Vec3(0, 0, 0), Vec3(0.03f, 0, 0), Vec3(0, 0.06f, 0)};
  model.mesh.faces = {{0, 1, 2}};
  model.region = {HeadRegion::kNose, HeadRegion::kLowerLip, HeadRegion::kFace};
  model.landmarks = {{0, Vec3(1, 0, 0)}, {0, Vec3(0.1f, 0.8f, 0.1f)}, {0, Vec3(0.5f, 0.25f, 0.25f)}};
  return model;
}

Camera front() {
  Camera camera;  // half a metre before the origin, looking at it; the picture's y points down
  camera.fx = camera.fy = 1000;
  camera.cx = camera.cy = 100;
  camera.world_to_camera << 1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0.5f, 0, 0, 0, 1;
  return camera;
}

TEST(LandmarkMetrics, ProjectionByHand) {
  const HeadModel model = triangle_head();
  const std::vector<Vec2> points = project_landmarks(model, model.mesh.positions, front());
  ASSERT_EQ(points.size(), 3u);
  EXPECT_NEAR(points[0].x(), 100, 1e-4);
  EXPECT_NEAR(points[0].y(), 100, 1e-4);
  EXPECT_NEAR(points[1].x(), 100 + 0.024 * 2000, 1e-3);
  EXPECT_NEAR(points[1].y(), 100 - 0.006 * 2000, 1e-3);
  EXPECT_NEAR(points[2].x(), 100 + 0.0075 * 2000, 1e-3);
  EXPECT_NEAR(points[2].y(), 100 - 0.015 * 2000, 1e-3);
  EXPECT_EQ(lip_landmarks(model), std::vector<int>{1});
  EXPECT_THROW(project_landmarks(model, {}, front()), Error);
}

TEST(LandmarkMetrics, DistanceByHand) {
  const HeadModel model = triangle_head();
  const std::vector<Vec2> truth = project_landmarks(model, model.mesh.positions, front());
  EXPECT_EQ(landmark_distance_px(truth, truth), 0);
  std::vector<Vec3> moved = model.mesh.positions;
  for (Vec3& v : moved) v += Vec3(0.003f, 0.004f, 0);  // 5 mm: 10 pixels
  const std::vector<Vec2> shifted = project_landmarks(model, moved, front());
  EXPECT_NEAR(landmark_distance_px(truth, shifted), 10, 1e-3);
  moved = model.mesh.positions;
  moved[1].x() += 0.01f;  // landmark 0 stays, 1 goes by 16, 2 by 5 pixels
  const std::vector<Vec2> stretched = project_landmarks(model, moved, front());
  EXPECT_NEAR(landmark_distance_px(truth, stretched), 7, 1e-3);
  EXPECT_NEAR(landmark_distance_px(truth, stretched, lip_landmarks(model)), 16, 1e-3);
}

TEST(LandmarkMetrics, WhatLiesBehindTheCameraIsLeftOut) {
  const HeadModel model = triangle_head();
  std::vector<Vec3> behind = model.mesh.positions;
  behind[0].z() = 2;  // landmark 0 is behind, so is landmark 2 (z = 1)
  const std::vector<Vec2> points = project_landmarks(model, behind, front());
  EXPECT_TRUE(std::isnan(points[0].x()));
  EXPECT_FALSE(std::isnan(points[1].x()));
  EXPECT_TRUE(std::isnan(points[2].y()));
  const std::vector<Vec2> truth = project_landmarks(model, model.mesh.positions, front());
  const std::vector<int> second = {1};
  EXPECT_EQ(landmark_distance_px(truth, points), landmark_distance_px(truth, points, second));
  const std::vector<int> first = {0}, beyond = {3}, negative = {-1};
  EXPECT_THROW(landmark_distance_px(truth, points, first), Error);
  EXPECT_THROW(landmark_distance_px(truth, points, beyond), Error);
  EXPECT_THROW(landmark_distance_px(truth, points, negative), Error);
  EXPECT_THROW(landmark_distance_px(truth, std::vector<Vec2>(2)), Error);
  EXPECT_THROW(landmark_distance_px({}, {}), Error);
}

}  // namespace
}  // namespace mien
