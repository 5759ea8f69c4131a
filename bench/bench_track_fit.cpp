// How well fit_head() does: on an actor's captures against the truth, on videos by reprojection. Overlays to look at.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <Eigen/Dense>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/capture/capture.h"
#include "mien/geometry/raster.h"
#include "mien/head/head_assets.h"
#include "mien/head/measures.h"
#include "mien/track/head_fit.h"
#include "tools/sight_faces.h"

namespace {

namespace fs = std::filesystem;
using namespace mien;
using mien::tools::Pictures;
using mien::tools::sight;

double wall() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void dot(Image8& image, double x, double y, int radius, std::array<int, 3> colour) {
  for (int v = static_cast<int>(y) - radius; v <= static_cast<int>(y) + radius; ++v) {
    for (int u = static_cast<int>(x) - radius; u <= static_cast<int>(x) + radius; ++u) {
      if (u < 0 || v < 0 || u >= image.width || v >= image.height) continue;
      for (int c = 0; c < 3; ++c) image.at(u, v)[c] = static_cast<std::uint8_t>(colour[c]);
    }
  }
}

void line(Image8& image, const Vec2& a, const Vec2& b, std::array<int, 3> colour) {
  const int steps = static_cast<int>((b - a).norm() * 2) + 1;
  for (int s = 0; s <= steps; ++s) {
    const Vec2 p = a + (b - a) * (static_cast<float>(s) / static_cast<float>(steps));
    dot(image, p.x(), p.y(), 0, colour);
  }
}

// Left: seen landmarks (green) and fitted (red); right: the fitted mesh, half transparent, lips and lids in lines.
Image8 overlay(const Image8& picture, const HeadModel& head, const FittedVideo& video, const HeadMotion& motion,
               int frame, const FaceSighting& sighting) {
  std::vector<Vec3> vertices;
  motion.vertices(head, frame, vertices);
  float left = 1e9f, top = 1e9f, right = -1e9f, bottom = -1e9f;
  for (int i = 0; i < 468; ++i) {
    left = std::min(left, sighting.points[i][0]);
    right = std::max(right, sighting.points[i][0]);
    top = std::min(top, sighting.points[i][1]);
    bottom = std::max(bottom, sighting.points[i][1]);
  }
  const float size = 1.35f * std::max(right - left, bottom - top);
  const float x0 = 0.5f * (left + right - size), y0 = 0.5f * (top + bottom - size);
  constexpr int kSize = 640;
  const float scale = kSize / size;
  Image8 plain(kSize, kSize, 3, 0);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const int u = static_cast<int>(x0 + (x + 0.5f) / scale), v = static_cast<int>(y0 + (y + 0.5f) / scale);
      if (u < 0 || v < 0 || u >= picture.width || v >= picture.height) continue;
      std::copy_n(picture.at(u, v), 3, plain.at(x, y));
    }
  }
  Camera camera = video.camera;
  camera.width = camera.height = kSize;
  camera.fx *= scale;
  camera.fy *= scale;
  camera.cx = (camera.cx - x0) * scale;
  camera.cy = (camera.cy - y0) * scale;
  Image8 points = plain, mesh = plain;
  for (int i = 0; i < kSightedPoints; ++i) {
    const SurfacePoint& p = head.landmarks[i];
    Vec3 at = Vec3::Zero();
    for (int k = 0; k < 3; ++k) at += p.barycentric[k] * vertices[head.mesh.faces[p.face][k]];
    const Vec2 q = camera.project(at);
    const Vec2 seen((sighting.points[i][0] - x0) * scale, (sighting.points[i][1] - y0) * scale);
    line(points, seen, q, {255, 255, 0});
    dot(points, seen.x(), seen.y(), 1, {0, 255, 0});
    dot(points, q.x(), q.y(), 1, {255, 0, 0});
  }
  RasterBuffer buffer;
  rasterise(vertices, head.mesh.faces, camera, {}, buffer);
  const std::vector<Vec3> normals = vertex_normals(vertices, head.mesh.faces);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const std::size_t i = buffer.index(x, y);
      if (buffer.face[i] < 0) continue;
      const HeadPart part = head.face_part[buffer.face[i]];
      if (part == HeadPart::kLashes || part == HeadPart::kBrows) continue;
      const Index3& face = head.mesh.faces[buffer.face[i]];
      const Vec3 w = buffer.weights(i);
      Vec3 n = Vec3::Zero();
      for (int k = 0; k < 3; ++k) n += w[k] * normals[face[k]];
      const float shade = std::max(0.0f, n.normalized().dot(Vec3(0.3f, 0.4f, 0.85f)));
      const bool is_eye = part == HeadPart::kEyeLeft || part == HeadPart::kEyeRight;
      for (int c = 0; c < 3; ++c) {
        const float tint = is_eye ? (c == 0 ? 255.0f : 120.0f) : (c == 2 ? 255.0f : 200.0f);
        mesh.at(x, y)[c] = static_cast<std::uint8_t>(0.45f * mesh.at(x, y)[c] + 0.55f * shade * tint);
      }
    }
  }
  const auto contour = [&](const std::vector<std::array<int, 2>>& pairs) {
    for (std::size_t i = 1; i < pairs.size(); ++i) {
      for (int k = 0; k < 2; ++k) {
        for (Image8* image : {&mesh}) {
          line(*image, camera.project(vertices[pairs[i - 1][k]]), camera.project(vertices[pairs[i][k]]),
               {255, k == 0 ? 40 : 160, 40});
        }
      }
    }
  };
  contour(head.contours.lips);
  contour(head.contours.lids_left);
  contour(head.contours.lids_right);
  return tile_images({plain, points, mesh}, 3, 2);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ma += a[i] / a.size(), mb += b[i] / a.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
    ab += (a[i] - ma) * (b[i] - mb);
  }
  return aa * bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

