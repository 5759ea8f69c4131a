// Measures where the face networks put their points on performers whose every vertex is known: the table that
// fit_head() reads (track/fit/landmark_response.h).
//
//   mien_landmark_response CAPTURE... -o models/landmark_response.safetensors
//
// Each landmark by ridge regression: seen - true = screen (head rotation (offset + expression weights)).
#include "track/fit/landmark_response.h"

#include <CLI/CLI.hpp>
#include <Eigen/Dense>
#include <cstdio>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/head/head_model.h"
#include "tools/sight_faces.h"

namespace {

using namespace mien;
using Screen = Eigen::Matrix<double, 2, 3>;
constexpr int kTerms = 1 + kArkitCount;

// One frame.
struct Sample {
  Eigen::Matrix<double, kTerms, 1> terms;  // 1, then the expression's weights
  std::vector<Screen> screen;              // [478] millimetres at the head by metres of head space
  Eigen::VectorXd miss;                    // [2 * 478] seen - true, millimetres
};

void add_samples(const Capture& capture, const CaptureSequence& sequence, const HeadModel& head,
                 const SightedVideo& video, int step, std::vector<Sample>& out) {
  const HeadMotion motion = capture.load_motion(sequence);
  std::vector<Vec3> vertices;
  const auto& frames = video.stretches[0].frames;
  for (int t = 0; t < std::min(motion.frame_count(), static_cast<int>(frames.size())); t += step) {
    if (frames[t].weight <= 0) continue;
    motion.vertices(head, t, vertices);
    const Camera camera = capture.camera_at(sequence, sequence.views[0], t);
    const HeadPose& pose = motion.frames[t].pose;
    const Eigen::Matrix3d turn =
        (camera.world_to_camera.topLeftCorner<3, 3>() * (pose.root * pose.neck * pose.head).toRotationMatrix())
            .cast<double>();
    Sample sample;
    sample.terms.setZero();
    sample.terms[0] = 1;
    for (int e = 0; e < kArkitCount; ++e) sample.terms[1 + e] = motion.frames[t].expression[e];
    sample.miss.resize(2 * kSightedPoints);
    for (int i = 0; i < kSightedPoints; ++i) {
      Vec3 at = Vec3::Zero();
      for (int k = 0; k < 3; ++k) {
        at += head.landmarks[i].barycentric[k] * vertices[head.mesh.faces[head.landmarks[i].face][k]];
      }
      const Eigen::Vector3d c = camera.to_camera(at).cast<double>();
      const Vec2 pixel = camera.project(at);
      const double millimetres = 1000 * c.z() / camera.fx;
      sample.miss[2 * i] = millimetres * (frames[t].points[i][0] - pixel.x());
      sample.miss[2 * i + 1] = millimetres * (frames[t].points[i][1] - pixel.y());
      Screen screen;
      screen << 1000, 0, -1000 * c.x() / c.z(), 0, 1000, -1000 * c.y() / c.z();
      sample.screen.push_back(screen * turn);
    }
    out.push_back(std::move(sample));
  }
}

// How far a unit of an expression may differ from what the head model says, as a multiple of --move. Lids differ most:
// the networks never see them quite shut. The many weights of a talking mouth move together, and little of each is
// told.
double freedom(const std::string& name) {
  if (name.starts_with("eyeBlink")) return 6;
  if (name.starts_with("eye")) return 3;
  if (name.starts_with("brow")) return 2;
  return 1;
}

fit::LandmarkResponse regress(const std::vector<Sample>& samples, int people, double move) {
  constexpr double kTrust = 0.1;              // of a sample: neighbours in time are much alike
  constexpr double kOffsetDeviation = 0.004;  // metres
  fit::LandmarkResponse out;
  out.offset.setZero(3 * kSightedPoints);
  out.expression.setZero(3 * kSightedPoints, kArkitCount);
  out.deviation.setZero(kSightedPoints);
  parallel_for(kSightedPoints, 1, [&](std::int64_t number) {
    const int i = static_cast<int>(number);
    const bool is_iris = i >= 468;  // irises turn with the gaze, not with the face: an offset only
    const Eigen::Index terms = is_iris ? 1 : kTerms, n = 3 * terms;
    Eigen::MatrixXd h = Eigen::MatrixXd::Zero(n, n);
    Eigen::VectorXd b = Eigen::VectorXd::Zero(n);
    Eigen::VectorXd strength = Eigen::VectorXd::Constant(n, 1 / (kOffsetDeviation * kOffsetDeviation));
    for (Eigen::Index e = 1; e < terms; ++e) {
      const double deviation = move * freedom(kArkitNames[static_cast<std::size_t>(e - 1)]);
      strength.segment<3>(3 * e).setConstant(1 / (deviation * deviation));
    }
    h.diagonal() = strength;
    for (const Sample& sample : samples) {
      const Screen& screen = sample.screen[static_cast<std::size_t>(i)];
      const Eigen::Matrix3d square = kTrust * screen.transpose() * screen;
      const Eigen::Vector3d pull = kTrust * screen.transpose() * sample.miss.segment<2>(2 * i);
      for (Eigen::Index p = 0; p < terms; ++p) {
        if (sample.terms[p] == 0) continue;
        b.segment<3>(3 * p) += sample.terms[p] * pull;
        for (Eigen::Index q = 0; q <= p; ++q) {
          if (sample.terms[q] != 0) h.block<3, 3>(3 * p, 3 * q) += sample.terms[p] * sample.terms[q] * square;
        }
      }
    }
    const Eigen::VectorXd x = h.selfadjointView<Eigen::Lower>().llt().solve(b);
    out.offset.segment<3>(3 * i) = x.head<3>();
    for (Eigen::Index e = 1; e < terms; ++e) out.expression.col(e - 1).segment<3>(3 * i) = x.segment<3>(3 * e);
    // What is left: between people and between moments.
    double rest = 0;
    for (const Sample& sample : samples) {
      Eigen::Vector3d shift = Eigen::Vector3d::Zero();
      for (Eigen::Index p = 0; p < terms; ++p) shift += sample.terms[p] * x.segment<3>(3 * p);
      rest += (sample.screen[static_cast<std::size_t>(i)] * shift - sample.miss.segment<2>(2 * i)).squaredNorm();
    }
    out.deviation[i] = 0.001 * std::sqrt(rest / (2.0 * static_cast<double>(samples.size())));
  });
  out.habit.setZero(kArkitCount, kArkitCount);
  for (const Sample& sample : samples) {
    const Eigen::Matrix<double, kArkitCount, 1> w = sample.terms.tail<kArkitCount>();
    out.habit += w * w.transpose() / static_cast<double>(samples.size());
  }
  double before = 0, after = 0;
  for (const Sample& sample : samples) before += sample.miss.squaredNorm();
  before = std::sqrt(before / (2.0 * kSightedPoints * static_cast<double>(samples.size())));
  after = 1000 * std::sqrt(out.deviation.squaredNorm() / kSightedPoints);
  std::printf("%zu frames of %d people: landmarks off by %.2f mm an axis, %.2f mm with the table\n", samples.size(),
              people, before, after);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures where the face networks put their points, on captures of the actor");
  std::vector<std::string> folders;
  std::string cache, output;
  int step = 2;
  double move = 0.5;
  app.add_option("captures", folders, "Captures of the actor, rig mono")->required();
  app.add_option("--cache", cache, "Folder that keeps landmarks between runs");
  app.add_option("--step", step, "Every so many frames")->check(CLI::Range(1, 100))->capture_default_str();
  app.add_option("--move", move, "How far a unit of expression may differ from the head model, millimetres")
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  app.add_option("-o,--output", output, "The table")->required();
  CLI11_PARSE(app, argc, argv);
  try {
    std::vector<Sample> samples;
    std::unique_ptr<FaceNetworks> networks;
    std::string id;
    for (std::size_t p = 0; p < folders.size(); ++p) {
      const Capture capture = Capture::load(folders[p]);
      const HeadModel head = capture.load_head_model();
      id = head.id;
      for (const CaptureSequence& sequence : capture.sequences) {
        const std::string name = std::filesystem::path(folders[p]).filename().string() + "_" + sequence.id;
        const SightedVideo video = tools::sight(tools::Pictures(capture, sequence), name, cache, networks);
        add_samples(capture, sequence, head, video, step, samples);
      }
    }
    if (samples.empty()) throw Error(ErrorCode::kBadArgument, "no frame shows a face", "give captures of the actor");
    fit::LandmarkResponse table = regress(samples, static_cast<int>(folders.size()), 0.001 * move);
    table.head_model = id;
    table.save(output);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return exit_status(error.code());
  }
  return 0;
}
