// How close a motion comes to another, and how quiet it is.
#pragma once

#include "mien/head/head_motion.h"

namespace mien {

struct MotionMetricOptions {
  // Head pose, neck and gaze included; otherwise only the face moves, in head space.
  bool posed = false;
  // Only vertices of these regions; empty = all. lip_vertex_error_mm() always takes the lips.
  std::vector<HeadRegion> regions;
};

// Mean length over frames and vertices of the second difference x[t-1] - 2 x[t] + x[t+1], millimetres a frame squared.
// 0 for fewer than three frames. Throws kBadArgument when no vertex lies in the regions.
double motion_jitter_mm(const HeadModel& model, const HeadMotion& motion, const MotionMetricOptions& options = {});

// The motion's jitter over the truth's: 1 is as lively as the truth, above it trembles, below it is sluggish. Infinite
// when only the truth stands still, 1 when both do. The motions may differ in length, not in rate (kBadArgument).
double jitter_ratio(const HeadModel& model, const HeadMotion& truth, const HeadMotion& motion,
                    const MotionMetricOptions& options = {});

// Lip vertex error: the largest distance of all lip vertices, mean over frames, millimetres (as EmoTalk and later work;
// MeshTalk, Richard et al. 2021, takes the same with squares). Motions must have the same number of frames and rate;
// throws kBadArgument otherwise.
double lip_vertex_error_mm(const HeadModel& model, const HeadMotion& truth, const HeadMotion& motion,
                           const MotionMetricOptions& options = {});

}  // namespace mien
