// Still scenes: transforms.json and COLMAP, lenses, placement, names.
#include <Eigen/Geometry>
#include <cstring>

#include "capture/import/mesh_file.h"
#include "capture/import/pictures.h"
#include "capture/import/sequence_names.h"
#include "capture/import_scene.h"
#include "mien/base/random.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 48, kHeight = 36;

// A smooth pattern over directions (x / z, y / z).
Vec3 pattern(float x, float y) {
  return {0.5f + 0.4f * std::sin(9 * x), 0.5f + 0.4f * std::sin(8 * y + 1), 0.5f + 0.4f * std::sin(6 * (x + y))};
}

// What a lens with this distortion photographs of it: each pixel's direction by undoing the distortion (fixed point).
Image8 photograph(const Camera& lens) {
  Image8 out(lens.width, lens.height, 3);
  for (int y = 0; y < lens.height; ++y) {
    for (int x = 0; x < lens.width; ++x) {
      const double u = (x + 0.5 - lens.cx) / lens.fx, v = (y + 0.5 - lens.cy) / lens.fy;
      double a = u, b = v;
      for (int i = 0; i < 60; ++i) {
        const auto& k = lens.distortion;
        const double r2 = a * a + b * b, radial = 1 + k[0] * r2 + k[1] * r2 * r2 + k[4] * r2 * r2 * r2;
        const double da = 2 * k[2] * a * b + k[3] * (r2 + 2 * a * a), db = k[2] * (r2 + 2 * b * b) + 2 * k[3] * a * b;
        a = (u - da) / radial;
        b = (v - db) / radial;
      }
      const Vec3 colour = pattern(static_cast<float>(a), static_cast<float>(b));
      for (int c = 0; c < 3; ++c) out.at(x, y)[c] = static_cast<std::uint8_t>(std::lround(255 * colour[c]));
    }
  }
  return out;
}

// Twelve cameras on an arc round `target` in a world with z up, `unit` times as large; each photographs the pattern.
struct Arc {
  Vec3 target = Vec3(3, -2, 5);
  float unit = 4;
  Camera lens;
  std::vector<Camera> cameras;

  Arc() {
    lens.width = kWidth;
    lens.height = kHeight;
    lens.fx = 60;
    lens.fy = 45;  // pixels need not be square
    lens.cx = 24.7f;
    lens.cy = 17.6f;
    for (int i = 0; i < 12; ++i) {
      const float angle = 0.12f * (static_cast<float>(i) - 5.5f);
      Camera c = look_at(Vec3(std::sin(angle), 0.1f * static_cast<float>(i % 3 - 1), std::cos(angle)), Vec3::Zero(),
                         0.6f, kWidth, kHeight);
      // y up to z up, then scale and shift.
      Mat4 world = Mat4::Identity();
      world.topLeftCorner<3, 3>() = Eigen::AngleAxisf(1.5707963f, Vec3::UnitX()).toRotationMatrix();
      Camera moved = lens;
      const Mat3 turn = c.world_to_camera.topLeftCorner<3, 3>() * world.topLeftCorner<3, 3>().transpose();
      moved.world_to_camera.topLeftCorner<3, 3>() = turn;
      moved.world_to_camera.topRightCorner<3, 1>() = unit * c.world_to_camera.topRightCorner<3, 1>() - turn * target;
      cameras.push_back(moved);
    }
  }
};

std::string still_name(int i) {
  return fmt::format("images/p{}.png", i);
}

void write_still(const Arc& arc, const fs::path& folder) {
  fs::create_directories(folder / "images");
  Json all = {{"w", kWidth},
              {"h", kHeight},
              {"fl_x", arc.lens.fx},
              {"fl_y", arc.lens.fy},
              {"cx", arc.lens.cx},
              {"cy", arc.lens.cy},
              {"k1", arc.lens.distortion[0]},
              {"k2", arc.lens.distortion[1]},
              {"p1", arc.lens.distortion[2]},
              {"p2", arc.lens.distortion[3]},
              {"camera_model", "OPENCV"},
              {"frames", Json::array()}};
  const Image8 picture = photograph(arc.lens);
  for (int i = 0; i < static_cast<int>(arc.cameras.size()); ++i) {
    write_image(folder / still_name(i), picture);
    all["frames"].push_back(
        {{"file_path", still_name(i)}, {"transform_matrix", opengl_pose(arc.cameras[i].world_to_camera)}});
  }
  std::ofstream(folder / "transforms.json") << all.dump();
}

