#include "motion/training/weight_average.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "mien/base/error.h"

namespace mien {

WeightAverage::WeightAverage(std::vector<at::Tensor> parameters, double decay)
    : parameters_(std::move(parameters)), decay_(decay) {
  if (!(decay >= 0 && decay < 1)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("weight average of {}", decay), "give 0 (none) to below 1");
  }
  for (const at::Tensor& p : parameters_) averages_.push_back(p.detach().clone());
}

void WeightAverage::update() {
  const at::NoGradGuard no_grad;
  ++steps_;
  const double decay = std::min(decay_, static_cast<double>(steps_) / (10.0 + static_cast<double>(steps_)));
  for (std::size_t i = 0; i < parameters_.size(); ++i) averages_[i].lerp_(parameters_[i], 1.0 - decay);
}

void WeightAverage::swap() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor keep = parameters_[i].detach().clone();
    parameters_[i].copy_(averages_[i]);
    averages_[i].copy_(keep);
  }
}

}  // namespace mien
