#include <gtest/gtest.h>

#include <fstream>

#include "mien/base/file.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/capture/capture.h"
#include "small_capture.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class CaptureTest : public testing::Test {
 protected:
  void SetUp() override { made_ = make_small_capture(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  // Changes capture.json by `change` and returns the error that load() throws, which check must find too.
  template <typename Change>
  std::string load_error(const Change& change) {
    Json json = read_json(folder_ / "capture.json");
    const Json saved = json;
    change(json);
    write_json(folder_ / "capture.json", json);
    std::string message;
    try {
      Capture::load(folder_);
      ADD_FAILURE() << "the change went unnoticed";
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_FALSE(check_capture(folder_).empty()) << message;
    write_json(folder_ / "capture.json", saved);
    return message;
  }
  // The one problem of the capture, as "where | what | mend".
  std::string only_problem() {
    const std::vector<CaptureProblem> problems = check_capture(folder_);
    EXPECT_EQ(problems.size(), 1u);
    std::string text;
    for (const CaptureProblem& p : problems) {
      EXPECT_FALSE(p.where.empty() || p.what.empty() || p.mend.empty());
      text += p.where + " | " + p.what + " | " + p.mend + "\n";
    }
    return text;
  }
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_capture_{}", ::getpid());
  Capture made_;
};

TEST_F(CaptureTest, ComesBackAsItWasWritten) {
  const Capture read = Capture::load(folder_);
  EXPECT_EQ(read.person, "test");
  ASSERT_EQ(read.cameras.size(), 2u);
  ASSERT_EQ(read.sequences.size(), 2u);
  const CaptureCamera& f = read.camera("F");
  EXPECT_EQ(f.camera.width, 16);
  EXPECT_EQ(f.camera.fx, made_.cameras[0].camera.fx);
  EXPECT_EQ(f.camera.world_to_camera, made_.cameras[0].camera.world_to_camera);  // bit for bit
  EXPECT_EQ(f.background, made_.cameras[0].background);
  EXPECT_TRUE(read.camera("M").moving);
  const CaptureSequence& two = read.sequence("two");
  EXPECT_EQ(two.split, "test");
  EXPECT_EQ(two.transcript, "Hello \"you\".");
  ASSERT_EQ(two.emotion.keys.size(), 2u);
  EXPECT_EQ(two.emotion.keys[1].value, made_.sequences[1].emotion.keys[1].value);
  EXPECT_EQ(two.emotion.keys[1].time, 0.05);
  EXPECT_EQ(read.load_head_model().id, "triangle");
  EXPECT_EQ(read.load_motion(two).frame_count(), 3);
  EXPECT_TRUE(check_capture(folder_).empty());
}

TEST_F(CaptureTest, LabelsAreReadAndChecked) {
  const Capture read = Capture::load(folder_);
  const CaptureView& view = read.sequence("one").views[0];
  EXPECT_EQ(view.labels, "one/F/labels");
  EXPECT_EQ(read.sequence("one").views[1].labels, "");
  EXPECT_EQ(read.labels_path(read.sequence("one").views[1], 0), fs::path());
  Image8 wrong(16, 12, 1, 1);
  *wrong.at(5, 5) = 4;
  write_image(read.labels_path(view, 2), wrong);
  EXPECT_TRUE(has(only_problem(), "labels, frame 2 | " + read.labels_path(view, 2).string() + ": holds the label 4"));
  fs::remove(read.labels_path(view, 2));
  EXPECT_TRUE(has(only_problem(), "labels, frame 2 | "));
  EXPECT_TRUE(
      has(load_error([](Json& json) { json["sequences"][0]["views"][0]["labels"] = "../outside"; }), "outside"));
}

TEST_F(CaptureTest, CamerasMoveFrameByFrame) {
  const Capture read = Capture::load(folder_);
  const CaptureSequence& s = read.sequence("one");
  EXPECT_NEAR(read.camera_at(s, s.views[1], 2).centre().x(), 0.4f, 1e-5f);
  EXPECT_NEAR(read.camera_at(s, s.views[1], 0).centre().x(), 0.0f, 1e-5f);
  EXPECT_NEAR(read.camera_at(s, s.views[0], 2).centre().x(), 0.1f, 1e-5f);
  EXPECT_NEAR(made_.camera_at(s, s.views[1], 1).centre().x(), 0.2f, 1e-5f);  // also before it was loaded
  EXPECT_THROW(read.camera_at(s, s.views[1], 3), Error);
}

TEST_F(CaptureTest, UnknownNamesAreAnsweredWithTheKnown) {
  try {
    made_.camera("Q");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(has(error.what(), "F, M")) << error.what();
  }
  EXPECT_THROW(made_.sequence("three"), Error);
}

TEST_F(CaptureTest, StructureErrorsNameThePlace) {
  EXPECT_TRUE(has(load_error([](Json& j) { j["version"] = 2; }), "version 2"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["format"] = "other"; }), "mien-capture"));
  EXPECT_TRUE(has(load_error([](Json& j) { j.erase("cameras"); }), "cameras"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["cameras"] = 3; }), "no list"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["cameras"][1].erase("fx"); }), "camera 1: \"fx\" is missing"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["cameras"][0]["fx"] = -1; }), "impossible"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["cameras"][0]["width"] = 1e6; }), "1000000"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["cameras"][0]["world_to_camera"][0][0] = 2; }), "not rigid"));
  EXPECT_TRUE(has(load_error([](Json& j) {
                    for (int i = 0; i < 3; ++i) {
                      Json& entry = j["cameras"][0]["world_to_camera"][0][i];
                      entry = -entry.get<double>();
                    }
                  }),
                  "mirrors"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["cameras"][1]["id"] = "F"; }), "second camera"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][1]["id"] = "one"; }), "second sequence"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][1]["split"] = "exam"; }), "sequence two: split"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][1]["frames"] = 0; }), "0 frames"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][1]["fps"] = -30; }), "-30"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][0]["emotion"] = "hapy:1"; }), "surprised"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][0]["emotion"][1]["time"] = -1; }), "ascend"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][0]["views"][0]["camera"] = "X"; }), "no camera \"X\""));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][0]["views"][1]["camera"] = "F"; }), "occurs twice"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][0]["views"][1].erase("camera_path"); }), "camera_path"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][0]["views"][0]["images"] = "../x"; }), "leaves its folder"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["sequences"][0]["audio"] = "/etc/passwd"; }), "absolute"));
  EXPECT_TRUE(has(load_error([](Json& j) { j["head_model"] = "a/../../b"; }), "leaves its folder"));
  EXPECT_TRUE(has(load_error([](Json& j) { j = Json::array(); }), "format"));
}

