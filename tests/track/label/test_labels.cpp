// Head, neck and torso of a person painted in plain colours, whose labels are known.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/random.h"
#include "mien/capture/capture.h"
#include "mien/track/person_labels.h"
#include "track/label/spread.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr std::uint8_t kHead = 1, kNeck = 2, kTorso = 3;

TEST(SpreadLabels, FollowColourAndStopAtWalls) {
  // Seeds at both ends; the colour changes at column 50, a third of the way between them.
  Image8 picture(100, 9, 3, 60), seeds(100, 9, 1), inside(100, 9, 1, 1);
  for (int y = 0; y < 9; ++y) {
    for (int x = 50; x < 100; ++x) *picture.at(x, y) = 200;
  }
  *seeds.at(35, 4) = 1;
  *seeds.at(80, 4) = 2;
  track::SpreadCosts costs;
  Image8 out = track::spread_labels(picture, seeds, inside, costs);
  for (int y = 0; y < 9; ++y) {
    EXPECT_EQ(*out.at(49, y), 1);
    EXPECT_EQ(*out.at(50, y), 2);
  }
  costs.contrast = 0;  // then the border lies half-way
  out = track::spread_labels(picture, seeds, inside, costs);
  EXPECT_EQ(*out.at(56, 4), 1);
  EXPECT_EQ(*out.at(59, 4), 2);
  costs.still = 2;
  out = track::spread_labels(picture, seeds, inside, costs);
  for (int x = 0; x < 100; ++x) EXPECT_EQ(*out.at(x, 4), x == 80 ? 2 : 1);
  // Round a wall that is not inside, rather than through it.
  for (int y = 0; y < 8; ++y) *inside.at(20, y) = 0;
  *seeds.at(0, 4) = 3;
  costs.contrast = 0;
  costs.beyond = 1000;
  costs.still = 0;
  out = track::spread_labels(picture, seeds, inside, costs);
  EXPECT_EQ(*out.at(19, 4), 3);
  EXPECT_EQ(*out.at(21, 4), 1);
}

// A flat head that faces the camera: rectangles of face, scalp, neck and shoulders, in metres.
HeadModel flat_head() {
  HeadModel head;
  head.id = "flat";
  const auto add = [&](float left, float bottom, float right, float top, HeadRegion region) {
    const int first = head.vertex_count();
    for (const auto& [x, y] : {std::pair{left, bottom}, {right, bottom}, {right, top}, {left, top}}) {
      head.mesh.positions.emplace_back(x, y, 0.0f);
      head.region.push_back(region);
    }
    head.mesh.faces.emplace_back(first, first + 1, first + 2);
    head.mesh.faces.emplace_back(first, first + 2, first + 3);
  };
  add(-0.07f, -0.09f, 0.07f, 0.06f, HeadRegion::kFace);
  add(-0.07f, 0.06f, 0.07f, 0.11f, HeadRegion::kScalp);
  add(-0.05f, -0.16f, 0.05f, -0.09f, HeadRegion::kNeck);
  add(-0.12f, -0.20f, 0.12f, -0.16f, HeadRegion::kShoulders);
  head.face_part.assign(head.mesh.faces.size(), HeadPart::kSkin);
  for (const char* name : kArkitNames) head.expression_names.emplace_back(name);
  head.expression.assign(kArkitCount * head.mesh.positions.size(), Vec3::Zero());
  head.joints.fill(Vec3::Zero());
  head.skin_weights.assign(head.mesh.positions.size(), {0, 0});
  return head;
}

struct Painting {
  Image8 picture, matte, labels;
  Camera camera;
};

// A person with long hair on one side, which hangs before the neck's edge and the shoulder, and a collar on the other.
Painting paint(int size) {
  Painting out{Image8(size, size, 3, 128), Image8(size, size, 1), Image8(size, size, 1),
               look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.44f, size, size)};
  const std::array<std::array<int, 3>, 4> colours = {{{40, 25, 15}, {200, 150, 130}, {160, 115, 100}, {60, 80, 170}}};
  Random random(3);
  for (int py = 0; py < size; ++py) {
    for (int px = 0; px < size; ++px) {
      const double x = (px + 0.5 - out.camera.cx) / out.camera.fx, y = -(py + 0.5 - out.camera.cy) / out.camera.fy;
      int colour = -1;
      std::uint8_t label = 0;
      const auto set = [&](bool here, int c, std::uint8_t l) {
        if (!here) return;
        colour = c;
        label = l;
      };
      set(std::abs(x) < 0.2 && y < -0.155, 3, kTorso);
      set(std::abs(x) < 0.05 && y > -0.165 && y < -0.08, 2, kNeck);
      set(x > 0.02 && x < 0.06 && y > -0.165 && y < -0.13, 3, kTorso);
      set(std::abs(x) < 0.07 && y > -0.09 && y < 0.11, 1, kHead);
      set(std::abs(x) < 0.09 && y > 0.06 && y < 0.15, 0, kHead);
      set(x > -0.1 && x < -0.04 && y > -0.18 && y < 0.1, 0, kHead);
      if (colour < 0) continue;
      *out.labels.at(px, py) = label;
      *out.matte.at(px, py) = 255;
      for (std::size_t c = 0; c < 3; ++c) {
        const int noise = static_cast<int>(random.uniform() * 13) - 6;
        out.picture.at(px, py)[c] = static_cast<std::uint8_t>(colours[static_cast<std::size_t>(colour)][c] + noise);
      }
    }
  }
  return out;
}

