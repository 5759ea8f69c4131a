// Imports of what is wrong, damaged or hostile: one clear line each, and nothing left behind.
#include <cstring>

#include "capture/import_scene.h"
#include "mien/base/random.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class ImportDamage : public ImportTest {
 protected:
  void SetUp() override {
    ImportTest::SetUp();
    truth_ = disc_capture(root_ / "truth", {"one"});
    restore();
  }
  void restore(const VhapWriting& how = {}) {
    fs::remove_all(one_);
    write_vhap(truth_, truth_.sequences[0], one_, how);
  }
  template <typename Change>
  std::string refused(const Change& change, const ImportOptions& options = {}) {
    restore();
    edit(one_, change);
    return refusal(one_, options);
  }
  Capture truth_;
  fs::path one_ = root_ / "one";
};

TEST_F(ImportDamage, WhatDoesNotFitTogether) {
  std::string text = refused([](Json& j) { j["frames"].erase(7); });
  EXPECT_TRUE(has(text, "camera cam1: 3 pictures") && has(text, "4 moments (moment 2 is missing)")) << text;
  text = refused([](Json& j) { j["frames"][4].erase("fg_mask_path"); });
  EXPECT_TRUE(has(text, "3 masks for 4 pictures")) << text;
  text = refused([](Json& j) { j["frames"][4]["fg_mask_path"] = "fg_masks/99999_01.png"; });
  EXPECT_TRUE(has(text, "no such mask") && has(text, "moment 1")) << text;
  text = refused([](Json& j) { j["frames"][4]["file_path"] = "images/lost.png"; });
  EXPECT_TRUE(has(text, "lost.png: no such picture")) << text;
  text = refused([](Json& j) { j["frames"][4]["timestep_index"] = 0; });
  EXPECT_TRUE(has(text, "moment 0 is listed twice")) << text;
  text = refused([](Json& j) { j["frames"][4]["fl_x"] = 99.0; });
  EXPECT_TRUE(has(text, "camera cam1: its lens changes")) << text;
  text = refused([](Json& j) {
    for (const int f : {0, 1, 2}) j["frames"][f].erase("mesh_path");
  });
  EXPECT_TRUE(has(text, "3 meshes for 4 moments")) << text;
  text = refused([](Json& j) {  // the person's back is in front of this one, but it looks the other way
    for (const int f : {1, 4, 7, 10}) {
      for (int r = 0; r < 3; ++r) {
        for (const int c : {0, 2}) {
          Json& value = j["frames"][f]["transform_matrix"][r][c];
          value = -value.get<double>();
        }
      }
    }
  });
  EXPECT_TRUE(has(text, "camera cam1 looks away from the head") && has(text, "--skip-cameras cam1")) << text;
  ImportOptions options;
  options.skip_cameras = {"cam9"};
  text = refused([](Json&) {}, options);
  EXPECT_TRUE(has(text, "no camera \"cam9\"") && has(text, "cam0, cam1, cam2")) << text;
  restore();
  write_image(one_ / "images/00002_00.png", Image8(8, 8, 3));
  text = refusal(one_);
  EXPECT_TRUE(has(text, "00002_00.png: 8x8 pixels; its camera has 24x20")) << text;
}

TEST_F(ImportDamage, HostileTransforms) {
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["file_path"] = "/etc/passwd"; }), "absolute"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["file_path"] = "../truth/x.png"; }), "leaves its folder"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["file_path"] = "images/../../x.png"; }), "leaves its folder"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["fg_mask_path"] = "../x.png"; }), "leaves its folder"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["mesh_path"] = "../x.obj"; }), "leaves its folder"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["w"] = 1e9; }), "pixels"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["w"] = -3; }), "pixels"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["fl_x"] = -5; }), "impossible camera"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["fl_x"] = 1e300; }), "impossible camera"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["timestep_index"] = "x"; }), "timestep_index"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["timestep_index"] = -1; }), "timestep_index"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["transform_matrix"][0][0] = 7; }), "not a rotation"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["transform_matrix"][0][3] = 1e9; }), "beyond a million"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["transform_matrix"] = 3; }), "transform_matrix"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["camera_model"] = "OPENCV_FISHEYE"; }), "image_undistorter"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][0]["camera_id"] = ""; }), "without a name"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"][3] = 5; }), "frame 3"));
  EXPECT_TRUE(has(refused([](Json& j) { j["frames"] = Json::array(); }), "no pictures"));
  EXPECT_TRUE(has(refused([](Json& j) { j = 7; }), "frames"));
  // Names of cameras become names of folders, and stay in.
  restore();
  edit(one_, [](Json& j) {
    for (Json& frame : j["frames"]) frame["camera_id"] = "../../" + frame["camera_id"].get<std::string>();
  });
  EXPECT_EQ(import({one_}).cameras[1].id, "_._.._cam1");
}

