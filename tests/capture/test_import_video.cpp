// Video in VHAP's layout: what was written comes back.
#include "capture/import_scene.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

void expect_same_pictures(const Capture& a, const CaptureSequence& sa, const Capture& b, const CaptureSequence& sb) {
  ASSERT_EQ(sa.views.size(), sb.views.size());
  for (std::size_t v = 0; v < sa.views.size(); ++v) {
    ASSERT_EQ(sa.views[v].camera, sb.views[v].camera);
    for (int f = 0; f < sa.frames; ++f) {
      EXPECT_EQ(read_image(a.image_path(sa.views[v], f)).pixels, read_image(b.image_path(sb.views[v], f)).pixels);
      EXPECT_EQ(read_image(a.mask_path(sa.views[v], f)).pixels, read_image(b.mask_path(sb.views[v], f)).pixels);
      const Camera ca = a.camera_at(sa, sa.views[v], f), cb = b.camera_at(sb, sb.views[v], f);
      EXPECT_EQ(ca.width, cb.width);
      EXPECT_EQ(ca.height, cb.height);
      EXPECT_NEAR(ca.fx, cb.fx, 1e-4f);
      EXPECT_NEAR(ca.fy, cb.fy, 1e-4f);
      EXPECT_NEAR(ca.cx, cb.cx, 1e-5f);
      EXPECT_NEAR(ca.cy, cb.cy, 1e-5f);
      EXPECT_LT((ca.world_to_camera - cb.world_to_camera).cwiseAbs().maxCoeff(), 2e-6f);
    }
  }
}

void expect_same_surface(const Capture& a, const CaptureSequence& sa, const Capture& b, const CaptureSequence& sb,
                         float tolerance) {
  const HeadModel ha = a.load_head_model(), hb = b.load_head_model();
  const HeadMotion ma = a.load_motion(sa), mb = b.load_motion(sb);
  ASSERT_EQ(ma.frame_count(), mb.frame_count());
  EXPECT_EQ(ha.mesh.faces, hb.mesh.faces);
  std::vector<Vec3> va, vb;
  for (int f = 0; f < ma.frame_count(); ++f) {
    ma.vertices(ha, f, va);
    mb.vertices(hb, f, vb);
    ASSERT_EQ(va.size(), vb.size());
    for (std::size_t v = 0; v < va.size(); ++v) EXPECT_LT((va[v] - vb[v]).norm(), tolerance) << f << " " << v;
  }
}

TEST_F(ImportTest, VideoComesBack) {
  const Capture truth = disc_capture(root_ / "truth", {"one"});
  const fs::path source = root_ / "074_angry-strong_v16_DS4_whiteBg";
  write_vhap(truth, truth.sequences[0], source, {.first_moment = 5});
  ImportOptions options;
  options.fps = 25;
  options.png = true;
  const Capture capture = import({source}, options);
  EXPECT_EQ(report_.layout, "vhap");
  EXPECT_EQ(report_.pictures, 12);
  EXPECT_EQ(capture.person, "074");
  ASSERT_EQ(capture.sequences.size(), 1u);
  const CaptureSequence& s = capture.sequences[0];
  EXPECT_EQ(s.id, "074_angry-strong");
  EXPECT_EQ(s.fps, 25);
  EXPECT_EQ(s.frames, 4);
  EXPECT_EQ(s.emotion.at(0), emotion_vector(Emotion::kAngry, 1));
  for (const CaptureCamera& camera : capture.cameras) EXPECT_FALSE(camera.moving);
  expect_same_pictures(truth, truth.sequences[0], capture, s);
  expect_same_surface(truth, truth.sequences[0], capture, s, 2e-5f);
  EXPECT_EQ(capture.load_motion(s).frames[0].emotion, s.emotion.at(0));
  EXPECT_TRUE(check_capture(root_ / "cap").empty());
}

TEST_F(ImportTest, MeshesOfAKnownHeadBecomeExpressions) {
  const Capture truth = disc_capture(root_ / "truth", {"one"});
  write_vhap(truth, truth.sequences[0], root_ / "one");
  ImportOptions options;
  options.fps = 25;
  options.head = root_ / "truth/head.safetensors";
  const Capture capture = import({root_ / "one"}, options);
  const HeadMotion motion = capture.load_motion(capture.sequences[0]);
  expect_same_surface(truth, truth.sequences[0], capture, capture.sequences[0], 2e-5f);
  for (int f = 0; f < 4; ++f) {
    EXPECT_NEAR(motion.frames[f].expression[2], 0.2f * static_cast<float>(f), 0.03f);
    EXPECT_EQ(motion.frames[f].expression[3], 0);
  }
}

TEST_F(ImportTest, BlackPicturesAreCopiedAsTheyAre) {
  const Capture truth = disc_capture(root_ / "truth", {"one"});
  write_vhap(truth, truth.sequences[0], root_ / "one", {.white = false});
  import({root_ / "one"});
  EXPECT_EQ(report_.copied, 12);
  EXPECT_EQ(read_file(root_ / "one/images/00002_01.png"), read_file(root_ / "cap/one/cam1/images/000002.png"));
}

