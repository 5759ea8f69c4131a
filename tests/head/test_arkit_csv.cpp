// Live Link Face's tables: a real take, a round trip, and files that are none.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "head/head_fixture.h"
#include "mien/base/file.h"
#include "mien/head/arkit_csv.h"

namespace mien {
namespace {

class ArkitCsv : public test::ScratchFolder {
 protected:
  std::string error_of(const std::string& text) {
    const std::filesystem::path path = folder_ / "take.csv";
    write_file(path, text.data(), text.size());
    try {
      read_arkit_csv(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(ArkitCsv, ReadsARealTake) {
  const char* shared = std::getenv("MIEN_SHARED");
  const std::filesystem::path path =
      (shared != nullptr ? std::filesystem::path(shared) : std::filesystem::path(MIEN_SOURCE_DIR) / "../shared") /
      "data/arkit/alex_rom_3.csv";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
  const HeadMotion motion = read_arkit_csv(path);
  EXPECT_EQ(motion.fps, 30);
  // A second reading, with streams: line by line the value of one column.
  std::ifstream in(path);
  std::string line, field;
  std::getline(in, line);
  std::vector<std::string> names;
  for (std::istringstream fields(line); std::getline(fields, field, ',');) names.push_back(field);
  const auto column = [&](const char* name) { return std::find(names.begin(), names.end(), name) - names.begin(); };
  const auto jaw = column("JawOpen"), yaw = column("LeftEyeYaw"), in_left = column("EyeLookInLeft");
  std::size_t lines = 0, same = 0;
  double to_the_right = 0;
  for (std::size_t frame = 0; std::getline(in, line); ++lines, ++frame) {
    std::vector<std::string> values;
    for (std::istringstream fields(line); std::getline(fields, field, ',');) values.push_back(field);
    ASSERT_EQ(values.size(), 63u);
    const float opening = std::strtof(values[static_cast<std::size_t>(jaw)].c_str(), nullptr);
    while (frame < motion.frames.size() && motion.frames[frame].expression[17] != opening) ++frame;  // filled in
    if (frame < motion.frames.size()) ++same;
    to_the_right += std::strtof(values[static_cast<std::size_t>(yaw)].c_str(), nullptr) *
                    std::strtof(values[static_cast<std::size_t>(in_left)].c_str(), nullptr);
  }
  EXPECT_EQ(motion.expression_names[17], "jawOpen");
  EXPECT_EQ(lines, 4030u);
  EXPECT_EQ(same, lines) << "every line is a frame";
  EXPECT_NEAR(motion.frame_count() / motion.fps, 134.4, 0.2) << "13:13:04:31.652 to 13:15:18:54.561";
  EXPECT_GT(to_the_right, 0) << "yaw is positive where the left eye looks inwards";
  double gaze = 0;
  for (const MotionFrame& f : motion.frames) gaze += f.pose.gaze_left[0] * f.expression[2];
  EXPECT_EQ(motion.expression_names[2], "eyeLookInLeft");
  EXPECT_LT(gaze, 0) << "ours is positive to the person's left";
}

TEST_F(ArkitCsv, RoundTrip) {
  Random random(3);
  HeadMotion motion;
  motion.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
  motion.expression_names.emplace_back("bite");  // not ARKit's
  motion.fps = 60;
  for (int t = 0; t < 130; ++t) {
    MotionFrame frame;
    for (std::size_t e = 0; e < motion.expression_names.size(); ++e) frame.expression.push_back(random.uniform());
    frame.pose.head = Quat(1, 0.2f * random.normal(), 0.2f * random.normal(), 0.2f * random.normal()).normalized();
    frame.pose.neck = Quat(1, 0.1f * random.normal(), 0, 0).normalized();
    frame.pose.gaze_left = {0.3f * random.normal(), 0.2f * random.normal()};
    frame.pose.gaze_right = {0.3f * random.normal(), 0.2f * random.normal()};
    motion.frames.push_back(frame);
  }
  write_arkit_csv(motion, folder_ / "take.csv");
  const HeadMotion back = load_motion(folder_ / "take.csv");
  EXPECT_EQ(back.fps, 60);
  ASSERT_EQ(back.frame_count(), 130);
  for (int t = 0; t < 130; ++t) {
    const MotionFrame &a = motion.frames[static_cast<std::size_t>(t)], &b = back.frames[static_cast<std::size_t>(t)];
    for (std::size_t e = 0; e < kArkitCount; ++e) EXPECT_EQ(a.expression[e], b.expression[e]);
    EXPECT_LT((a.pose.neck * a.pose.head).angularDistance(b.pose.head), 2e-3f);
    EXPECT_EQ(a.pose.gaze_left, b.pose.gaze_left);
    EXPECT_EQ(a.pose.gaze_right, b.pose.gaze_right);
  }
}

TEST_F(ArkitCsv, AHeadThatTurnsRightAndNods) {
  const std::string head = "Timecode,BlendShapeCount,JawOpen,HeadYaw,HeadPitch,HeadRoll\r\n";
  ASSERT_EQ(error_of(head + "00:00:01:00.0,61,0.5,0.5,0.25,0\r\n00:00:01:02.0,61,0.5,0,0,0.125\r\n"), "");
  const HeadMotion motion = read_arkit_csv(folder_ / "take.csv");
  ASSERT_EQ(motion.frame_count(), 2);
  const Vec3 nose = motion.frames[0].pose.head * Vec3::UnitZ();
  EXPECT_NEAR(nose.x(), -std::sin(0.5f) * std::cos(0.25f), 1e-6f) << "to the person's right";
  EXPECT_NEAR(nose.y(), -std::sin(0.25f), 1e-6f) << "down";
  EXPECT_LT((motion.frames[1].pose.head * Vec3::UnitY()).x(), 0) << "leans to the right";
}

TEST_F(ArkitCsv, LostLinesAreFilledIn) {
  const std::string head = "Timecode,BlendShapeCount,JawOpen\n";
  ASSERT_EQ(error_of(head + "00:00:00:00,61,0\n00:00:00:02,61,0\n00:00:00:04,61,0.25\n00:00:00:08,61,0.75\n"), "");
  const HeadMotion motion = read_arkit_csv(folder_ / "take.csv");
  ASSERT_EQ(motion.frame_count(), 5);
  EXPECT_EQ(motion.frames[3].expression[17], 0.5f);
  EXPECT_EQ(motion.frames[4].expression[17], 0.75f);
}

TEST_F(ArkitCsv, WhatIsNoTableIsRefusedByLine) {
  const std::string head = "Timecode,BlendShapeCount,JawOpen\n";
  EXPECT_NE(error_of("").find("no frames"), std::string::npos);
  EXPECT_NE(error_of("name,age\n").find("line 1"), std::string::npos);
  EXPECT_NE(error_of("Timecode,Age\n").find("no ARKit curve"), std::string::npos);
  EXPECT_NE(error_of(head).find("no frames"), std::string::npos);
  EXPECT_NE(error_of(head + "00:00:01,61,0\n").find("line 2: \"00:00:01\" is no time code"), std::string::npos);
  EXPECT_NE(error_of(head + "00:00:00:01,61,nan\n").find("is no number"), std::string::npos);
  EXPECT_NE(error_of(head + "00:00:00:01,61\n").find("2 values for 3 columns"), std::string::npos);
  EXPECT_NE(error_of(head + "00:00:00:01,61,0,0\n").find("more values"), std::string::npos);
  EXPECT_NE(error_of(head + "00:00:00:02,61,0\n00:00:00:01,61,0\n").find("line 3: its time"), std::string::npos);
  EXPECT_NE(
      error_of(head + "00:00:00:02,61,0\n00:00:00:04,61,0\n00:00:00:06,61,0\n09:00:00:01,61,0\n").find("cut the take"),
      std::string::npos);
}

}  // namespace
}  // namespace mien