TEST_F(ImportDamage, DamagedMeshes) {
  const auto mesh_refused = [&](const std::string& text) {
    restore();
    std::ofstream(one_ / "meshes/00001.obj") << text;
    return refusal(one_);
  };
  EXPECT_TRUE(has(mesh_refused("v 1 2 x\n"), "00001.obj: line 1 is no vertex"));
  EXPECT_TRUE(has(mesh_refused("v 1 2 3\nf 1 2 3\n"), "names vertex 1 of 1"));
  EXPECT_TRUE(has(mesh_refused("v 1 2 3\nf -7 1 1\n"), "face 0 names vertex"));
  EXPECT_TRUE(has(mesh_refused("v nan 2 3\n"), "not finite"));
  EXPECT_TRUE(has(mesh_refused("v 1 2 3\nv 1 2 4\nv 2 2 3\nf 1 2 3\n"), "3 vertices, 1 faces; the first mesh has 6"));
  EXPECT_TRUE(has(mesh_refused(""), "0 vertices"));
  restore();
  fs::remove(one_ / "meshes/00003.obj");
  EXPECT_TRUE(has(refusal(one_), "00003.obj: no such file"));
  ImportOptions options;
  options.head = root_ / "truth/capture.json";
  restore();
  EXPECT_TRUE(has(refusal(one_, options), "capture.json"));
}

TEST_F(ImportDamage, OptionsAndPlaces) {
  ImportOptions options;
  options.layout = "x";
  EXPECT_TRUE(has(refusal(one_, options), "use auto, vhap, transforms, colmap"));
  options = {};
  options.place = "moon";
  EXPECT_TRUE(has(refusal(one_, options), "moon"));
  options = {};
  options.fps = 0;
  EXPECT_TRUE(has(refusal(one_, options), "fps 0"));
  options = {};
  options.scale = -1;
  EXPECT_TRUE(has(refusal(one_, options), "scale -1"));
  options = {};
  options.emotion_table = root_ / "none.json";
  EXPECT_TRUE(has(refusal(one_, options), "none.json"));
  EXPECT_TRUE(has(refusal(root_ / "nowhere"), "no such folder"));
  EXPECT_TRUE(has(refusal(root_ / "truth/one"), "holds neither transforms.json nor a COLMAP model"));
  fs::create_directories(root_ / "full");
  std::ofstream(root_ / "full/diary.txt") << "dear diary";
  EXPECT_THROW(import_capture({one_}, root_ / "full"), Error);
  EXPECT_EQ(read_text(root_ / "full/diary.txt"), "dear diary");
  options = {};
  options.progress = [](std::int64_t, std::int64_t, const std::string&) { return false; };
  EXPECT_THROW(import_capture({one_}, root_ / "cap", options), Error);
  EXPECT_FALSE(fs::exists(root_ / "cap"));
}

TEST_F(ImportDamage, DamagedBytesNeverCrash) {
  const std::string text = read_text(one_ / "transforms.json");
  Random random(9);
  for (int trial = 0; trial < 60; ++trial) {
    std::string damaged = text;
    if (trial % 3 == 0) {
      damaged.resize(random.below(static_cast<std::uint32_t>(text.size())));
    } else {
      for (int i = 0; i < 3; ++i) {
        damaged[random.below(static_cast<std::uint32_t>(text.size()))] = static_cast<char>(random.below(256));
      }
    }
    std::ofstream(one_ / "transforms.json", std::ios::binary) << damaged;
    fs::remove_all(root_ / "cap");
    try {
      import_capture({one_}, root_ / "cap");
    } catch (const Error&) {
      EXPECT_FALSE(fs::exists(root_ / "cap"));
    }
  }
}

}  // namespace
}  // namespace mien
