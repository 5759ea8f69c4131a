// ICT-FaceKit and FLAME as heads: the default head is written in their layouts and has to come back.
#include <algorithm>
#include <cmath>

#include "head/outside_fixture.h"
#include "mien/head/measures.h"
#include "mien/head/outside_builders.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class OutsideHeads : public test::ScratchFolder {
 protected:
  static Vec3 landmark(const HeadModel& model, int i) {
    return outside::surface_point(model, model.landmarks[i], model.mesh.positions);
  }
  static const Vec3* expression(const HeadModel& model, const char* name) {
    return model.expression.data() + static_cast<std::size_t>(arkit_index(name)) * model.mesh.positions.size();
  }
  // Mean distance of all landmarks from where the default head has them, metres.
  static float landmark_error(const HeadModel& model, const HeadModel& head) {
    float sum = 0;
    for (int i = 0; i < 478; ++i)
      sum += (landmark(model, i) - test::Disguise::kScale * aligned(landmark(head, i))).norm();
    return sum / 478;
  }
  // About the middle of the eyes, which is 80 mm before the origin on every head, whatever its size.
  static Vec3 aligned(const Vec3& p) { return p - Vec3(0, 0, 0.08f) + Vec3(0, 0, 0.08f / test::Disguise::kScale); }

  void write_ict(const HeadModel& head, const std::vector<std::string>& expressions) {
    const test::Disguise body(head, [&](int f) { return head.face_part[f] != HeadPart::kBrows; });
    fs::create_directories(folder_ / "FaceXModel");
    const auto vertices = [&](const Vec3* add) {
      std::string text = "mtllib ICTFaceModelMaterial.mtl\n";
      for (const int v : body.kept) {
        const Vec3 p = 100 * (body.place(head.mesh.positions[v]) + (add ? add[v] : Vec3(0, 0, 0)));
        text += fmt::format("v {:.6f} {:.6f} {:.6f}\n", p.x(), p.y(), p.z());
      }
      return text;
    };
    static const std::map<HeadPart, std::string> materials = {{HeadPart::kSkin, "M_Face"},
                                                              {HeadPart::kEyeLeft, "M_ScleraLeft"},
                                                              {HeadPart::kEyeRight, "M_ScleraRight"},
                                                              {HeadPart::kTeethUpper, "M_Teeth"},
                                                              {HeadPart::kTeethLower, "M_Teeth"},
                                                              {HeadPart::kGums, "M_GumsTongue"},
                                                              {HeadPart::kTongue, "M_GumsTongue"},
                                                              {HeadPart::kLashes, "M_EyeLashes"}};
    std::string text = vertices(nullptr) + "vt 0.5 0.25\n";
    std::string material;
    for (std::size_t f = 0; f < body.faces.size(); ++f) {
      const std::string& wanted = materials.at(body.parts[f]);
      if (wanted != material) text += "usemtl " + (material = wanted) + "\n";
      const Index3& face = body.faces[f];
      text += fmt::format("f {}/1 {}/1 {}/1\n", face[0] + 1, face[1] + 1, face[2] + 1);
    }
    text += "usemtl M_EyeOcclusion\nf 1/1 2/1 3/1\n";  // must be left out
    test::write_text(folder_ / "FaceXModel/generic_neutral_mesh.obj", text);
    for (const std::string& name : expressions) {
      std::string file = name;
      if (name.ends_with("Left") && name != "jawLeft") file = name.substr(0, name.size() - 4) + "_L";
      if (name.ends_with("Right") && name != "jawRight") file = name.substr(0, name.size() - 5) + "_R";
      std::vector<Vec3> half(head.mesh.positions.size());
      const bool is_halved = name == "browInnerUp";
      for (std::size_t v = 0; v < half.size(); ++v)
        half[v] = (is_halved ? 0.5f : 1.0f) * expression(head, name.c_str())[v];
      for (const char* side : {"_L", "_R"})
        test::write_text(folder_ / "FaceXModel" / (file + (is_halved ? side : "") + ".obj"), vertices(half.data()));
    }
    test::write_text(folder_ / "FaceXModel/identity000.obj", vertices(head.identity.data()));
    std::string points;
    for (int i = 0; i < 68; ++i) {
      const int number = std::max(0, outside::landmark_of_68(i));
      points += fmt::format("{}{}", i ? ", " : "", body.nearest(head, landmark(head, number)));
    }
    test::write_text(folder_ / "FaceXModel/vertex_indices.json", "{\"idx_to_landmark_verts\": [" + points + "]}");
  }
};

