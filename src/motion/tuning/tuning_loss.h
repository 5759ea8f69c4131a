// How far S2GNet's output is from a capture's motion: on free vertex offsets, and on the lips as a person sees them.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

#include "mien/base/json.h"
#include "motion/training/networks.h"
#include "motion/tuning/motion_pairs.h"
#include "motion/tuning/tuning_data.h"

namespace mien {

// Huber on weighted vertices, on their velocity and acceleration, millimetres; lips count more.
class OffsetLoss {
 public:
  OffsetLoss() = default;  // for nets without offsets
  OffsetLoss(const MotionPairs& pairs, at::Device device);
  // predicted, truth [B, K, 3 M]; known [B, K].
  at::Tensor operator()(const at::Tensor& predicted, const at::Tensor& truth, const at::Tensor& known) const;

 private:
  at::Tensor weight_;  // [3 M], sum 1
};

// Mean lip vertex error in millimetres over whole sequences: those of the test split, or all when there are none. In
// all, and by kind of phone. Puts the net into evaluation mode.
struct LipErrors {
  double all = 0;
  Json by_phones = Json::object();
};
LipErrors measure_lips(const MotionPairs& pairs, const std::vector<PairTensors>& data, S2GModule& s2g,
                       const at::Tensor& person, const at::Tensor& known_weights, at::Device device);

}  // namespace mien
