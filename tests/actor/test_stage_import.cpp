// The actor's capture written in VHAP's layout and imported: cameras, pictures, mattes, times, emotion, surface and,
// for the head that it was made with, expressions come back. Skipped where scripts/setup has not made the head yet.
#include <gtest/gtest.h>

#include <filesystem>

#include "actor/synthetic_head.h"
#include "capture/vhap_layout.h"
#include "mien/actor/actor_capture.h"
#include "mien/actor/voice.h"
#include "mien/capture/import.h"
#include "mien/head/head_assets.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

// Largest distance between two surfaces over all frames, metres.
float surface_error(const Capture& a, const Capture& b) {
  const HeadModel ha = a.load_head_model(), hb = b.load_head_model();
  const HeadMotion ma = a.load_motion(a.sequences[0]), mb = b.load_motion(b.sequences[0]);
  EXPECT_EQ(ma.frame_count(), mb.frame_count());
  float worst = 0;
  std::vector<Vec3> va, vb;
  for (int f = 0; f < ma.frame_count(); ++f) {
    ma.vertices(ha, f, va);
    mb.vertices(hb, f, vb);
    if (va.size() != vb.size()) return 1e9f;
    for (std::size_t v = 0; v < va.size(); ++v) worst = std::max(worst, (va[v] - vb[v]).norm());
  }
  return worst;
}

TEST(StageImport, TheActorComesBackFromVhapsLayout) {
  const std::optional<HeadModel> model = test::real_head();
  if (!model) GTEST_SKIP() << "the head model is not there; run scripts/setup";
  if (!has_voices()) GTEST_SKIP() << "this build has no voices (flite)";
  const fs::path root = fs::path(testing::TempDir()) / "mien_actor_vhap";
  fs::remove_all(root);
  ActorCaptureOptions options;
  options.performer = named_performer("ada");
  options.seconds = 1;
  options.fps = 4;
  options.png = true;
  options.emotions = {parse_emotion_vector("surprised:1")};
  options.rig_options.size = 48;
  options.stage.skin_texels = 128;
  options.stage.supersample = 1;
  make_actor_capture(*model, HeadAssets::load(find_head_asset(), *model), options, root / "actor");
  const Capture truth = Capture::load(root / "actor");
  write_vhap(truth, truth.sequences[0], root / "0007_surprised_strong_v16_DS1_whiteBg");

  ImportOptions import;
  import.fps = 4;
  import.png = true;
  const ImportReport report = import_capture({root / "0007_surprised_strong_v16_DS1_whiteBg"}, root / "cap", import);
  EXPECT_EQ(report.layout, "vhap");
  EXPECT_EQ(report.cameras, 11);
  const Capture capture = Capture::load(root / "cap");
  const CaptureSequence &s = truth.sequences[0], &t = capture.sequences[0];
  EXPECT_EQ(t.frames, s.frames);
  EXPECT_EQ(t.emotion.at(0.3), parse_emotion_vector("surprised:1"));
  for (const CaptureView& view : s.views) {
    const auto other =
        std::find_if(t.views.begin(), t.views.end(), [&](const auto& v) { return v.camera == view.camera; });
    ASSERT_NE(other, t.views.end()) << view.camera;
    const Camera a = truth.camera_at(s, view, 0), b = capture.camera_at(t, *other, 0);
    EXPECT_LT((a.world_to_camera - b.world_to_camera).cwiseAbs().maxCoeff(), 1e-5f);
    EXPECT_NEAR(a.fx, b.fx, 1e-3f);
    for (int f = 0; f < s.frames; ++f) {
      EXPECT_EQ(read_image(truth.mask_path(view, f)).pixels, read_image(capture.mask_path(*other, f)).pixels);
      EXPECT_EQ(read_image(truth.image_path(view, f)).pixels, read_image(capture.image_path(*other, f)).pixels)
          << view.camera << " " << f;
    }
  }
  EXPECT_LT(surface_error(truth, capture), 1e-4f) << "offsets are half precision";
  EXPECT_TRUE(check_capture(root / "cap").empty());

  import.head = root / "actor/head.safetensors";
  import_capture({root / "0007_surprised_strong_v16_DS1_whiteBg"}, root / "known", import);
  const Capture known = Capture::load(root / "known");
  EXPECT_LT(surface_error(truth, known), 1e-4f);
  const HeadMotion a = truth.load_motion(s), b = known.load_motion(known.sequences[0]);
  for (int f = 0; f < a.frame_count(); ++f) {
    for (std::size_t e = 0; e < a.frames[f].expression.size(); ++e) {
      EXPECT_NEAR(a.frames[f].expression[e], b.frames[f].expression[e], 0.01f) << f << " " << a.expression_names[e];
    }
  }
  fs::remove_all(root);
}

}  // namespace
}  // namespace mien