// Against an actor's truth. Head models share their topology.
class Truth {
 public:
  void add(const HeadModel& fitted, const FittedVideo& video, const Capture& capture, const CaptureSequence& sequence,
           const HeadModel& head) {
    const HeadMotion motion = capture.load_motion(sequence);
    const FittedStretch& stretch = video.stretches[0];
    if (face_.empty()) choose_vertices(head);
    std::vector<Vec3> a, b;
    Eigen::Matrix3Xf last_fit, last_true;
    std::vector<double> shut, shut_fit, gap;
    for (int t = 0; t < std::min(motion.frame_count(), stretch.motion.frame_count()); ++t) {
      if (stretch.error[t] < 0) continue;
      stretch.motion.vertices(fitted, t, a);
      motion.vertices(head, t, b);
      const Camera camera = capture.camera_at(sequence, sequence.views[0], t);
      measure_shape(a, b);
      Eigen::Matrix3Xf fit(3, skull_.size()), real(3, skull_.size());
      for (std::size_t i = 0; i < skull_.size(); ++i) {
        fit.col(i) = video.camera.to_camera(a[skull_[i]]);
        real.col(i) = camera.to_camera(b[skull_[i]]);
      }
      depth_.push_back(fit.row(2).mean() / real.row(2).mean());
      if (last_fit.cols() > 0) {
        const Eigen::Matrix3Xf real_step = real - last_true, step = fit - last_fit;
        if (std::sqrt(real_step.colwise().squaredNorm().mean()) < 0.0005f) {  // half a millimetre a frame: at rest
          rest_frames_++;
          jitter_ += 1e6 * (step - real_step).colwise().squaredNorm().mean();
          jitter_across_ += 1e6 * (step - real_step).topRows(2).colwise().squaredNorm().mean();
        }
      }
      last_fit = fit;
      last_true = real;
      const std::vector<float>&w = stretch.motion.frames[t].expression, &v = motion.frames[t].expression;
      for (int e = 0; e < kArkitCount; ++e) {
        fit_[e].push_back(w[e]);
        true_[e].push_back(e < static_cast<int>(v.size()) ? v[e] : 0);
      }
      shut.push_back(std::max(lid_opening_left_mm(head, b), lid_opening_right_mm(head, b)));
      gap.push_back(std::max(lid_opening_left_mm(fitted, a), lid_opening_right_mm(fitted, a)));
      shut_fit.push_back(0.5 * (w[0] + w[7]));
      lip_true_.push_back(mouth_opening_mm(head, b));
      lip_fit_.push_back(mouth_opening_mm(fitted, a));
      const HeadPose &p = stretch.motion.frames[t].pose, &q = motion.frames[t].pose;
      for (int k = 0; k < 2; ++k) {
        gaze_fit_[k].push_back(0.5 * (p.gaze_left[k] + p.gaze_right[k]));
        gaze_true_[k].push_back(0.5 * (q.gaze_left[k] + q.gaze_right[k]));
      }
    }
    // A blink: a run of frames in which the true lids are nearly shut.
    for (std::size_t t = 0; t < shut.size();) {
      if (shut[t] > 1.0) {
        ++t;
        continue;
      }
      std::size_t end = t;
      double closest = 1e9, truth = 1e9;
      while (end < shut.size() && shut[end] <= 1.0) ++end;
      for (std::size_t i = t > 0 ? t - 1 : 0; i < std::min(end + 1, shut.size()); ++i) {
        closest = std::min(closest, gap[i]);
        truth = std::min(truth, shut[i]);
      }
      ++blinks_;
      if (closest < 2.5) ++found_;
      if (truth < 0.3) closed_gap_.push_back(closest);
      t = end;
    }
    for (std::size_t t = 0; t < shut.size(); ++t) {
      if (shut[t] > 5 && gap[t] < 2.5) ++false_;
    }
  }

