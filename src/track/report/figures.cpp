// Figures of a fit: error, jitter, coverage.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "mien/base/error.h"
#include "mien/track/report.h"
#include "track/report/report_parts.h"

namespace mien {

using namespace track_report;

namespace {

constexpr double kDegrees = 180 / std::numbers::pi;
constexpr double kLongEnough = 0.5;  // seconds that something has to be seen to count
constexpr double kActive = 0.25;     // weight

struct Weighted {
  double value = 0, seconds = 0;
};

// The largest value that is exceeded, or met, for `seconds` in all; 0 when there is no such time.
double exceeded_for(std::vector<Weighted> values, double seconds) {
  std::sort(values.begin(), values.end(), [](const Weighted& a, const Weighted& b) { return a.value > b.value; });
  double sum = 0;
  for (const Weighted& one : values) {
    sum += one.seconds;
    if (sum >= seconds - 1e-9) return one.value;
  }
  return 0;
}

double share_value(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

double pupil_distance(const FaceSighting& face) {
  constexpr std::size_t kRightIris = 468, kLeftIris = 473;
  return std::hypot(face.points[kLeftIris][0] - face.points[kRightIris][0],
                    face.points[kLeftIris][1] - face.points[kRightIris][1]);
}

// Where the camera stands, seen from the head: yaw positive on the person's left, pitch positive above. Degrees.
std::array<double, 2> seen_from(const HeadModel& head, const HeadPose& pose, const Camera& camera) {
  const Quat turn = pose.root * pose.neck * pose.head;
  const Vec3 middle = 0.5f * (head.joints[2] + head.joints[3]);
  const Vec3& neck = head.joints[static_cast<std::size_t>(HeadJoint::kNeck)];
  const Vec3& skull = head.joints[static_cast<std::size_t>(HeadJoint::kHead)];
  const Vec3 turned = neck + pose.neck * (skull + pose.head * (middle - skull) - neck);
  const Vec3 place = pose.root * turned + pose.translation;
  const Vec3 towards = (turn.conjugate() * (camera.centre() - place)).normalized();
  return {std::atan2(towards.x(), towards.z()) * kDegrees, std::asin(std::clamp(towards.y(), -1.0f, 1.0f)) * kDegrees};
}

// The gap between two vertices of a head, millimetres upwards, linear in the expression's weights.
class Gap {
 public:
  Gap(const HeadModel& head, const std::vector<std::array<int, 2>>& pairs) {
    if (pairs.empty()) return;
    pair_ = pairs[pairs.size() / 2];
    rest_ = difference(head.mesh.positions.data());
    for (int e = 0; e < head.expression_count(); ++e)
      by_weight_.push_back(difference(head.expression.data() + static_cast<std::ptrdiff_t>(e) * head.vertex_count()));
    is_there_ = true;
  }
  bool is_there() const { return is_there_; }
  double operator()(const MotionFrame& frame) const {
    double gap = rest_;
    for (std::size_t e = 0; e < std::min(by_weight_.size(), frame.expression.size()); ++e)
      gap += static_cast<double>(frame.expression[e]) * by_weight_[e];
    if (static_cast<int>(frame.offsets.size()) > std::max(pair_[0], pair_[1])) gap += difference(frame.offsets.data());
    return std::max(gap, 0.0);
  }

 private:
  double difference(const Vec3* field) const { return 1000.0 * (field[pair_[0]] - field[pair_[1]]).y(); }
  std::array<int, 2> pair_ = {0, 0};
  double rest_ = 0;
  std::vector<double> by_weight_;
  bool is_there_ = false;
};

// Times that the lids are down: below a third of their usual opening.
int count_blinks(const std::vector<double>& opening) {
  const double down = share_value(opening, 0.5) / 3;
  int blinks = 0;
  bool was_down = true;  // a stretch that begins with closed eyes shows no blink
  for (const double gap : opening) {
    blinks += gap < down && !was_down;
    was_down = gap < down;
  }
  return blinks;
}

class Collector {
 public:
  explicit Collector(const HeadFit& fit)
      : head_(fit.head),
        lips_(fit.head, fit.head.contours.lips),
        lids_{Gap(fit.head, fit.head.contours.lids_left), Gap(fit.head, fit.head.contours.lids_right)},
        reach_(kArkitCount) {}

  void add(const FittedStretch& stretch, const Camera& camera) {
    const double seconds = 1 / stretch.motion.fps;
    std::vector<double> lids;
    for (int t = 0; t < stretch.motion.frame_count(); ++t) {
      if (stretch.error[static_cast<std::size_t>(t)] < 0) continue;
      const MotionFrame& frame = stretch.motion.frames[static_cast<std::size_t>(t)];
      coverage_.seconds += seconds;
      const auto [yaw, pitch] = seen_from(head_, frame.pose, camera);
      const auto bin = [](double angle, int bins) {
        return static_cast<std::size_t>(std::clamp(static_cast<int>(std::floor(angle / 15 + bins / 2.0)), 0, bins - 1));
      };
      coverage_.views[bin(pitch, TrackedCoverage::kPitchBins)][bin(yaw, TrackedCoverage::kYawBins)] += seconds;
      yaw_.push_back({yaw, seconds});
      pitch_.push_back({pitch, seconds});
      for (std::size_t e = 0; e < std::min<std::size_t>(kArkitCount, frame.expression.size()); ++e) {
        reach_[e].push_back(static_cast<double>(frame.expression[e]));
        if (frame.expression[e] > kActive) coverage_.active[e] += seconds;
      }
      gaze_.push_back(0.5 * kDegrees * static_cast<double>(frame.pose.gaze_left[0] + frame.pose.gaze_right[0]));
      if (lips_.is_there()) {
        const double gap = lips_(frame);
        opening_.push_back({gap, seconds});
        coverage_.opening[static_cast<std::size_t>(
            std::clamp(static_cast<int>(gap / 2), 0, TrackedCoverage::kOpeningBins - 1))] += seconds;
      }
      if (lids_[0].is_there() && lids_[1].is_there()) lids.push_back(std::min(lids_[0](frame), lids_[1](frame)));
    }
    coverage_.blinks += count_blinks(lids);
  }

  TrackedCoverage take() {
    const auto mirrored = [](std::vector<Weighted> values) {
      for (Weighted& one : values) one.value = -one.value;
      return values;
    };
    coverage_.left = std::max(0.0, exceeded_for(yaw_, kLongEnough));
    coverage_.right = std::max(0.0, exceeded_for(mirrored(yaw_), kLongEnough));
    coverage_.above = std::max(0.0, exceeded_for(pitch_, kLongEnough));
    coverage_.below = std::max(0.0, exceeded_for(mirrored(pitch_), kLongEnough));
    coverage_.widest_mm = exceeded_for(opening_, kLongEnough);
    for (std::size_t e = 0; e < reach_.size(); ++e) coverage_.reach[e] = share_value(reach_[e], 0.98);
    coverage_.gaze_degrees = share_value(gaze_, 0.95) - share_value(gaze_, 0.05);
    return coverage_;
  }

 private:
  const HeadModel& head_;
  Gap lips_;
  std::array<Gap, 2> lids_;
  TrackedCoverage coverage_;
  std::vector<Weighted> yaw_, pitch_, opening_;
  std::vector<std::vector<double>> reach_;
  std::vector<double> gaze_;
};

// Places of the nose's bridge, which is bone, over a stretch; frames not seen are left out with what is beside them.
void add_jitter(const HeadFit& fit, const FittedStretch& stretch, double& squares, int& count) {
  constexpr int kSpan = 5;           // frames before and after
  constexpr double kStill = 0.0005;  // metres between the means of those
  const auto n = static_cast<std::size_t>(stretch.motion.frame_count());
  const Vec3 bridge = 0.5f * (fit.head.joints[2] + fit.head.joints[3]) + Vec3(0, 0, 0.025f);
  std::vector<Eigen::Vector3d> places;
  for (const MotionFrame& frame : stretch.motion.frames) {
    const HeadPose& pose = frame.pose;
    const Vec3& neck = fit.head.joints[static_cast<std::size_t>(HeadJoint::kNeck)];
    const Vec3& skull = fit.head.joints[static_cast<std::size_t>(HeadJoint::kHead)];
    const Vec3 turned = neck + pose.neck * (skull + pose.head * (bridge - skull) - neck);
    places.push_back((pose.root * turned + pose.translation).cast<double>());
  }
  for (std::size_t t = kSpan; t + kSpan < n; ++t) {
    Eigen::Vector3d before = Eigen::Vector3d::Zero(), after = before;
    bool is_seen = stretch.error[t] >= 0;
    for (std::size_t k = 1; k <= kSpan; ++k) {
      before += places[t - k] / kSpan;
      after += places[t + k] / kSpan;
      is_seen = is_seen && stretch.error[t - k] >= 0 && stretch.error[t + k] >= 0;
    }
    if (!is_seen || (after - before).norm() > kStill) continue;
    squares += (places[t] - places[t - 1]).squaredNorm();
    ++count;
  }
}

TrackedVideoFigures figures_of(const SightedVideo& video, const FittedVideo& fitted, const HeadFit& fit) {
  TrackedVideoFigures out;
  out.name = video.name;
  out.seconds = video.fps > 0 ? video.frames / video.fps : 0;
  std::vector<double> pupils, errors;
  double squares = 0;
  int still = 0;
  for (std::size_t s = 0; s < fitted.stretches.size(); ++s) {
    const FittedStretch& stretch = fitted.stretches[s];
    for (std::size_t t = 0; t < stretch.error.size(); ++t) {
      if (stretch.error[t] < 0) continue;
      out.used_seconds += 1 / video.fps;
      pupils.push_back(pupil_distance(video.stretches[s].frames[t]));
      errors.push_back(static_cast<double>(stretch.error[t]));
    }
    add_jitter(fit, stretch, squares, still);
  }
  out.error = fitted.error;
  out.pupil_distance = share_value(pupils, 0.5);
  // From a side the pupils stand close together, so shares are of the widest that the video shows of them.
  const double widest = share_value(pupils, 0.95);
  if (widest > 0 && !errors.empty()) out.worst_error = *std::max_element(errors.begin(), errors.end()) / widest;
  constexpr int kEnough = 10;  // frames
  if (still >= kEnough) out.jitter_mm = 1000 * std::sqrt(squares / still);
  return out;
}

}  // namespace

TrackReport make_track_report(std::span<const SightedVideo> videos, const HeadFit& fit) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::kBadArgument, "videos and fit do not belong together: " + what);
  };
  if (videos.size() != fit.videos.size()) refuse(fmt::format("{} and {}", videos.size(), fit.videos.size()));
  TrackReport report;
  ForecastInput input;
  Collector collector(fit);
  std::vector<std::string> looks;
  for (std::size_t i = 0; i < videos.size(); ++i) {
    const SightedVideo& video = videos[i];
    if (video.stretches.size() != fit.videos[i].stretches.size()) refuse(video.name);
    for (std::size_t s = 0; s < video.stretches.size(); ++s) {
      const FittedStretch& stretch = fit.videos[i].stretches[s];
      if (stretch.motion.frames.size() != video.stretches[s].frames.size() ||
          stretch.error.size() != stretch.motion.frames.size() || !(stretch.motion.fps > 0) || !(video.fps > 0))
        refuse(fmt::format("{}, stretch {}", video.name, s));
      collector.add(stretch, fit.videos[i].camera);
    }
    report.videos.push_back(figures_of(video, fit.videos[i], fit));
    if (report.videos.back().used_seconds <= 0) continue;
    looks.push_back(video.appearance);
    if (video.has_audio) input.audio_seconds += report.videos.back().used_seconds;
  }
  std::sort(looks.begin(), looks.end());
  looks.erase(std::unique(looks.begin(), looks.end()), looks.end());
  report.coverage = collector.take();
  input.videos = report.videos;
  input.coverage = report.coverage;
  input.appearances = static_cast<int>(looks.size());
  report.forecast = make_forecast(input);
  return report;
}

}  // namespace mien