TEST_F(ImportTest, StillScenesAreCentredAndEveryEighthViewIsHeldOut) {
  const Arc arc;
  write_still(arc, root_ / "still");
  ImportOptions options;
  options.distance = 0.8;
  const Capture capture = import({root_ / "still"}, options);
  EXPECT_EQ(report_.layout, "transforms");
  EXPECT_EQ(report_.copied, 12);
  EXPECT_FALSE(capture.tracked);
  ASSERT_EQ(capture.sequences.size(), 2u);
  EXPECT_EQ(capture.sequence("held-out").split, "test");
  ASSERT_EQ(capture.sequence("held-out").views.size(), 2u);
  EXPECT_EQ(capture.sequence("held-out").views[0].camera, "p0");
  EXPECT_EQ(capture.sequence("held-out").views[1].camera, "p8") << "in natural order, p10 after p9";
  EXPECT_EQ(capture.sequence("views").views.size(), 10u);
  for (int i = 0; i < 12; ++i) {
    const Camera c = capture.camera(fmt::format("p{}", i)).camera;
    // All look at the origin from 0.8 metres, from in front (+z), with y up.
    EXPECT_NEAR(c.centre().norm(), 0.8f, 0.01f);
    EXPECT_LT((c.to_camera(Vec3::Zero()).head<2>()).norm(), 1e-4f);
    EXPECT_GT(c.centre().z(), 0.5f);
    EXPECT_LT(c.to_camera(Vec3(0, 0.1f, 0)).y(), -0.05f);
    EXPECT_NEAR(c.fx, 60, 1e-4f);
    EXPECT_NEAR(c.fy, 45, 1e-4f);
  }
  // The arc begins on the person's right (-x) in the source, and does so here.
  EXPECT_NEAR(capture.camera("p0").camera.centre().x(), -0.8f * std::sin(0.66f), 0.02f);

  options.scale = 0.25;
  EXPECT_NEAR(import({root_ / "still"}, options).camera("p5").camera.centre().norm(), 1.0f, 0.01f);
  options = {};
  options.up = Vec3(0, 0, 1);
  options.front = Vec3(1, -1, 0);
  const Vec3 turned = import({root_ / "still"}, options).camera("p5").camera.centre();
  EXPECT_GT(std::abs(turned.x()), 0.5f) << "the middle camera is no longer in front";
  options.front = Vec3(0, 0, 2);
  EXPECT_TRUE(has(refusal(root_ / "still", options), "--up and --front"));
  options = {};
  options.place = "keep";
  EXPECT_LT((import({root_ / "still"}, options).camera("p3").camera.world_to_camera - arc.cameras[3].world_to_camera)
                .cwiseAbs()
                .maxCoeff(),
            1e-4f);
  options.hold_out = 0;
  EXPECT_EQ(import({root_ / "still"}, options).sequences.size(), 1u);
}

