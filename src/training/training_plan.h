// What the Gaussian trainer does when: learning rates, growth, and what a run that goes on must agree with.
#pragma once

#include <cstdint>

#include "avatar_optimiser.h"
#include "mien/capture/capture.h"
#include "mien/training/gaussian_trainer.h"

namespace mien {

// Of capture and options: what a checkpoint must agree with, and the ranks with each other.
std::uint64_t training_fingerprint(const Capture& capture, const GaussianTrainOptions& options);

StepRates rates_at(const GaussianTrainOptions& options, double progress);  // progress [0,1]

// How many of `count` Gaussians to split before a step; 0 = none.
int growth_before(int step, int count, const GaussianTrainOptions& options);

}  // namespace mien
