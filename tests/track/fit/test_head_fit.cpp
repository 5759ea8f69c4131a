// fit_head() on landmarks projected from a known head in known motion.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/head/head_assets.h"
#include "mien/head/measures.h"
#include "mien/track/head_fit.h"

namespace mien {
namespace {

const HeadModel* built_head() {
  static const std::optional<HeadModel> head = []() -> std::optional<HeadModel> {
    try {
      return HeadModel::load(find_head_asset());
    } catch (const Error&) {
      return std::nullopt;
    }
  }();
  return head ? &*head : nullptr;
}

struct Scene {
  HeadModel person;
  HeadMotion motion;
  Camera camera;
  SightedVideo video;
};

// A head that turns, talks and blinks before a camera, seen with noise of `noise` pixels.
Scene make_scene(const HeadModel& model, int frames, float noise) {
  Scene scene;
  std::vector<float> identity(static_cast<std::size_t>(model.identity_count()), 0.0f);
  identity[0] = 0.6f;
  identity[20] = 0.3f;
  identity[40] = -0.3f;
  scene.person = model.with_identity(identity);
  scene.camera.width = scene.camera.height = 512;
  scene.camera.fx = scene.camera.fy = 1100;
  scene.camera.world_to_camera.diagonal() = Vec4(1, -1, -1, 1);
  scene.camera.world_to_camera(2, 3) = 0.8f;
  scene.video.name = "made";
  scene.video.width = scene.video.height = 512;
  scene.video.fps = scene.motion.fps = 25;
  scene.video.frames = frames;
  scene.video.stretches.resize(1);
  scene.motion.head_model = model.id;
  scene.motion.expression_names = model.expression_names;
  Random random(17);
  std::vector<Vec3> vertices;
  for (int t = 0; t < frames; ++t) {
    const float s = static_cast<float>(t) / 25;
    MotionFrame frame;
    frame.expression.assign(model.expression_names.size(), 0.0f);
    frame.expression[static_cast<std::size_t>(arkit_index("jawOpen"))] = 0.3f + 0.3f * std::sin(7 * s);
    frame.expression[static_cast<std::size_t>(arkit_index("mouthSmileLeft"))] = 0.4f + 0.4f * std::sin(2 * s);
    frame.expression[static_cast<std::size_t>(arkit_index("mouthSmileRight"))] = 0.4f + 0.4f * std::sin(2 * s);
    frame.expression[static_cast<std::size_t>(arkit_index("browInnerUp"))] = 0.5f + 0.5f * std::sin(1.5f * s);
    const float blink = t % 25 >= 10 && t % 25 <= 13 ? (t % 25 == 10 || t % 25 == 13 ? 0.5f : 1.0f) : 0.0f;
    frame.expression[0] = frame.expression[7] = blink;
    frame.pose.head = Eigen::AngleAxisf(0.25f * std::sin(1.3f * s), Vec3::UnitY()) *
                      Eigen::AngleAxisf(0.15f * std::sin(0.9f * s), Vec3::UnitX());
    frame.pose.neck = Eigen::AngleAxisf(0.1f * std::sin(1.1f * s), Vec3::UnitY());
    frame.pose.translation = Vec3(0.01f * std::sin(s), 0, 0.01f * std::cos(s));
    scene.motion.frames.push_back(frame);
    scene.motion.vertices(scene.person, t, vertices);
    FaceSighting sighting;
    sighting.presence = sighting.weight = sighting.sharpness = 1;
    for (int i = 0; i < kSightedPoints; ++i) {
      const SurfacePoint& point = scene.person.landmarks[static_cast<std::size_t>(i)];
      Vec3 at = Vec3::Zero();
      for (int k = 0; k < 3; ++k) {
        at += point.barycentric[k] *
              vertices[static_cast<std::size_t>(scene.person.mesh.faces[static_cast<std::size_t>(point.face)][k])];
      }
      const Vec2 p = scene.camera.project(at);
      sighting.points[static_cast<std::size_t>(i)] = {p.x() + noise * random.normal(), p.y() + noise * random.normal(),
                                                      0};
    }
    scene.video.stretches[0].frames.push_back(sighting);
  }
  return scene;
}

TEST(HeadFit, FindsMotionAndHeadFromTheirLandmarks) {
  if (built_head() == nullptr) GTEST_SKIP() << "the head is not built: run scripts/setup";
  const Scene scene = make_scene(*built_head(), 80, 0.15f);
  HeadFitOptions options;
  options.focal = {1100};
  options.landmark_response = false;
  const HeadFit fit = fit_head(*built_head(), {&scene.video, 1}, options);
  ASSERT_EQ(fit.videos.size(), 1u);
  ASSERT_EQ(fit.videos[0].stretches.size(), 1u);
  EXPECT_LT(fit.videos[0].error, 0.012);
  EXPECT_TRUE(fit.videos[0].focal_given);
  EXPECT_FLOAT_EQ(fit.videos[0].camera.fx, 1100);
  const HeadMotion& motion = fit.videos[0].stretches[0].motion;
  ASSERT_EQ(motion.frame_count(), 80);
  const int jaw = arkit_index("jawOpen"), smile = arkit_index("mouthSmileLeft");
  double jaw_error = 0, smile_error = 0;
  std::vector<Vec3> vertices;
  for (int t = 0; t < 80; ++t) {
    const auto& got = motion.frames[static_cast<std::size_t>(t)].expression;
    const auto& want = scene.motion.frames[static_cast<std::size_t>(t)].expression;
    ASSERT_EQ(got.size(), want.size());
    for (const float w : got) EXPECT_TRUE(w >= 0 && w <= 1);
    jaw_error += std::abs(got[static_cast<std::size_t>(jaw)] - want[static_cast<std::size_t>(jaw)]) / 80;
    smile_error += std::abs(got[static_cast<std::size_t>(smile)] - want[static_cast<std::size_t>(smile)]) / 80;
    if (want[0] == 1) {
      motion.vertices(fit.head, t, vertices);
      EXPECT_LT(lid_opening_left_mm(fit.head, vertices), 0.5) << "frame " << t;
      EXPECT_LT(lid_opening_right_mm(fit.head, vertices), 0.5) << "frame " << t;
    }
  }
  EXPECT_LT(jaw_error, 0.06);
  EXPECT_LT(smile_error, 0.12);
}

TEST(HeadFit, FillsGapsAndIsDeterministic) {
  if (built_head() == nullptr) GTEST_SKIP() << "the head is not built: run scripts/setup";
  Scene scene = make_scene(*built_head(), 40, 0.1f);
  for (int t = 15; t < 19; ++t) {
    FaceSighting& frame = scene.video.stretches[0].frames[static_cast<std::size_t>(t)];
    frame.weight = 0;
    for (auto& p : frame.points) p = {1e4f, -1e4f, 0};
  }
  HeadFitOptions options;
  options.landmark_response = false;
  const HeadFit a = fit_head(*built_head(), {&scene.video, 1}, options),
                b = fit_head(*built_head(), {&scene.video, 1}, options);
  const FittedStretch& stretch = a.videos[0].stretches[0];
  for (int t = 0; t < 40; ++t) {
    const MotionFrame& frame = stretch.motion.frames[static_cast<std::size_t>(t)];
    EXPECT_EQ(frame.expression, b.videos[0].stretches[0].motion.frames[static_cast<std::size_t>(t)].expression);
    EXPECT_EQ(stretch.error[static_cast<std::size_t>(t)] < 0, t >= 15 && t < 19);
    // Nothing jumps over the gap.
    if (t > 0) {
      const MotionFrame& last = stretch.motion.frames[static_cast<std::size_t>(t - 1)];
      EXPECT_LT(frame.pose.head.angularDistance(last.pose.head), 0.05);
      EXPECT_LT((frame.pose.translation - last.pose.translation).norm(), 0.01);
    }
  }
}

TEST(HeadFit, RefusesWhatCannotBeFitted) {
  if (built_head() == nullptr) GTEST_SKIP() << "the head is not built: run scripts/setup";
  const auto code_of = [](std::span<const SightedVideo> videos, const HeadModel& model, const HeadFitOptions& options) {
    try {
      fit_head(model, videos, options);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  Scene scene = make_scene(*built_head(), 5, 0);
  EXPECT_EQ(code_of({}, *built_head(), {}), ErrorCode::kBadArgument);
  HeadModel bare = *built_head();
  bare.landmarks.clear();
  EXPECT_EQ(code_of({&scene.video, 1}, bare, {}), ErrorCode::kBadArgument);
  HeadFitOptions stop;
  stop.progress = [](std::int64_t, std::int64_t, const std::string&) { return false; };
  EXPECT_EQ(code_of({&scene.video, 1}, *built_head(), stop), ErrorCode::kInterrupted);
  // What goes wrong with pictures is passed on, from whichever thread.
  HeadFitOptions torn;
  torn.picture = [](int, int, int) -> Image8 { throw Error(ErrorCode::kBadFile, "picture: torn"); };
  EXPECT_EQ(code_of({&scene.video, 1}, *built_head(), torn), ErrorCode::kBadFile);
  for (FaceSighting& frame : scene.video.stretches[0].frames) frame.weight = 0;
  EXPECT_EQ(code_of({&scene.video, 1}, *built_head(), {}), ErrorCode::kBadArgument);
}

}  // namespace
}  // namespace mien