double overlap(const Image8& a, const Image8& b, std::uint8_t part) {
  double both = 0, any = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    both += a.pixels[i] == part && b.pixels[i] == part ? 1 : 0;
    any += a.pixels[i] == part || b.pixels[i] == part ? 1 : 0;
  }
  return both / any;
}

TEST(LabelPerson, HairIsOfTheHeadAndTheCollarOfTheTorso) {
  const HeadModel head = flat_head();
  for (const int size : {160, 700}) {
    const Painting p = paint(size);
    const Image8 labels = label_person(head, head.mesh.positions, p.camera, p.picture, p.matte);
    EXPECT_GT(overlap(labels, p.labels, kHead), 0.97) << size;
    EXPECT_GT(overlap(labels, p.labels, kNeck), 0.90) << size;
    EXPECT_GT(overlap(labels, p.labels, kTorso), 0.97) << size;
    for (std::size_t i = 0; i < labels.pixels.size(); ++i) {
      ASSERT_EQ(labels.pixels[i] > 0, p.matte.pixels[i] > 0) << size;
    }
  }
}

TEST(LabelPerson, WithoutAHeadInThePictureAllIsTorso) {
  HeadModel head = flat_head();
  for (Vec3& p : head.mesh.positions) p.x() += 3;
  const Painting p = paint(96);
  const Image8 labels = label_person(head, head.mesh.positions, p.camera, p.picture, p.matte);
  for (std::size_t i = 0; i < labels.pixels.size(); ++i) {
    EXPECT_EQ(labels.pixels[i], p.matte.pixels[i] > 0 ? kTorso : 0);
  }
}

TEST(LabelPictures, WritesWhatIsMissingAndSaysWhatIsWrong) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_labels_{}", ::getpid());
  for (const char* name : {"images", "masks"}) fs::create_directories(folder / name);
  const HeadModel head = flat_head();
  const Painting p = paint(96);
  HeadMotion motion;
  motion.expression_names = head.expression_names;
  motion.frames.resize(3);
  for (MotionFrame& frame : motion.frames) frame.expression.assign(kArkitCount, 0.0f);
  for (int i = 0; i < 3; ++i) {
    write_image(folder / "images" / (frame_name(i) + ".png"), p.picture);
    write_image(folder / "masks" / (frame_name(i) + ".png"), p.matte);
  }
  const LabelJob job{folder / "images", folder / "masks", folder / "labels", p.camera, &motion};
  label_pictures(head, std::span(&job, 1));
  const Image8 found = read_image(folder / "labels/000001.png");
  EXPECT_GT(overlap(found, p.labels, kHead), 0.95);
  write_image(folder / "labels/000000.png", Image8(96, 96, 1, 2));  // is kept
  fs::resize_file(folder / "labels/000001.png", 40);                // is not whole
  fs::remove(folder / "labels/000002.png");
  label_pictures(head, std::span(&job, 1));
  EXPECT_EQ(*read_image(folder / "labels/000000.png").at(0, 0), 2);
  EXPECT_EQ(read_image(folder / "labels/000001.png").pixels, found.pixels);
  EXPECT_EQ(read_image(folder / "labels/000002.png").pixels, found.pixels);
  fs::remove(folder / "labels/000002.png");
  fs::remove(folder / "masks/000002.png");
  EXPECT_THROW(label_pictures(head, std::span(&job, 1)), Error);
  EXPECT_FALSE(fs::exists(folder / "labels/000002.png"));
  EXPECT_THROW(label_pictures(head, std::span(&job, 1), [](auto, auto, const auto&) { return false; }), Error);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace mien
