// A batch of training streams on the device, and what both networks make of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "motion/training/networks.h"
#include "speech/training/stream_sampler.h"

namespace mien {

// Shapes as in StreamBatch.
struct StreamTensors {
  at::Tensor features, energy, labels, motion, known, emotion;
  at::Tensor person;    // [B, K]; undefined without persons
  at::Tensor channels;  // [B, K, E]; undefined when everything is known
};
StreamTensors upload(const StreamBatch& batch, at::Device device);

// S2GNet's weights beside the truth, over the frames that have all their input: [B, K', E], `known` [B, K'].
struct MotionPrediction {
  at::Tensor predicted, truth, known, channels;
};
// `person_map`: of the pack's persons in the net's table.
MotionPrediction predict_motion(S2GModule& s2g, const EncoderOutput& heard, const StreamTensors& batch,
                                const std::vector<std::int64_t>& person_map);

}  // namespace mien
