// The stage with the real head: wrinkles where they belong, and a capture that the capture room accepts. Skipped where
// scripts/setup has not made the head yet.
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "mien/actor/actor_capture.h"
#include "mien/actor/voice.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/capture/capture.h"

namespace fs = std::filesystem;

namespace mien {
namespace {

struct RealHead {
  HeadModel model;
  HeadAssets assets;
};

const RealHead* real_head() {
  static const std::optional<RealHead> head = []() -> std::optional<RealHead> {
    try {
      const fs::path path = find_head_asset();
      RealHead h;
      h.model = HeadModel::load(path);
      h.assets = HeadAssets::load(path, h.model);
      return h;
    } catch (const Error&) {
      return std::nullopt;
    }
  }();
  return head ? &*head : nullptr;
}

#define REQUIRE_HEAD()                \
  const RealHead* head = real_head(); \
  if (head == nullptr) GTEST_SKIP() << "the head model is not there; run scripts/setup"

MotionFrame face(const HeadModel& model, std::initializer_list<const char*> names) {
  MotionFrame frame;
  frame.expression.assign(static_cast<std::size_t>(model.expression_count()), 0.0f);
  for (const char* name : names) frame.expression[arkit_index(name)] = 1;
  return frame;
}

TEST(StageHead, WrinklesComeWithTheBrowsAndStayOnTheForehead) {
  REQUIRE_HEAD();
  StageOptions with;
  with.skin_texels = 512;
  with.hair = false;
  StageOptions without = with;
  without.wrinkles = false;
  Performer ada = named_performer("ada");
  ada.lines = 0;
  Stage wrinkled(head->model, head->assets, ada, with), smooth(head->model, head->assets, ada, without);
  const Camera camera = look_at({0, 0, 1.2f}, {0, 0, 0}, 0.22f, 160, 160);

  wrinkled.set_frame(face(head->model, {}));
  smooth.set_frame(face(head->model, {}));
  EXPECT_EQ(wrinkled.draw(camera).rgb.pixels, smooth.draw(camera).rgb.pixels) << "a neutral young face has none";

  const MotionFrame raised = face(head->model, {"browInnerUp", "browOuterUpLeft", "browOuterUpRight"});
  wrinkled.set_frame(raised);
  smooth.set_frame(raised);
  const StagePicture a = wrinkled.draw(camera), b = smooth.draw(camera);
  EXPECT_EQ(a.matte.pixels, b.matte.pixels);
  const float eyes = camera.project(wrinkled.head().joints[static_cast<int>(HeadJoint::kEyeLeft)]).y();
  int above = 0, below = 0;
  for (int y = 0; y < 160; ++y) {
    for (int x = 0; x < 160; ++x) {
      const int change = std::abs(a.rgb.at(x, y)[1] - b.rgb.at(x, y)[1]);
      if (change >= 4) (static_cast<float>(y) < eyes ? above : below) += 1;
    }
  }
  EXPECT_GT(above, 60);
  EXPECT_EQ(below, 0);
}

TEST(StageHead, EveryPresetHasItsWardrobe) {
  REQUIRE_HEAD();
  for (const std::string& name : performer_names()) {
    const Performer p = named_performer(name);
    EXPECT_NO_THROW(performer_head(head->model, p)) << name;
    EXPECT_NO_THROW(head->assets.skin(p.skin)) << name;
    EXPECT_NO_THROW(head->assets.iris(p.iris)) << name;
    const auto exists = [&](StyleKind kind, const std::string& style) {
      if (style.empty()) return;
      EXPECT_NO_THROW(head->assets.style(kind, style)) << name;
    };
    exists(StyleKind::kHair, p.hair);
    exists(StyleKind::kBeard, p.beard);
    exists(StyleKind::kBrows, p.brows);
    exists(StyleKind::kClothes, p.clothes);
  }
  const Performer a = random_performer(3, head->model, head->assets),
                  b = random_performer(3, head->model, head->assets);
  EXPECT_EQ(a.identity, b.identity);
  EXPECT_NE(random_performer(4, head->model, head->assets).identity, a.identity);
}

TEST(StageHead, CapturePassesTheCheckAndResumes) {
  REQUIRE_HEAD();
  if (!has_voices()) GTEST_SKIP() << "this build has no voices (flite)";
  const fs::path folder = fs::path(testing::TempDir()) / "mien_actor_capture";
  fs::remove_all(folder);
  ActorCaptureOptions options;
  options.performer = named_performer("ada");
  options.seconds = 2;
  options.fps = 3;
  options.extra_views = true;
  options.rig = "mono";
  options.rig_options.size = 64;
  options.stage.skin_texels = 128;
  options.stage.supersample = 1;
  make_actor_capture(head->model, head->assets, options, folder);
  for (const CaptureProblem& p : check_capture(folder)) ADD_FAILURE() << p.where << ": " << p.what;

  const Capture capture = Capture::load(folder);
  ASSERT_EQ(capture.sequences.size(), 2u);
  EXPECT_EQ(capture.sequences[1].split, "test");
  EXPECT_EQ(capture.sequences[1].views.size(), 6u);
  const HeadMotion motion = capture.load_motion(capture.sequences[0]);
  for (const float w : motion.frames[0].expression) EXPECT_EQ(w, 0) << "the first frame is the neutral face";
  EXPECT_EQ(capture.load_head_model().vertex_count(), head->model.vertex_count());

  // A lost picture is made again, the same to the byte; what is there stays.
  const fs::path lost = capture.image_path(capture.sequences[0].views[0], 4);
  const std::vector<std::uint8_t> before = read_file(lost);
  fs::remove(lost);
  make_actor_capture(head->model, head->assets, options, folder);
  EXPECT_EQ(read_file(lost), before);

  options.seed = 2;
  EXPECT_THROW(make_actor_capture(head->model, head->assets, options, folder), Error) << "made with other options";
  options.seed = 1;
  options.seconds = 0.5;
  try {
    make_actor_capture(head->model, head->assets, options, folder);
    ADD_FAILURE() << "half a second was accepted";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("0.5 s"), std::string::npos) << text;
    EXPECT_EQ(text.find("JPEG"), std::string::npos) << "only the limit that was broken: " << text;
  }
  options.seconds = 2;
  options.rig = "circus";
  EXPECT_THROW(make_actor_capture(head->model, head->assets, options, folder), Error);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace mien
