#include <cmath>
#include <fstream>

#include "head/head_fixture.h"

namespace mien {
namespace {

using ModelFile = test::ScratchFolder;

void save(const HeadModel& model, const std::filesystem::path& path, const std::string& prefix = "") {
  SafetensorsWriter writer;
  model.save(writer, prefix);
  writer.write(path);
}

TEST_F(ModelFile, RoundTrip) {
  const HeadModel model = test::toy_head();
  save(model, folder_ / "a", "head.");
  const HeadModel again = HeadModel::load(SafetensorsFile::open(folder_ / "a"), "head.");
  EXPECT_EQ(again.id, model.id);
  EXPECT_EQ(again.mesh.positions, model.mesh.positions);
  EXPECT_EQ(again.mesh.faces, model.mesh.faces);
  EXPECT_EQ(again.mesh.uv, model.mesh.uv);
  EXPECT_EQ(again.mesh.face_uv, model.mesh.face_uv);
  EXPECT_EQ(again.face_part, model.face_part);
  EXPECT_EQ(again.region, model.region);
  EXPECT_EQ(again.identity_names, model.identity_names);
  EXPECT_EQ(again.expression_names, model.expression_names);
  EXPECT_EQ(again.joints, model.joints);
  EXPECT_EQ(again.joint_identity, model.joint_identity);
  EXPECT_EQ(again.skin_weights, model.skin_weights);
  EXPECT_EQ(again.contours.lips, model.contours.lips);
  EXPECT_EQ(again.contours.upper_teeth, model.contours.upper_teeth);
  EXPECT_EQ(again.contours.mouth_corners, model.contours.mouth_corners);
  ASSERT_EQ(again.landmarks.size(), model.landmarks.size());
  EXPECT_EQ(again.landmarks[1].face, model.landmarks[1].face);
  ASSERT_EQ(again.expression.size(), model.expression.size());
  for (std::size_t i = 0; i < model.expression.size(); ++i) {
    EXPECT_LT((again.expression[i] - model.expression[i]).norm(), 2e-5f);  // half precision of a few millimetres
  }
  ASSERT_EQ(again.identity.size(), model.identity.size());
  for (std::size_t i = 0; i < model.identity.size(); ++i)
    EXPECT_LT((again.identity[i] - model.identity[i]).norm(), 5e-5f);
}

TEST_F(ModelFile, NonsenseInsideIsRefused) {
  const auto refused = [&](const char* what, const auto& spoil) {
    HeadModel model = test::toy_head();
    spoil(model);
    save(model, folder_ / "bad");
    EXPECT_EQ(error_of([&] { HeadModel::load(folder_ / "bad"); }).code(), ErrorCode::kBadFile) << what;
  };
  refused("face index", [](HeadModel& m) { m.mesh.faces[3][1] = 40; });
  refused("negative index", [](HeadModel& m) { m.mesh.faces[3][1] = -1; });
  refused("uv index", [](HeadModel& m) { m.mesh.face_uv[0][0] = 12; });
  refused("part", [](HeadModel& m) { m.face_part[0] = static_cast<HeadPart>(9); });
  refused("region", [](HeadModel& m) { m.region[0] = static_cast<HeadRegion>(kHeadRegionCount); });
  refused("NaN position", [](HeadModel& m) { m.mesh.positions[5].y() = NAN; });
  refused("infinite expression", [](HeadModel& m) { m.expression[5].y() = INFINITY; });
  refused("skin weight", [](HeadModel& m) { m.skin_weights[0][0] = 1.5f; });
  refused("names out of order", [](HeadModel& m) { std::swap(m.expression_names[0], m.expression_names[1]); });
  refused("few expressions", [](HeadModel& m) {
    m.expression_names.resize(20);
    m.expression.resize(20 * m.mesh.positions.size());
  });
  refused("landmark", [](HeadModel& m) { m.landmarks[0].face = 30; });
  refused("contour", [](HeadModel& m) { m.contours.lips[0][1] = 40; });
  refused("teeth", [](HeadModel& m) { m.contours.upper_teeth[0] = -2; });
}

TEST_F(ModelFile, DamageNeverGoesUnnoticedOrCrashes) {
  save(test::toy_head(), folder_ / "good");
  const std::vector<std::uint8_t> good = read_file(folder_ / "good");
  const auto load = [&](const std::vector<std::uint8_t>& bytes) {
    std::ofstream(folder_ / "bad", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    HeadModel::load(folder_ / "bad");
  };
  for (std::size_t length : {std::size_t{0}, std::size_t{7}, std::size_t{100}, good.size() / 2, good.size() - 1}) {
    EXPECT_EQ(error_of([&] {
                load({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)});
              }).code(),
              ErrorCode::kBadFile)
        << length;
  }
  // Flipped bits: an Error or a usable model, nothing else. The sanitizer build watches over the rest.
  Random random(3);
  for (int i = 0; i < 300; ++i) {
    std::vector<std::uint8_t> bytes = good;
    bytes[random.below(static_cast<std::uint32_t>(i < 150 ? 2000 : bytes.size()))] ^=
        static_cast<std::uint8_t>(1u << random.below(8));
    try {
      load(bytes);
    } catch (const Error&) {
    }
  }
  std::string text(good.begin(), good.end());
  const std::string format = "format\\\":1";
  text[text.find(format) + format.size() - 1] = '2';
  EXPECT_EQ(error_of([&] { load({text.begin(), text.end()}); }).code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of([&] { HeadModel::load(folder_ / "absent"); }).code(), ErrorCode::kNotFound);
}

TEST(Model, IdentityAndExpressionsAreLinear) {
  const HeadModel model = test::toy_head();
  EXPECT_THROW(model.with_identity({1, 2, 3, 4}), Error);
  HeadModel plain = model;
  plain.contours = {};
  const HeadModel person = plain.with_identity({0.5f, 0, -2});
  EXPECT_EQ(person.identity_count(), 0);
  const std::size_t n = model.mesh.positions.size();
  for (std::size_t v = 0; v < n; ++v) {
    const Vec3 expected = model.mesh.positions[v] + 0.5f * model.identity[v] - 2 * model.identity[2 * n + v];
    EXPECT_LT((person.mesh.positions[v] - expected).norm(), 1e-6f);
  }
  const Vec3 eye = model.joints[2] + 0.5f * model.joint_identity[0][2] - 2 * model.joint_identity[2][2];
  EXPECT_LT((person.joints[2] - eye).norm(), 1e-6f);
  std::vector<float> weights(10, 0.0f);
  weights[3] = 0.7f;
  weights[9] = -0.2f;
  std::vector<Vec3> offsets(n, Vec3(0.001f, 0, 0)), out;
  model.deform(weights.data(), 10, offsets.data(), out);
  for (std::size_t v = 0; v < n; ++v) {
    const Vec3 expected =
        model.mesh.positions[v] + 0.7f * model.expression[3 * n + v] - 0.2f * model.expression[9 * n + v] + offsets[v];
    EXPECT_LT((out[v] - expected).norm(), 1e-6f);
  }
}

Eigen::Isometry3d about(const Vec3& centre, const Eigen::Quaterniond& turn) {
  return Eigen::Translation3d(centre.cast<double>()) * turn * Eigen::Translation3d(-centre.cast<double>());
}

TEST(Pose, WholeSharesMoveRigidlyAsTheChainOfJointsSays) {
  const HeadModel model = test::toy_head();
  HeadPose pose;
  pose.head = Quat(Eigen::AngleAxisf(0.6f, Vec3(1, 2, 0.5f).normalized()));
  pose.neck = Quat(Eigen::AngleAxisf(-0.4f, Vec3(0, 1, 1).normalized()));
  pose.root = Quat(Eigen::AngleAxisf(2.5f, Vec3(0.3f, 1, 0).normalized()));
  pose.translation = Vec3(0.3f, -0.1f, 2);
  pose.gaze_left = {0.3f, 0.2f};
  pose.gaze_right = {-0.1f, 0.4f};
  const auto root = Eigen::Translation3d(pose.translation.cast<double>()) * pose.root.cast<double>();
  const Eigen::Isometry3d neck = about(model.joints[0], pose.neck.cast<double>());
  const Eigen::Isometry3d head = about(model.joints[1], pose.head.cast<double>());
  std::vector<Vec3> out = model.mesh.positions;
  model.pose(pose, out);
  for (int v = 5; v < 20; ++v) {
    const Eigen::Vector3d rest = model.mesh.positions[v].cast<double>();
    const Eigen::Vector3d expected = v < 10 ? Eigen::Vector3d(root * neck * head * rest) : Eigen::Vector3d(root * rest);
    EXPECT_LT((out[v].cast<double>() - expected).norm(), 1e-6) << v;
  }
}

TEST(Pose, PartialSharesKeepTheDistanceToTheirJoint) {
  const HeadModel model = test::toy_head();
  HeadPose pose;
  pose.head = Quat(Eigen::AngleAxisf(1.0f, Vec3::UnitY()));
  std::vector<Vec3> out = model.mesh.positions;
  model.pose(pose, out);
  float moved = 0;
  for (int v = 20; v < 40; ++v) {
    EXPECT_NEAR((out[v] - model.joints[1]).norm(), (model.mesh.positions[v] - model.joints[1]).norm(), 1e-6f);
    moved = std::max(moved, (out[v] - model.mesh.positions[v]).norm());
  }
  EXPECT_GT(moved, 0.01f);
}

TEST(Pose, GazeTurnsEyesAsDocumented) {
  HeadModel model = test::toy_head();
  // A point straight ahead of the left eye: yaw > 0 takes it to the person's left (+x), pitch > 0 up.
  model.mesh.positions[0] = model.joints[2] + Vec3(0, 0, 0.012f);
  HeadPose pose;
  pose.gaze_left = {0.3f, 0};
  std::vector<Vec3> out = model.mesh.positions;
  model.pose(pose, out);
  EXPECT_NEAR(out[0].x() - model.joints[2].x(), 0.012f * std::sin(0.3f), 1e-6f);
  pose.gaze_left = {0, 0.3f};
  out = model.mesh.positions;
  model.pose(pose, out);
  EXPECT_NEAR(out[0].y() - model.joints[2].y(), 0.012f * std::sin(0.3f), 1e-6f);
}

TEST(ArkitNames, KnownPlaces) {
  EXPECT_EQ(arkit_index("eyeBlinkLeft"), 0);
  EXPECT_EQ(arkit_index("jawOpen"), 17);
  EXPECT_EQ(arkit_index("tongueOut"), 51);
  EXPECT_EQ(arkit_index("tongueUp"), -1);
}

}  // namespace
}  // namespace mien