TEST_F(ImportTest, DistortedPicturesAreStraightened) {
  Arc arc;
  arc.lens.distortion = {-0.2f, 0.05f, 0.02f, -0.01f, 0};
  write_still(arc, root_ / "still");
  ImportOptions options;
  options.png = true;
  const Capture capture = import({root_ / "still"}, options);
  EXPECT_EQ(report_.copied, 0);
  const CaptureSequence& s = capture.sequence("views");
  const Camera& c = capture.camera(s.views[0].camera).camera;
  for (const float k : c.distortion) EXPECT_EQ(k, 0);
  EXPECT_GE(c.fx, 60);  // zoomed in until no pixel is from outside
  const Image8 image = read_image(capture.image_path(s.views[0], 0));
  double worst = 0;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const Vec3 truth =
          pattern((static_cast<float>(x) + 0.5f - c.cx) / c.fx, (static_cast<float>(y) + 0.5f - c.cy) / c.fy);
      for (int k = 0; k < 3; ++k) worst = std::max(worst, std::abs(255.0 * truth[k] - image.at(x, y)[k]));
    }
  }
  EXPECT_LT(worst, 6) << "bilinear sampling of the pattern";

  options.longest_side = 24;
  const Capture small = import({root_ / "still"}, options);
  const Camera& half = small.camera("p1").camera;
  EXPECT_EQ(half.width, 24);
  EXPECT_EQ(half.height, 18);
  EXPECT_NEAR(half.fx, 0.5f * c.fx, 1e-3f);
  EXPECT_NEAR(half.cx, 0.5f * c.cx, 1e-3f);
}

TEST_F(ImportTest, BlenderScenesHaveAnglesAlphaAndNoExtensions) {
  fs::create_directories(root_ / "still/train");
  Json all = {{"camera_angle_x", 0.9}, {"frames", Json::array()}};
  Image8 rgba(20, 20, 4, 255);
  for (int x = 0; x < 10; ++x) {
    for (int y = 0; y < 20; ++y) rgba.at(x, y)[3] = static_cast<std::uint8_t>(x * 10);
  }
  const Arc arc;
  for (int i = 0; i < 3; ++i) {
    write_image(root_ / "still/train" / fmt::format("r_{}.png", i), rgba);
    all["frames"].push_back({{"file_path", fmt::format("./train/r_{}", i)},
                             {"transform_matrix", opengl_pose(arc.cameras[i].world_to_camera)}});
  }
  std::ofstream(root_ / "still/transforms_train.json") << all.dump();
  EXPECT_TRUE(has(refusal(root_ / "still"), "add w and h"));
  all["w"] = all["h"] = 20;
  std::ofstream(root_ / "still/transforms_train.json") << all.dump();
  ImportOptions options;
  options.png = true;
  const Capture capture = import({root_ / "still"}, options);
  EXPECT_NEAR(capture.cameras[0].camera.fx, 10 / std::tan(0.45), 1e-3);
  EXPECT_EQ(capture.cameras[0].camera.cx, 10);
  const CaptureSequence& s = capture.sequence("views");
  const Image8 rgb = read_image(capture.image_path(s.views[0], 0));
  const Image8 matte = read_image(capture.mask_path(s.views[0], 0));
  EXPECT_EQ(rgb.at(3, 3)[0], 30) << "on black";
  EXPECT_EQ(*matte.at(3, 3), 30);
  EXPECT_EQ(*matte.at(15, 3), 255);
}