  std::size_t frames() const { return fit_[0].size(); }

  void print() const {
    std::printf("  vertices of the face: median %.2f mm, 90 %% %.2f mm (lips %.2f mm); depth %.3f of the true\n",
                median(error_), percentile(error_, 0.9), median(lip_error_), median(depth_));
    const auto show = [&](const char* name, std::initializer_list<const char*> parts) {
      std::vector<double> a(fit_[0].size()), b(fit_[0].size());
      double top_a = 0, top_b = 0;
      for (const char* part : parts) {
        const int e = arkit_index(part);
        for (std::size_t i = 0; i < a.size(); ++i) {
          a[i] += fit_[e][i] / static_cast<double>(parts.size());
          b[i] += true_[e][i] / static_cast<double>(parts.size());
        }
      }
      top_a = percentile(a, 0.98);
      top_b = percentile(b, 0.98);
      std::printf("  %-14s r %.3f   98 %% at %.2f, true %.2f\n", name, correlation(a, b), top_a, top_b);
    };
    show("jawOpen", {"jawOpen"});
    show("mouthSmile", {"mouthSmileLeft", "mouthSmileRight"});
    show("mouthPucker", {"mouthPucker"});
    show("mouthFunnel", {"mouthFunnel"});
    show("eyeBlink", {"eyeBlinkLeft", "eyeBlinkRight"});
    show("browInnerUp", {"browInnerUp"});
    show("browDown", {"browDownLeft", "browDownRight"});
    show("mouthFrown", {"mouthFrownLeft", "mouthFrownRight"});
    show("mouthStretch", {"mouthStretchLeft", "mouthStretchRight"});
    std::printf("  gaze yaw r %.3f, pitch r %.3f; lip opening r %.3f\n", correlation(gaze_fit_[0], gaze_true_[0]),
                correlation(gaze_fit_[1], gaze_true_[1]), correlation(lip_fit_, lip_true_));
    double touch = 0, touch_count = 0;
    for (std::size_t i = 0; i < lip_true_.size(); ++i) {
      if (lip_true_[i] < 0.1) touch += lip_fit_[i], touch_count += 1;
    }
    std::printf("  lips shut in truth (%d frames): fitted gap %.2f mm on average\n", static_cast<int>(touch_count),
                touch / std::max(1.0, touch_count));
    std::printf("  blinks %d of %d found, lids then %.2f mm apart (90 %%: %.2f); %d frames shut that are open\n",
                found_, blinks_, median(closed_gap_), percentile(closed_gap_, 0.9), false_);
    std::printf("  jitter at rest (%d frames): %.3f mm a frame RMS, %.3f across the line of sight\n", rest_frames_,
                std::sqrt(jitter_ / std::max(1, rest_frames_)), std::sqrt(jitter_across_ / std::max(1, rest_frames_)));
  }

