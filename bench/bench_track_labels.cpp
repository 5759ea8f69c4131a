// Labels of head, neck and torso against the truth: performers of the actor before a background of noise, from several
// sides, with their true head, camera and matte, or with a head that is a little off. Prints intersection over union.
//   bench_track_labels [--people ada ben ...] [--size 512] [--off 0] [--sheet FILE.png]
//   bench_track_labels --capture DIR [--every 20] --sheet FILE.png    looks at the labels of a tracked capture
#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "mien/actor/stage.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/capture/capture.h"
#include "mien/track/person_labels.h"

namespace mien {
namespace {

struct Options {
  std::vector<std::string> people;
  int size = 512, every = 20;
  double off = 0;  // millimetres
  std::string capture, sheet;
};

// The picture, its head green, its neck red, its torso blue.
Image8 tinted(const Image8& picture, const Image8& labels, const Image8& matte) {
  constexpr std::array<std::array<int, 3>, 4> kTint = {{{0, 0, 0}, {0, 160, 0}, {190, 0, 0}, {0, 0, 190}}};
  Image8 out = picture;
  for (std::size_t i = 0; i < labels.pixels.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const int here = picture.pixels[3 * i + c] * (matte.pixels[i] > 0 ? 1 : 0) / 2;
      out.pixels[3 * i + c] = static_cast<std::uint8_t>(std::min(255, here + kTint[labels.pixels[i]][c] / 2));
    }
  }
  return out;
}

Performer performer_of(const std::string& name, const HeadModel& model, const HeadAssets& assets) {
  if (name.starts_with("random")) return random_performer(std::stoull(name.substr(6)), model, assets);
  return named_performer(name);
}

void against_truth(const Options& o) {
  const auto path = find_head_asset();
  const HeadModel model = HeadModel::load(path);
  const HeadAssets assets = HeadAssets::load(path, model);
  std::vector<Image8> tiles;
  std::printf("%-10s %-11s %-8s   head   neck  torso   intersection over union; ms a picture\n", "person", "hair",
              "clothes");
  std::array<double, 4> both_all{}, any_all{};
  for (const std::string& name : o.people) {
    const Performer performer = performer_of(name, model, assets);
    StageOptions options;
    options.background = {0.35f, 0.4f, 0.38f};
    options.skin_texels = 512;
    options.wrinkles = false;
    const Stage stage(model, assets, performer, options);
    Stage& acting = const_cast<Stage&>(stage);
    std::array<double, 4> both{}, any{};
    double milliseconds = 0;
    int pictures = 0;
    for (const double yaw : {-0.6, -0.2, 0.1, 0.5}) {
      MotionFrame frame;
      frame.expression.assign(kArkitCount, 0.0f);
      frame.expression[static_cast<std::size_t>(arkit_index("jawOpen"))] = yaw > 0 ? 0.3f : 0;
      frame.pose.head = Quat(Eigen::AngleAxisf(static_cast<float>(0.6 * yaw), Vec3::UnitY()));
      frame.pose.neck = Quat(Eigen::AngleAxisf(static_cast<float>(0.4 * yaw), Vec3::UnitY()) *
                             Eigen::AngleAxisf(static_cast<float>(0.3 * yaw), Vec3::UnitX()));
      acting.set_frame(frame);
      const Camera camera = look_at(Vec3(0.1f, 0.05f, 1.1f), Vec3(0, -0.05f, 0), 0.36f, o.size, o.size);
      const StagePicture truth = stage.draw(camera);
      HeadMotion motion;
      motion.frames = {frame};
      motion.frames[0].pose.translation += Vec3(static_cast<float>(o.off), static_cast<float>(-o.off), 0) / 1000;
      std::vector<Vec3> vertices;
      motion.vertices(stage.head(), 0, vertices);
      const auto start = std::chrono::steady_clock::now();
      const Image8 found = label_person(stage.head(), vertices, camera, truth.rgb, truth.matte);
      milliseconds += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
      ++pictures;
      for (std::size_t i = 0; i < found.pixels.size(); ++i) {
        for (std::uint8_t part = 1; part < 4; ++part) {
          const bool a = found.pixels[i] == part, b = truth.labels.pixels[i] == part;
          both[part] += a && b ? 1 : 0;
          any[part] += a || b ? 1 : 0;
        }
      }
      if (pictures % 2 == 1) continue;
      tiles.push_back(resize_image(tinted(truth.rgb, truth.labels, truth.matte), 256, 256));
      tiles.push_back(resize_image(tinted(truth.rgb, found, truth.matte), 256, 256));
    }
    std::printf("%-10s %-11s %-8s  %5.3f  %5.3f  %5.3f   %.1f\n", name.c_str(), performer.hair.c_str(),
                performer.clothes.c_str(), both[1] / any[1], both[2] / any[2], both[3] / any[3],
                milliseconds / pictures);
    for (std::size_t k = 1; k < 4; ++k) {
      both_all[k] += both[k];
      any_all[k] += any[k];
    }
  }
  std::printf("%-31s  %5.3f  %5.3f  %5.3f\n", "all", both_all[1] / any_all[1], both_all[2] / any_all[2],
              both_all[3] / any_all[3]);
  if (!o.sheet.empty()) write_image(o.sheet, tile_images(tiles, 8));
}

void of_capture(const Options& o) {
  const Capture capture = Capture::load(o.capture);
  const HeadModel head = capture.load_head_model();
  std::vector<Image8> tiles;
  for (const CaptureSequence& s : capture.sequences) {
    const HeadMotion motion = capture.load_motion(s);
    for (int i = o.every / 2; i < s.frames; i += o.every) {
      const CaptureView& view = s.views[0];
      std::vector<Vec3> vertices;
      motion.vertices(head, i, vertices);
      const Image8 picture = read_image(capture.image_path(view, i)), matte = read_image(capture.mask_path(view, i));
      const Image8 labels = label_person(head, vertices, capture.camera_at(s, view, i), picture, matte);
      tiles.push_back(resize_image(tinted(picture, labels, matte), 256, 256));
    }
  }
  write_image(o.sheet, tile_images(tiles, 8));
}

}  // namespace
}  // namespace mien

int main(int argc, char** argv) {
  CLI::App app{"Labels of head, neck and torso against the actor's"};
  mien::Options o;
  o.people = {"ada", "ben", "chidi", "mei", "random13", "random14", "random15", "random16"};
  app.add_option("--people", o.people, "Performers, or random followed by a number");
  app.add_option("--size", o.size, "Pixels a side");
  app.add_option("--off", o.off, "By how many millimetres the head is moved sideways and down");
  app.add_option("--capture", o.capture, "Tracked capture to look at");
  app.add_option("--every", o.every, "Frames between pictures of the sheet");
  app.add_option("--sheet", o.sheet, "Pictures with the labels over them");
  CLI11_PARSE(app, argc, argv);
  try {
    if (o.capture.empty())
      mien::against_truth(o);
    else
      mien::of_capture(o);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