// COLMAP's files, as its documentation has them.
struct ColmapWriter {
  const Arc& arc;
  fs::path folder;
  void text() const {
    std::ofstream cameras(folder / "cameras.txt"), images(folder / "images.txt"), points(folder / "points3D.txt");
    cameras << "# comment\n7 OPENCV 48 36 60 45 24.7 17.6 -0.02 0.001 0.002 0.003\n";
    images << "# comment\n";
    for (std::size_t i = 0; i < arc.cameras.size(); ++i) {
      const Mat4& m = arc.cameras[i].world_to_camera;
      const Quat q(Mat3(m.topLeftCorner<3, 3>()));
      images << fmt::format("{} {} {} {} {} {} {} {} 7 p{}.png\n", i + 1, q.w(), q.x(), q.y(), q.z(), m(0, 3), m(1, 3),
                            m(2, 3), i)
             << (i % 2 == 0 ? "1.5 2.5 1 3.5 4.5 -1\n" : "\n");
    }
    points << "1 3 -2 5 10 20 30 0.5 1 0 2 0\n2 3.5 -2 5 40 50 60 0.5 1 0\n";
  }
  template <typename T>
  static void put(std::ofstream& out, T value) {
    out.write(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void binary() const {
    std::ofstream cameras(folder / "cameras.bin", std::ios::binary), images(folder / "images.bin", std::ios::binary),
        points(folder / "points3D.bin", std::ios::binary);
    put<std::uint64_t>(cameras, 1);
    put<std::int32_t>(cameras, 7);
    put<std::int32_t>(cameras, 4);
    put<std::uint64_t>(cameras, 48);
    put<std::uint64_t>(cameras, 36);
    for (const double p : {60.0, 45.0, 24.7, 17.6, -0.02, 0.001, 0.002, 0.003}) put(cameras, p);
    put<std::uint64_t>(images, arc.cameras.size());
    for (std::size_t i = 0; i < arc.cameras.size(); ++i) {
      const Mat4& m = arc.cameras[i].world_to_camera;
      const Quat q(Mat3(m.topLeftCorner<3, 3>()));
      put<std::int32_t>(images, static_cast<std::int32_t>(i + 1));
      for (const float v : {q.w(), q.x(), q.y(), q.z(), m(0, 3), m(1, 3), m(2, 3)}) put<double>(images, v);
      put<std::int32_t>(images, 7);
      images << fmt::format("p{}.png", i) << '\0';
      put<std::uint64_t>(images, 1);
      put(images, 1.5);
      put(images, 2.5);
      put<std::int64_t>(images, -1);
    }
    put<std::uint64_t>(points, 2);
    for (int i = 0; i < 2; ++i) {
      put<std::uint64_t>(points, static_cast<std::uint64_t>(i + 1));
      for (const double v : {3 + 0.5 * i, -2.0, 5.0}) put(points, v);
      for (const int v : {10, 20, 30}) put<std::uint8_t>(points, static_cast<std::uint8_t>(v + 30 * i));
      put(points, 0.5);
      put<std::uint64_t>(points, 1);
      put<std::int32_t>(points, 1);
      put<std::int32_t>(points, 0);
    }
  }
};

class ColmapTest : public ImportTest {
 protected:
  void SetUp() override {
    ImportTest::SetUp();
    write_still(arc_, folder_);
    fs::remove(folder_ / "transforms.json");
    fs::create_directories(folder_ / "sparse/0");
  }
  Arc arc_;
  fs::path folder_ = root_ / "col";
  ColmapWriter writer_{arc_, folder_ / "sparse/0"};
};

TEST_F(ColmapTest, TextAndBinaryAreTheSame) {
  ImportOptions options;
  options.place = "keep";
  writer_.text();
  const Capture text = import({folder_}, options);
  EXPECT_EQ(report_.layout, "colmap");
  const CapturePoints points = text.load_points();
  fs::remove(folder_ / "sparse/0/cameras.txt");
  writer_.binary();
  const Capture binary = import({folder_}, options);
  ASSERT_EQ(text.cameras.size(), 12u);
  ASSERT_EQ(binary.cameras.size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) {
    const Camera &a = text.cameras[i].camera, &b = binary.cameras[i].camera;
    EXPECT_LT((a.world_to_camera - arc_.cameras[i].world_to_camera).cwiseAbs().maxCoeff(), 1e-4f);
    EXPECT_LT((a.world_to_camera - b.world_to_camera).cwiseAbs().maxCoeff(), 1e-4f);
    EXPECT_FLOAT_EQ(a.fx, b.fx);
    EXPECT_GE(a.fx, 60);
    EXPECT_NEAR(a.fx / a.fy, 60.0f / 45, 1e-5f);
  }
  ASSERT_EQ(points.positions.size(), 2u);
  EXPECT_EQ(points.positions[1], Vec3(3.5f, -2, 5));
  EXPECT_EQ(points.colours[1], (std::array<std::uint8_t, 3>{40, 50, 60}));
  EXPECT_EQ(binary.load_points().positions, points.positions);
  EXPECT_EQ(binary.load_points().colours, points.colours);
  EXPECT_NEAR(import({folder_}).load_points().positions[0].norm(), 0, 1e-3f) << "the point that all look at";
}

TEST_F(ColmapTest, DamageIsRefused) {
  writer_.text();
  const auto broken = [&](const char* file, const std::string& content) {
    writer_.text();
    std::ofstream(folder_ / "sparse/0" / file) << content;
    return refusal(folder_);
  };
  EXPECT_TRUE(has(broken("cameras.txt", "7 FISHY 48 36 60\n"), "camera model FISHY"));
  EXPECT_TRUE(has(broken("cameras.txt", "7 OPENCV_FISHEYE 48 36 6 4 2 1 0 0 0 0\n"), "image_undistorter"));
  EXPECT_TRUE(has(broken("cameras.txt", "7 PINHOLE 48 36 60\n"), "PINHOLE has 4 parameters, not 1"));
  EXPECT_TRUE(has(broken("cameras.txt", "7 PINHOLE 999999999999 36 60 60 3 3\n"), "pixels"));
  EXPECT_TRUE(has(broken("cameras.txt", "9 PINHOLE 48 36 60 60 24 18\n"), "there is no camera 7"));
  EXPECT_TRUE(has(broken("images.txt", "1 1 0 0 0 0 0 1 7 ../../../etc/passwd\n\n"), "leaves its folder"));
  EXPECT_TRUE(has(broken("images.txt", "1 1 0 0 0 0 0 1 7 /etc/passwd\n\n"), "absolute"));
  EXPECT_TRUE(has(broken("images.txt", "1 5 0 0 0 0 0 1 7 p0.png\n\n"), "quaternion of length 5"));
  EXPECT_TRUE(has(broken("images.txt", "1 1 0 0\n\n"), "line 1: is no image"));
  EXPECT_TRUE(has(broken("points3D.txt", "1 x\n"), "line 1: is no point"));
  EXPECT_TRUE(has(broken("images.txt", ""), "no pictures"));
}

TEST_F(ColmapTest, DamagedBinariesNeverCrash) {
  writer_.binary();
  std::string first = refusal(root_ / "nowhere");
  for (const char* name : {"cameras.bin", "images.bin", "points3D.bin"}) {
    const fs::path file = folder_ / "sparse/0" / name;
    const std::vector<std::uint8_t> good = read_file(file);
    // An absurd count is refused before anything is allocated.
    std::vector<std::uint8_t> bytes = good;
    std::memset(bytes.data(), 0x7f, 8);
    write_file(file, bytes.data(), bytes.size());
    EXPECT_TRUE(has(refusal(folder_), "more than it can hold")) << name;
    for (std::size_t length = 0; length < good.size(); length += 1 + good.size() / 40) {
      write_file(file, good.data(), length);
      EXPECT_TRUE(has(refusal(folder_), name)) << name << " cut to " << length;
    }
    Random random(3);
    for (int trial = 0; trial < 30; ++trial) {
      bytes = good;
      for (int i = 0; i < 4; ++i) {
        bytes[random.below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<std::uint8_t>(random.below(256));
      }
      write_file(file, bytes.data(), bytes.size());
      fs::remove_all(root_ / "cap");
      try {
        import_capture({folder_}, root_ / "cap");
      } catch (const Error&) {
        EXPECT_FALSE(fs::exists(root_ / "cap"));
      }
    }
    write_file(file, good.data(), good.size());
  }
}

TEST(ImportNames, TellEmotions) {
  const import::SequenceNames names = import::SequenceNames::built_in();
  const auto is = [&](const char* name, const char* emotion) {
    const auto found = names.find(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(*found, parse_emotion_vector(emotion)) << name;
  };
  is("074_EMO-1-shout+laugh", "angry:0.5,happy:0.5");
  is("EMO-2", "surprised:0.5,fear:0.5");
  is("074_EMO-3", "angry:0.5,sad:0.5");
  is("074_EMO-4-disgust+happy", "disgusted:0.5,happy:0.5");
  is("074_EXP-2-eyes", "neutral");
  is("306_SEN-03-pluck_bright_rose", "neutral");
  is("0048_happy_mild_03", "happy:0.5");
  is("0048_Sad-Strong_03", "sad:1");
  is("p1_surprise_low", "surprised:0.5");
  is("anger", "angry");
  is("contempt2", "contempt");
  is("0048_neutral_01", "neutral");
  EXPECT_FALSE(names.find("0048_2-00-01")) << "EmoTalk3D's numbers are not public: a table must say";
  EXPECT_FALSE(names.find("sadler_wells"));
  EXPECT_FALSE(names.find("EMO-12"));

  const import::SequenceNames own =
      import::SequenceNames::parse(Json::parse(R"({"words": {"00": "neutral", "01": "angry", "2": "1", "1": "0.5"},
                      "sequences": [{"match": "_[0-9]-00-", "emotion": "neutral"},
                                    {"match": "_([0-9])-([0-9]{2})-[0-9]+$", "emotion": "$2:$1"}]})"),
                                   "table");
  EXPECT_EQ(own.find("0048_2-00-01"), parse_emotion_vector("neutral"));
  EXPECT_EQ(own.find("0048_2-01-07"), parse_emotion_vector("angry:1"));
  EXPECT_EQ(own.find("0048_1-01-07"), parse_emotion_vector("angry:0.5"));
  EXPECT_THROW(own.find("0048_1-05-07"), Error) << "05 has no word";
  EXPECT_THROW(import::SequenceNames::parse(Json::parse(R"({"sequences": [{"match": "(", "emotion": "sad"}]})"), "t"),
               Error);
  EXPECT_THROW(import::SequenceNames::parse(Json::parse(R"({"sequences": [{"match": "x", "emotion": "blue"}]})"), "t"),
               Error);
  EXPECT_THROW(import::SequenceNames::parse(Json::parse("[]"), "t"), Error);
}

TEST_F(ImportTest, PlyMeshes) {
  const auto write = [&](const std::string& text) { std::ofstream(root_ / "m.ply", std::ios::binary) << text; };
  write(
      "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
      "property uchar red\nproperty uchar green\nproperty uchar blue\nelement face 1\n"
      "property list uchar int vertex_indices\nend_header\n0 0 0 1 2 3\n1 0 0 4 5 6\n1 1 0 7 8 9\n0 1 0 1 1 1\n4 0 1 2 "
      "3\n");
  const import::MeshFile ascii = import::read_mesh_file(root_ / "m.ply");
  ASSERT_EQ(ascii.mesh.vertex_count(), 4);
  EXPECT_EQ(ascii.mesh.positions[2], Vec3(1, 1, 0));
  EXPECT_EQ(ascii.colours[1][2], 6);
  ASSERT_EQ(ascii.mesh.face_count(), 2) << "a square is two triangles";
  EXPECT_EQ(ascii.mesh.faces[1], Index3(0, 2, 3));

  std::string body;
  const auto add = [&](const auto& value) { body.append(reinterpret_cast<const char*>(&value), sizeof value); };
  for (const float v : {0.f, 0.f, 0.f, 1.f, 0.f, 0.f, 1.f, 1.f, 0.f}) add(v);
  body += '\3';
  for (const std::int32_t v : {0, 1, 2}) add(v);
  const std::string header =
      "ply\nformat binary_little_endian 1.0\ncomment x\nelement vertex 3\nproperty float x\nproperty float y\nproperty "
      "float z\nelement face 1\nproperty list uchar int vertex_index\nend_header\n";
  write(header + body);
  EXPECT_EQ(import::read_mesh_file(root_ / "m.ply").mesh.faces[0], Index3(0, 1, 2));
  for (std::size_t length = 0; length < body.size(); ++length) {
    write(header + body.substr(0, length));
    EXPECT_THROW(import::read_mesh_file(root_ / "m.ply"), Error) << length;
  }
  for (const char* count : {"99999999999999", "4000000000", "-1", "x"}) {
    std::string hostile = header;
    hostile.replace(hostile.find("vertex 3") + 7, 1, count);
    write(hostile + body);
    EXPECT_THROW(import::read_mesh_file(root_ / "m.ply"), Error) << count;
  }
  EXPECT_THROW(import::read_mesh_file(root_ / "m.stl"), Error);
}

}  // namespace
}  // namespace mien