TEST_F(OutsideHeads, IctFaceKitComesBackAsTheHeadItWas) {
  MIEN_REQUIRE_HEAD(head);
  write_ict(head, {"jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "browInnerUp", "jawLeft",
                   "eyeLookDownLeft"});
  const OutsideHead built = build_ict_head({folder_, 10}, head);
  const HeadModel& model = built.model;
  EXPECT_EQ(built.missing.size(), 45u);
  EXPECT_NE(std::find(built.missing.begin(), built.missing.end(), "tongueOut"), built.missing.end());
  // Placement, metres.
  const Vec3 middle = 0.5f * (model.joints[2] + model.joints[3]);
  EXPECT_LT((middle - Vec3(0, 0, 0.08f)).norm(), 1e-4f);
  EXPECT_NEAR(model.joints[2].x() - model.joints[3].x(), 1.05f * (head.joints[2].x() - head.joints[3].x()), 1e-3f);
  for (int joint = 0; joint < 2; ++joint)
    EXPECT_LT((model.joints[joint] - 1.05f * aligned(head.joints[joint])).norm(), 0.004f) << joint;
  ASSERT_EQ(model.landmarks.size(), 478u);
  EXPECT_LT(landmark_error(model, head), 0.0015f);
  // An inner lip landmark of either lip sits on that lip, though they touch.
  const Vec3* jaw = expression(model, "jawOpen");
  const auto moved = [&](int i) {
    return outside::surface_point(model, model.landmarks[i], std::vector<Vec3>(jaw, jaw + model.vertex_count())).norm();
  };
  EXPECT_GT(moved(14), 3 * moved(13));
  // Measures that speech and blinks are judged by.
  std::vector<Vec3> vertices;
  std::vector<float> weights(kArkitCount, 0.0f);
  weights[arkit_index("jawOpen")] = 1;
  weights[arkit_index("eyeBlinkLeft")] = 1;
  model.deform(weights.data(), kArkitCount, nullptr, vertices);
  std::vector<Vec3> expected;
  head.deform(weights.data(), kArkitCount, nullptr, expected);
  EXPECT_NEAR(mouth_opening_mm(model, vertices), mouth_opening_mm(head, expected), 2.5f);
  EXPECT_LT(lid_opening_left_mm(model, vertices), 1.2f);
  EXPECT_GT(lid_opening_right_mm(model, vertices), 7.0f);
  EXPECT_NEAR(mouth_width_mm(model, model.mesh.positions), 1.05f * mouth_width_mm(head, head.mesh.positions), 2.0f);
  // Parts: each jaw's teeth, a tongue, no shadow shell.
  std::map<HeadPart, int> theirs, ours;
  for (const HeadPart part : head.face_part) ++ours[part];
  for (const HeadPart part : model.face_part) ++theirs[part];
  EXPECT_EQ(theirs[HeadPart::kTeethUpper], ours[HeadPart::kTeethUpper]);
  EXPECT_EQ(theirs[HeadPart::kTeethLower], ours[HeadPart::kTeethLower]);
  EXPECT_EQ(theirs[HeadPart::kTongue], ours[HeadPart::kTongue]);
  EXPECT_EQ(theirs[HeadPart::kSkin], ours[HeadPart::kSkin]);
  // The halves of browInnerUp add up; eyeballs stay with the gaze.
  EXPECT_EQ(model.identity_count(), 1);
  float largest = 0, wanted = 0;
  for (int v = 0; v < model.vertex_count(); ++v)
    largest = std::max(largest, expression(model, "browInnerUp")[v].norm());
  for (int v = 0; v < head.vertex_count(); ++v) {
    if (head.region[v] != HeadRegion::kBrows) wanted = std::max(wanted, expression(head, "browInnerUp")[v].norm());
  }
  EXPECT_NEAR(largest, wanted, 2e-5f);
  for (int v = 0; v < model.vertex_count(); ++v) {
    if (model.region[v] == HeadRegion::kEyes) {
      ASSERT_EQ(expression(model, "eyeLookDownLeft")[v].norm(), 0.0f);
    }
  }
  // Through a file, with the checks of HeadModel::load().
  save_head(built, folder_ / "ict.safetensors");
  EXPECT_EQ(HeadModel::load(folder_ / "ict.safetensors").id, "ict-facekit-1");
}

TEST_F(OutsideHeads, DamagedIctFoldersAreRefusedInOneLine) {
  MIEN_REQUIRE_HEAD(head);
  EXPECT_EQ(error_of([&] { build_ict_head({folder_}, head); }).code(), ErrorCode::kNotFound);
  fs::create_directories(folder_ / "FaceXModel");
  const fs::path mesh = folder_ / "FaceXModel/generic_neutral_mesh.obj";
  const auto refused = [&](const char* text) {
    test::write_text(mesh, text);
    const Error error = error_of([&] { build_ict_head({folder_}, head); });
    EXPECT_EQ(error.code(), ErrorCode::kBadFile) << text;
    return std::string(error.what());
  };
  EXPECT_NE(refused("").find("no vertices"), std::string::npos);
  EXPECT_NE(refused("v 1 2\n").find("line 1"), std::string::npos);
  EXPECT_NE(refused("v 1 2 nan\n").find("line 1"), std::string::npos);
  EXPECT_NE(refused("v 1 2 3\nf 1 2 3\n").find("names vertex 3"), std::string::npos);
  EXPECT_NE(refused("v 1 2 3\nf 1 99999999999 3\n").find("line 2"), std::string::npos);
  test::write_text(mesh, "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n");
  for (const char* json : {"[]", "{\"idx_to_landmark_verts\": 3}", "{\"idx_to_landmark_verts\": [1, 2]}", "{"}) {
    test::write_text(folder_ / "FaceXModel/vertex_indices.json", json);
    EXPECT_EQ(error_of([&] { build_ict_head({folder_}, head); }).code(), ErrorCode::kBadFile) << json;
  }
  // Another version's shape among the files.
  write_ict(head, {"jawOpen"});
  test::write_text(folder_ / "FaceXModel/jawOpen.obj", "v 0 0 0\n");
  const Error error = error_of([&] { build_ict_head({folder_}, head); });
  EXPECT_NE(std::string(error.what()).find("jawOpen.obj"), std::string::npos);
}

}  // namespace
}  // namespace mien