 private:
  static double percentile(std::vector<double> values, double share) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
  }

  void choose_vertices(const HeadModel& head) {
    for (int v = 0; v < head.vertex_count(); ++v) {
      const HeadRegion r = head.region[v];
      if (head.skin_weights[v][1] < 0.99f || head.mesh.positions[v].z() < 0.03f) continue;
      if (r == HeadRegion::kFace || r == HeadRegion::kNose || r == HeadRegion::kForehead ||
          (r >= HeadRegion::kUpperLip && r <= HeadRegion::kLowerLidRight)) {
        face_.push_back(v);
        is_lip_.push_back(r == HeadRegion::kUpperLip || r == HeadRegion::kLowerLip);
      }
      if (r == HeadRegion::kNose || r == HeadRegion::kForehead) skull_.push_back(v);
    }
  }

  void measure_shape(const std::vector<Vec3>& a, const std::vector<Vec3>& b) {
    Eigen::Matrix3Xd from(3, face_.size()), to(3, face_.size());
    for (std::size_t i = 0; i < face_.size(); ++i) {
      from.col(i) = a[face_[i]].cast<double>();
      to.col(i) = b[face_[i]].cast<double>();
    }
    const Eigen::Matrix4d align = Eigen::umeyama(from, to, false);
    Eigen::Matrix3Xd difference = align.topLeftCorner<3, 3>() * from - to;
    difference.colwise() += align.topRightCorner<3, 1>();
    for (std::size_t i = 0; i < face_.size(); ++i) {
      const double e = 1000 * difference.col(i).norm();
      error_.push_back(e);
      if (is_lip_[i]) lip_error_.push_back(e);
    }
  }

  std::vector<int> face_, skull_;
  std::vector<bool> is_lip_;
  std::vector<double> error_, lip_error_, depth_, closed_gap_, lip_fit_, lip_true_;
  std::array<std::vector<double>, kArkitCount> fit_, true_;
  std::array<std::vector<double>, 2> gaze_fit_, gaze_true_;
  int blinks_ = 0, found_ = 0, false_ = 0, rest_frames_ = 0;
  double jitter_ = 0, jitter_across_ = 0;
};

struct Arguments {
  std::vector<std::string> inputs;
  std::string cache, overlays;
  bool each = false, no_pictures = false;
  int sheet = 6;
  std::vector<double> focal;
  HeadFitOptions options;
};

