// A running average of weights over training steps: steadier than the weights of any one step (Polyak averaging).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace mien {

class WeightAverage {
 public:
  // Averages exactly these tensors. `decay` in [0,1): a step's share falls to 1/e after 1 / (1 - decay) steps; the
  // first steps are forgotten sooner. 0 = the average is always the newest step.
  WeightAverage(std::vector<at::Tensor> parameters, double decay);
  void update();  // after each optimiser step
  // Exchanges weights and averages: once before validating or saving, once after.
  void swap();

 private:
  std::vector<at::Tensor> parameters_, averages_;
  double decay_;
  std::int64_t steps_ = 0;
};

}  // namespace mien
