// A tracked motion on another head.
#include <cmath>

#include "head/head_fixture.h"
#include "mien/head/retarget.h"

namespace mien {
namespace {

constexpr float kDegree = 0.0174532925f;

Quat turned(float degrees, const Vec3& axis) {
  return Quat(Eigen::AngleAxisf(degrees * kDegree, axis));
}

// A driver who sits askew: turned by 30 degrees to the left and tilted, 20 cm aside, and looks 10 degrees past the
// camera.
struct Askew {
  HeadModel head = test::toy_head();
  HeadMotion motion;
  Quat seat = turned(30, Vec3::UnitY()) * turned(8, Vec3::UnitX());
  Askew() {
    motion.expression_names = head.expression_names;
    motion.fps = 25;
    motion.frames.resize(200);
    for (int t = 0; t < 200; ++t) {
      MotionFrame& frame = motion.frames[t];
      frame.expression.assign(head.expression_names.size(), 0.01f * static_cast<float>(t % 50));
      frame.offsets.assign(head.mesh.positions.size(), Vec3(0.01f, 0, 0));
      // A nod of 12 degrees up and down, about the head's own sideways axis.
      frame.pose.root = seat;
      frame.pose.head = turned(12 * std::sin(0.314159265f * static_cast<float>(t)), Vec3::UnitX());
      frame.pose.translation = Vec3(0.2f, 0.05f, -0.1f);
      frame.pose.gaze_left = frame.pose.gaze_right = {10 * kDegree, t % 10 == 0 ? 0.2f : 0.0f};
    }
  }
};

TEST(Retarget, ADriverWhoSitsAskewDrivesAHeadThatLooksAhead) {
  const Askew askew;
  const HeadMotion driven = retarget(askew.motion, askew.head, {.keep_rest = true});
  ASSERT_EQ(driven.frame_count(), 200);
  for (int t = 0; t < 200; ++t) {
    const HeadPose& pose = driven.frames[t].pose;
    const Quat turn = pose.root * pose.neck * pose.head;
    EXPECT_LT(turn.angularDistance(askew.motion.frames[t].pose.head), 0.2f * kDegree) << t;
    EXPECT_NEAR(pose.gaze_left[0], 0, 1e-5f);
    EXPECT_NEAR(pose.gaze_right[1], t % 10 == 0 ? 0.2f : 0.0f, 1e-5f);
    ASSERT_EQ(driven.frames[t].expression, askew.motion.frames[t].expression);
    EXPECT_TRUE(driven.frames[t].offsets.empty());
    // The head's joint stays where the driver's was: it only turned.
    const Vec3 &neck = askew.head.joints[0], &skull = askew.head.joints[1];
    EXPECT_LT((neck + pose.neck * (skull - neck) + pose.translation - skull).norm(), 1e-4f) << t;
  }
}

TEST(Retarget, MovementThroughSpaceFollowsTheMeanHeadsAxes) {
  Askew askew;
  // Forward and back along the driver's own line of sight.
  for (int t = 0; t < 200; ++t) {
    askew.motion.frames[t].pose.head = Quat::Identity();
    askew.motion.frames[t].pose.translation += askew.seat * Vec3(0, 0, t % 2 == 0 ? 0.02f : -0.02f);
  }
  const HeadMotion driven = retarget(askew.motion, askew.head);
  EXPECT_LT((driven.frames[0].pose.translation - Vec3(0, 0, 0.02f)).norm(), 1e-4f);
  EXPECT_LT(retarget(askew.motion, askew.head, {.sway = 0}).frames[1].pose.translation.norm(), 1e-5f);
  askew.motion.frames[7].pose.translation =
      Vec3(3, 0, 0);  // a tracking fault does not throw the avatar out of the picture
  EXPECT_LT(retarget(askew.motion, askew.head).frames[7].pose.translation.norm(), 0.0801f);
  EXPECT_THROW(retarget(askew.motion, askew.head, {.sway = 2}), Error);
}

TEST(Retarget, TheDriversFaceAtRestIsNotTheOtherHeads) {
  Askew askew;
  for (int t = 0; t < 200; ++t) {
    auto& weights = askew.motion.frames[t].expression;
    std::fill(weights.begin(), weights.end(), 0.0f);
    weights[0] = t < 190 ? 0.2f : 1.0f;   // tracked as a frown at rest, and a real one
    weights[1] = 0.5f;                    // a smile all along is more than the look of a face
    weights[2] = t < 100 ? 0.0f : 0.25f;  // at rest half of the time
  }
  const HeadMotion driven = retarget(askew.motion, askew.head);
  EXPECT_NEAR(driven.frames[5].expression[0], 0, 1e-6f);
  EXPECT_NEAR(driven.frames[195].expression[0], 1, 1e-6f);
  EXPECT_NEAR(driven.frames[5].expression[1], 0.2f / 0.7f, 1e-6f);
  EXPECT_NEAR(driven.frames[150].expression[2], 0.25f, 1e-6f);
  EXPECT_NEAR(retarget(askew.motion, askew.head, {.keep_rest = true}).frames[5].expression[0], 0.2f, 1e-6f);
}

TEST(Retarget, PoseCanBeKept) {
  const Askew askew;
  const HeadMotion kept = retarget(askew.motion, askew.head, {.keep_pose = true});
  EXPECT_EQ(kept.frames[5].pose.translation, askew.motion.frames[5].pose.translation);
  EXPECT_TRUE(kept.frames[5].offsets.empty());
  EXPECT_EQ(retarget(HeadMotion(), askew.head).frame_count(), 0);
}

}  // namespace
}  // namespace mien
