#include <cmath>
#include <fstream>

#include "head/head_fixture.h"
#include "mien/head/head_motion.h"

namespace mien {
namespace {

using Motion = test::ScratchFolder;

HeadMotion toy_motion(bool with_offsets) {
  Random random(11);
  HeadMotion motion;
  motion.head_model = "toy";
  motion.expression_names = {"jawOpen", "mouthClose", "eyeBlinkLeft"};
  motion.fps = 29.97;
  motion.start = 1.25;
  for (int t = 0; t < 5; ++t) {
    MotionFrame frame;
    for (int e = 0; e < 3; ++e) frame.expression.push_back(random.uniform());
    const auto turn = [&] {
      return Quat(random.normal(), random.normal(), random.normal(), random.normal()).normalized();
    };
    frame.pose = {turn(),
                  turn(),
                  turn(),
                  Vec3(random.normal(), random.normal(), random.normal()),
                  {random.uniform(), 0.1f},
                  {0.2f, random.uniform()}};
    frame.emotion = emotion_vector(Emotion::kFear, random.uniform());
    if (with_offsets) {
      for (int v = 0; v < 40; ++v) frame.offsets.emplace_back(0.003f * random.normal(), 0.001f * random.normal(), 0.0f);
    }
    motion.frames.push_back(frame);
  }
  return motion;
}

TEST_F(Motion, RoundTripIsExactButForHalfPrecisionOffsets) {
  for (const bool with_offsets : {false, true}) {
    const HeadMotion motion = toy_motion(with_offsets);
    motion.save(folder_ / "m");
    const HeadMotion again = HeadMotion::load(folder_ / "m");
    EXPECT_EQ(again.head_model, motion.head_model);
    EXPECT_EQ(again.expression_names, motion.expression_names);
    EXPECT_DOUBLE_EQ(again.fps, motion.fps);
    EXPECT_DOUBLE_EQ(again.start, motion.start);
    ASSERT_EQ(again.frame_count(), motion.frame_count());
    for (int t = 0; t < motion.frame_count(); ++t) {
      const MotionFrame &a = again.frames[t], &b = motion.frames[t];
      EXPECT_EQ(a.expression, b.expression);
      EXPECT_EQ(a.emotion, b.emotion);
      EXPECT_LT((a.pose.head.coeffs() - b.pose.head.coeffs()).norm(), 1e-6f);
      EXPECT_LT((a.pose.neck.coeffs() - b.pose.neck.coeffs()).norm(), 1e-6f);
      EXPECT_LT((a.pose.root.coeffs() - b.pose.root.coeffs()).norm(), 1e-6f);
      EXPECT_EQ(a.pose.translation, b.pose.translation);
      EXPECT_EQ(a.pose.gaze_left, b.pose.gaze_left);
      EXPECT_EQ(a.pose.gaze_right, b.pose.gaze_right);
      ASSERT_EQ(a.offsets.size(), b.offsets.size());
      for (std::size_t v = 0; v < a.offsets.size(); ++v) EXPECT_LT((a.offsets[v] - b.offsets[v]).norm(), 1e-5f);
    }
  }
}

TEST_F(Motion, EmptyMotionIsAMotion) {
  HeadMotion motion = toy_motion(false);
  motion.frames.clear();
  motion.save(folder_ / "m");
  EXPECT_EQ(HeadMotion::load(folder_ / "m").frame_count(), 0);
}

TEST_F(Motion, NonsenseInsideIsRefused) {
  const auto refused = [&](const char* what, const auto& spoil) {
    HeadMotion motion = toy_motion(true);
    spoil(motion);
    motion.save(folder_ / "bad");
    EXPECT_EQ(error_of([&] { HeadMotion::load(folder_ / "bad"); }).code(), ErrorCode::kBadFile) << what;
  };
  refused("NaN weight", [](HeadMotion& m) { m.frames[2].expression[1] = NAN; });
  refused("NaN offset", [](HeadMotion& m) { m.frames[2].offsets[1].x() = NAN; });
  refused("no rotation", [](HeadMotion& m) { m.frames[4].pose.neck = Quat(0, 0, 0, 0); });
  refused("infinite translation", [](HeadMotion& m) { m.frames[0].pose.translation.z() = INFINITY; });
  refused("no frame rate", [](HeadMotion& m) { m.fps = 0; });
  refused("absurd frame rate", [](HeadMotion& m) { m.fps = 1e9; });
}

TEST_F(Motion, DamagedFilesAreRefused) {
  toy_motion(true).save(folder_ / "good");
  const std::vector<std::uint8_t> good = read_file(folder_ / "good");
  write_file(folder_ / "bad", good.data(), good.size() / 2);
  EXPECT_EQ(error_of([&] { HeadMotion::load(folder_ / "bad"); }).code(), ErrorCode::kBadFile);
  SafetensorsWriter other;
  other.add("x", {1}, std::vector<float>{1});
  other.write(folder_ / "other");
  EXPECT_EQ(error_of([&] { HeadMotion::load(folder_ / "other"); }).code(), ErrorCode::kBadFile);
  // Frames whose counts differ from tensor to tensor.
  SafetensorsWriter uneven;
  uneven.metadata("motion", R"({"format":1,"head_model":"toy","fps":30,"start":0,"expression_names":[]})");
  uneven.add("head", {1, 4}, std::vector<float>{1, 0, 0, 0});
  uneven.add("neck", {2, 4}, std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0});
  uneven.write(folder_ / "uneven");
  EXPECT_EQ(error_of([&] { HeadMotion::load(folder_ / "uneven"); }).code(), ErrorCode::kBadFile);
  Random random(5);
  for (int i = 0; i < 200; ++i) {
    std::vector<std::uint8_t> bytes = good;
    bytes[random.below(static_cast<std::uint32_t>(bytes.size()))] ^= static_cast<std::uint8_t>(1u << random.below(8));
    std::ofstream(folder_ / "bad", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    try {
      HeadMotion::load(folder_ / "bad");
    } catch (const Error&) {
    }
  }
}

TEST_F(Motion, VerticesAreExpressionOffsetsAndPose) {
  const HeadModel model = test::toy_head();
  HeadMotion motion = toy_motion(true);
  std::vector<Vec3> expected, out;
  const MotionFrame& frame = motion.frames[1];
  model.deform(frame.expression.data(), 3, frame.offsets.data(), expected);
  model.pose(frame.pose, expected);
  motion.vertices(model, 1, out);
  EXPECT_EQ(out, expected);
  motion.frames[1].offsets.pop_back();
  EXPECT_EQ(error_of([&] { motion.vertices(model, 1, out); }).code(), ErrorCode::kBadFile);
}

}  // namespace
}  // namespace mien