TEST_F(CaptureTest, DamagedJsonNeverCrashes) {
  const std::string text = read_text(folder_ / "capture.json");
  Random random(5);
  for (int trial = 0; trial < 300; ++trial) {
    std::string damaged = text;
    if (trial % 2 == 0) {
      damaged.resize(random.below(static_cast<std::uint32_t>(text.size())));
    } else {
      damaged[random.below(static_cast<std::uint32_t>(text.size()))] = static_cast<char>(random.below(256));
    }
    std::ofstream(folder_ / "capture.json", std::ios::binary | std::ios::trunc) << damaged;
    try {
      Capture::load(folder_);
    } catch (const Error&) {
    }
  }
  EXPECT_THROW(check_capture(folder_ / "nowhere"), Error);
  EXPECT_THROW(Capture::load(folder_ / "nowhere"), Error);
}

TEST_F(CaptureTest, CheckNamesFileSequenceAndFrame) {
  const fs::path images = folder_ / "one/F/images";
  const auto restore = [&] { make_small_capture(folder_); };

  fs::remove(images / "000001.png");
  std::string text = only_problem();
  EXPECT_TRUE(has(text, "sequence one, camera F, frame 1") && has(text, "missing") && has(text, "000001")) << text;
  restore();

  write_image(images / "000002.png", Image8(8, 12, 3));
  text = only_problem();
  EXPECT_TRUE(has(text, "frame 2") && has(text, "8x12") && has(text, "16x12")) << text;
  restore();

  write_image(folder_ / "two/F/masks/000000.png", Image8(16, 12, 3));
  EXPECT_TRUE(has(only_problem(), "sequence two, camera F, masks, frame 0"));
  restore();

  const std::vector<std::uint8_t> bytes = read_file(images / "000000.png");
  write_file(images / "000000.png", bytes.data(), bytes.size() / 2);
  EXPECT_TRUE(has(only_problem(), "damaged PNG"));
  restore();

  write_image(images / "000000.jpg", small_picture(0, 0));
  EXPECT_TRUE(has(only_problem(), "twice"));
  fs::remove(images / "000000.jpg");

  write_image(images / "000003.png", small_picture(0, 0));
  EXPECT_TRUE(has(only_problem(), "not a frame of this sequence"));
  fs::remove(images / "000003.png");

  fs::remove_all(folder_ / "two/M/images");
  EXPECT_TRUE(has(only_problem(), "no such folder"));
  restore();

  Audio audio;
  audio.samples.assign(16000, 0.1f);
  write_wav(folder_ / "one.wav", audio);
  EXPECT_TRUE(has(only_problem(), "1.00 s of sound"));
  restore();

  write_file(folder_ / "one.wav", "RIFF", 4);
  EXPECT_TRUE(has(only_problem(), "sequence one, audio"));
  restore();

  write_phones(folder_ / "two.phones.json", {{"HH", 0.0, 0.04}, {"AY", 5.0, 6.0}});
  EXPECT_TRUE(has(only_problem(), "sequence two, phones"));
  restore();

  HeadMotion motion = HeadMotion::load(folder_ / "one.motion.safetensors");
  motion.frames.pop_back();
  motion.save(folder_ / "one.motion.safetensors");
  EXPECT_TRUE(has(only_problem(), "2 frames of motion"));
  motion.frames.push_back(motion.frames.back());
  motion.frames[1].expression[3] = std::nanf("");
  motion.save(folder_ / "one.motion.safetensors");
  EXPECT_TRUE(has(only_problem(), "sequence one, motion"));
  restore();

  write_camera_path(folder_ / "two/path.json", std::vector<Mat4>(2, Mat4::Identity()));
  EXPECT_TRUE(has(only_problem(), "2 matrices"));
  Mat4 skewed = Mat4::Identity();
  skewed(0, 1) = 0.5f;
  write_camera_path(folder_ / "two/path.json", std::vector<Mat4>(3, skewed));
  EXPECT_TRUE(has(only_problem(), "not rigid"));
  restore();

  fs::remove(folder_ / "head.safetensors");
  EXPECT_TRUE(has(only_problem(), "head model"));
  restore();

  // A camera behind the head is welcome; one that looks away from it is not.
  const Json json = read_json(folder_ / "capture.json");
  Json changed = json;
  changed["cameras"][0]["world_to_camera"] = {{-1, 0, 0, 0}, {0, -1, 0, 0}, {0, 0, 1, 1}, {0, 0, 0, 1}};
  write_json(folder_ / "capture.json", changed);
  EXPECT_TRUE(check_capture(folder_).empty());
  changed["cameras"][0]["world_to_camera"][2][3] = -1;
  write_json(folder_ / "capture.json", changed);
  EXPECT_TRUE(has(only_problem(), "looks away from the head"));
  restore();
  EXPECT_TRUE(check_capture(folder_).empty());
}

TEST_F(CaptureTest, CheckReportsAllProblemsAtOnce) {
  Json json = read_json(folder_ / "capture.json");
  json["cameras"][0]["fx"] = 0;
  json["sequences"][0]["views"][1]["images"] = json["sequences"][1]["views"][1]["images"];
  json["sequences"][1]["motion"] = "../../x";
  write_json(folder_ / "capture.json", json);
  fs::remove(folder_ / "one.wav");
  std::string all;
  for (const CaptureProblem& p : check_capture(folder_)) all += p.where + ": " + p.what + "\n";
  EXPECT_TRUE(has(all, "camera 0")) << all;
  EXPECT_TRUE(has(all, "the same folder as")) << all;
  EXPECT_TRUE(has(all, "leaves its folder")) << all;
  EXPECT_TRUE(has(all, "sequence one, audio")) << all;
}

}  // namespace
}  // namespace mien
