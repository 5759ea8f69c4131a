// The pairs of a capture as tensors, and the stretches of them that a training step sees.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mien/motion/speech_tuning.h"
#include "motion/tuning/motion_pairs.h"

namespace mien {

at::Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape);  // a copy

struct PairTensors {
  at::Tensor stacked, weights, offsets, emotion;  // [K, ...] on the CPU; `offsets` undefined when nothing has them
};
std::vector<PairTensors> tensors_of(const MotionPairs& pairs);

struct TuningBatch {
  at::Tensor stacked, weights, offsets, emotion, known;  // [B, K, ...], `known` [B, K]
};
// Of several ranks each draws its own stretches: together those of a batch that is so many times as large. Step and
// rank alone decide which.
TuningBatch sample_stretches(const MotionPairs& pairs, const std::vector<PairTensors>& data,
                             const SpeechTuningOptions& options, int step, int rank, at::Device device);

}  // namespace mien
