#include "mien/metrics/motion_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mien/base/error.h"

namespace mien {
namespace {

std::vector<int> vertices_in(const HeadModel& model, const std::vector<HeadRegion>& regions) {
  std::vector<int> out;
  for (int i = 0; i < model.vertex_count(); ++i) {
    if (regions.empty() || std::find(regions.begin(), regions.end(), model.region[i]) != regions.end())
      out.push_back(i);
  }
  if (out.empty()) throw Error(ErrorCode::kBadArgument, "no vertex of the head lies in the regions asked for");
  return out;
}

void vertices_at(const HeadModel& model, const HeadMotion& motion, int frame, bool posed, std::vector<Vec3>& out) {
  if (posed) {
    motion.vertices(model, frame, out);
    return;
  }
  const MotionFrame& f = motion.frames[frame];
  model.deform(f.expression.data(), static_cast<int>(f.expression.size()),
               f.offsets.empty() ? nullptr : f.offsets.data(), out);
}

}  // namespace

double motion_jitter_mm(const HeadModel& model, const HeadMotion& motion, const MotionMetricOptions& options) {
  const std::vector<int> chosen = vertices_in(model, options.regions);
  if (motion.frame_count() < 3) return 0;
  std::vector<Vec3> before, now, after;
  vertices_at(model, motion, 0, options.posed, before);
  vertices_at(model, motion, 1, options.posed, now);
  double sum = 0;
  for (int frame = 2; frame < motion.frame_count(); ++frame) {
    vertices_at(model, motion, frame, options.posed, after);
    for (const int v : chosen) sum += (before[v] - 2 * now[v] + after[v]).norm();
    before.swap(now);
    now.swap(after);
  }
  return 1000 * sum / (static_cast<double>(chosen.size()) * (motion.frame_count() - 2));
}

double jitter_ratio(const HeadModel& model, const HeadMotion& truth, const HeadMotion& motion,
                    const MotionMetricOptions& options) {
  if (std::abs(truth.fps - motion.fps) > 1e-6) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("cannot compare jitter at {} and {} frames a second", motion.fps, truth.fps),
                "bring both to the same rate");
  }
  const double of_truth = motion_jitter_mm(model, truth, options);
  const double of_motion = motion_jitter_mm(model, motion, options);
  if (of_truth > 0) return of_motion / of_truth;
  return of_motion > 0 ? std::numeric_limits<double>::infinity() : 1.0;
}

double lip_vertex_error_mm(const HeadModel& model, const HeadMotion& truth, const HeadMotion& motion,
                           const MotionMetricOptions& options) {
  if (truth.frame_count() != motion.frame_count() || std::abs(truth.fps - motion.fps) > 1e-6 || truth.frames.empty()) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("cannot compare {} frames at {}/s with {} at {}/s", motion.frame_count(), motion.fps,
                            truth.frame_count(), truth.fps),
                "bring both to the same rate and length");
  }
  const std::vector<int> lips = vertices_in(model, {HeadRegion::kUpperLip, HeadRegion::kLowerLip});
  std::vector<Vec3> a, b;
  double sum = 0;
  for (int frame = 0; frame < truth.frame_count(); ++frame) {
    vertices_at(model, truth, frame, options.posed, a);
    vertices_at(model, motion, frame, options.posed, b);
    float worst = 0;
    for (const int v : lips) worst = std::max(worst, (a[v] - b[v]).norm());
    sum += worst;
  }
  return 1000 * sum / truth.frame_count();
}

}  // namespace mien