TEST_F(ImportTest, SequencesWithWorldsOfTheirOwnMoveTheCameras) {
  const Capture truth = disc_capture(root_ / "truth", {"EMO-2", "EXP-1", "SEN-01"});
  const fs::path sets = root_ / "sets";
  write_vhap(truth, truth.sequences[0], sets / "p_EMO-2_v16_x");
  write_vhap(truth, truth.sequences[1], sets / "p_EXP-1_v16_x", {.shift = Vec3(0.02f, -0.01f, 0.03f)});
  write_vhap(truth, truth.sequences[2], sets / "p_SEN-01_v16_x");
  // A union of them, as it is distributed: it points to its neighbours and says what is for testing.
  fs::create_directories(sets / "UNION3_p");
  Json all = read_json(sets / "p_EMO-2_v16_x/transforms.json");
  for (Json& frame : all["frames"]) frame["file_path"] = "../p_EMO-2_v16_x/" + frame["file_path"].get<std::string>();
  std::ofstream(sets / "UNION3_p/transforms_train.json") << all.dump();
  std::ofstream(sets / "UNION3_p/sequences_test.txt") << "p_EXP-1_v16_x\n";

  ImportOptions options;
  options.fps = 25;
  options.png = true;
  const Capture capture = import({sets}, options);
  ASSERT_EQ(capture.sequences.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(capture.sequences[i].split, i == 1 ? "test" : "train");
  for (const CaptureCamera& camera : capture.cameras) EXPECT_TRUE(camera.moving);
  expect_same_pictures(truth, truth.sequences[0], capture, capture.sequences[0]);
  EXPECT_EQ(capture.sequences[0].emotion.at(0), parse_emotion_vector("surprised:0.5,fear:0.5"));
  EXPECT_EQ(capture.sequences[1].emotion.at(0), parse_emotion_vector("neutral"));

  const std::string text = refusal(sets / "UNION3_p");
  EXPECT_TRUE(has(text, "leaves its folder") && has(text, "name the sequences' own folders")) << text;
  options.test = {"p_SEN-01"};
  EXPECT_EQ(import({sets}, options).sequences[2].split, "test");
  EXPECT_EQ(Capture::load(root_ / "cap").sequences[1].split, "train");
  options.test = {"p_SEN-99"};
  EXPECT_TRUE(has(refusal(sets, options), "there are p_EMO-2"));
}

TEST_F(ImportTest, SoundComesAlongAndTellsAWrongFrameRate) {
  const Capture truth = disc_capture(root_ / "truth", {"one"});
  write_vhap(truth, truth.sequences[0], root_ / "one");
  Audio audio;
  audio.samples.assign(16000, 0.1f);
  fs::create_directories(root_ / "wav");
  write_wav(root_ / "wav/one.wav", audio);
  ImportOptions options;
  options.audio = root_ / "wav";
  options.fps = 25;
  const std::string text = refusal(root_ / "one", options);
  EXPECT_TRUE(has(text, "1.00 s of sound") && has(text, "0.16 s at 25 frames/s") && has(text, "about 4.00")) << text;
  options.fps = 4;
  const Capture capture = import({root_ / "one"}, options);
  EXPECT_EQ(capture.sequences[0].audio, "one/audio.wav");
  options.audio = root_ / "truth";  // holds no sound: no error, but a note
  import({root_ / "one"}, options);
  EXPECT_TRUE(std::any_of(report_.notes.begin(), report_.notes.end(),
                          [](const std::string& note) { return has(note, "1 sequence without sound"); }));
}

TEST_F(ImportTest, WithoutMeshesOrMasksItIsPicturesAndCameras) {
  const Capture truth = disc_capture(root_ / "truth", {"one"});
  write_vhap(truth, truth.sequences[0], root_ / "one", {.meshes = false, .masks = false});
  edit(root_ / "one", [](Json& json) {
    for (Json& frame : json["frames"]) frame["flame_param_path"] = "flame_param/00000.npz";
  });
  const Capture capture = import({root_ / "one"});
  EXPECT_FALSE(capture.tracked);
  EXPECT_TRUE(capture.sequences[0].motion.empty());
  EXPECT_TRUE(capture.sequences[0].views[0].masks.empty());
  EXPECT_THROW(capture.load_head_model(), Error);
  EXPECT_TRUE(std::any_of(report_.notes.begin(), report_.notes.end(),
                          [](const std::string& note) { return has(note, "FLAME parameters"); }));
  EXPECT_TRUE(check_capture(root_ / "cap").empty());
  ImportOptions options;
  options.skip_cameras = {"cam0", "cam2"};
  EXPECT_EQ(import({root_ / "one"}, options).cameras.size(), 1u);  // one camera is few, but no error
}

}  // namespace
}  // namespace mien