// One person: the videos of a capture, or some files.
void measure(const Arguments& a, const HeadModel& model, const std::vector<std::string>& files,
             std::unique_ptr<FaceNetworks>& networks, Truth& everyone) {
  std::vector<SightedVideo> videos;
  std::optional<Capture> capture;
  double begin = wall();
  for (const std::string& file : files) {
    if (fs::exists(fs::path(file) / "capture.json")) {
      capture = Capture::load(file);
      for (const CaptureSequence& sequence : capture->sequences) {
        videos.push_back(sight(Pictures(*capture, sequence), fs::path(file).filename().string() + "_" + sequence.id,
                               a.cache, networks));
      }
    } else {
      videos.push_back(sight(Pictures(fs::path(file)), fs::path(file).stem().string(), a.cache, networks));
    }
  }
  std::size_t frames = 0;
  for (const SightedVideo& video : videos) frames += video.stretches[0].frames.size();
  std::printf("%s%s: %zu frames, sighted in %.1f s\n", fs::path(files[0]).filename().string().c_str(),
              files.size() > 1 ? " ..." : "", frames, wall() - begin);
  HeadFitOptions options = a.options;
  options.focal = a.focal;
  if (capture && !a.no_pictures) {
    for (SightedVideo& video : videos) video.stretches[0].window = {0, 0, static_cast<double>(video.width)};
    options.picture = [&](int v, int, int frame) {
      const CaptureSequence& sequence = capture->sequences[static_cast<std::size_t>(v)];
      return read_image(capture->image_path(sequence.views[0], frame));
    };
  }
  begin = wall();
  const HeadFit fit = fit_head(model, videos, options);
  const double seconds = wall() - begin;
  std::printf("  fit: %.1f s, %.2f ms a frame on %d threads\n", seconds, 1000 * seconds / static_cast<double>(frames),
              thread_count());
  for (std::size_t v = 0; v < videos.size(); ++v) {
    if (v > 12) break;
    std::printf("  %-28s error %.2f %% of the pupils' distance, focal %.0f (%.2f of the width)\n",
                videos[v].name.c_str(), 100 * fit.videos[v].error, fit.videos[v].camera.fx,
                fit.videos[v].camera.fx / videos[v].width);
  }
  double sum = 0;
  for (const FittedVideo& video : fit.videos) sum += video.error / static_cast<double>(fit.videos.size());
  std::printf("  mean error %.2f %%\n", 100 * sum);
  if (capture) {
    Truth truth;
    const HeadModel head = capture->load_head_model();
    for (std::size_t v = 0; v < videos.size(); ++v) {
      truth.add(fit.head, fit.videos[v], *capture, capture->sequences[v], head);
      everyone.add(fit.head, fit.videos[v], *capture, capture->sequences[v], head);
    }
    truth.print();
  }
  if (a.overlays.empty()) return;
  fs::create_directories(a.overlays);
  for (std::size_t v = 0; v < videos.size(); ++v) {
    Pictures pictures = capture ? Pictures(*capture, capture->sequences[v]) : Pictures(fs::path(files[v]));
    std::vector<Image8> sheet;
    const auto count = static_cast<int>(videos[v].stretches[0].frames.size());
    Image8 image;
    for (int t = 0; pictures.next(image); ++t) {
      if ((t + count / (2 * a.sheet)) % std::max(1, count / a.sheet) != 0) continue;
      if (videos[v].stretches[0].frames[t].weight <= 0) continue;
      sheet.push_back(overlay(image, fit.head, fit.videos[v], fit.videos[v].stretches[0].motion, t,
                              videos[v].stretches[0].frames[t]));
    }
    write_image(fs::path(a.overlays) / (videos[v].name + ".png"), tile_images(sheet, 1, 2));
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Quality and speed of the fit of a head to videos");
  Arguments a;
  app.add_option("inputs", a.inputs, "Captures of the actor (folders) or videos of one person")->required();
  app.add_option("--cache", a.cache, "Folder that keeps landmarks between runs");
  app.add_option("--overlays", a.overlays, "Folder for contact sheets");
  app.add_option("--sheet", a.sheet, "Frames on a sheet")->capture_default_str();
  app.add_option("--focal", a.focal, "Focal lengths, pixels, an input each");
  app.add_flag("--landmarks-only", a.no_pictures, "Without the pictures of captures");
  app.add_flag("--each", a.each, "Each video is a person of its own");
  app.add_option("--identity-prior", a.options.identity_prior, "Pull towards the mean head")->capture_default_str();
  app.add_option("--expression-prior", a.options.expression_prior, "Pull towards rest")->capture_default_str();
  app.add_option("--smoothness", a.options.smoothness, "Pull towards even motion")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const HeadModel model = HeadModel::load(find_head_asset());
    std::unique_ptr<FaceNetworks> networks;
    std::vector<std::string> together;
    Truth everyone;
    for (const std::string& input : a.inputs) {
      if (a.each || fs::exists(fs::path(input) / "capture.json"))
        measure(a, model, {input}, networks, everyone);
      else
        together.push_back(input);
    }
    if (!together.empty()) measure(a, model, together, networks, everyone);
    if (everyone.frames() > 0 && a.inputs.size() > 1) {
      std::printf("all captures together: %zu frames\n", everyone.frames());
      everyone.print();
    }
    rusage usage = {};
    ::getrusage(RUSAGE_SELF, &usage);
    std::printf("peak memory %.0f MB\n", static_cast<double>(usage.ru_maxrss) / 1024);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return exit_status(error.code());
  }
  return 0;
}
