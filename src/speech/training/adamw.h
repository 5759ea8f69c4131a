// AdamW whose whole state is tensors with names, so that a training can be stopped and go on with the same bits.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace mien {

class SafetensorsFile;
class SafetensorsWriter;

// Loshchilov and Hutter 2019; betas 0.9 and 0.98, decay 0.01, the joint norm of the gradients at most 2.
class AdamW {
 public:
  using Named = std::vector<std::pair<std::string, at::Tensor>>;
  explicit AdamW(Named parameters);

  void zero_grad();
  std::vector<at::Tensor> gradients() const;  // of those that have one
  // Goes one step down with learning rate `rate`; `step` counts from 0. Parameters without gradient stay.
  void update(double rate, int step);
  std::vector<at::Tensor> state() const;  // all that save() writes, for Ranks::share()
  // The name of a parameter that holds NaN or infinity, or "".
  std::string broken() const;

  // Parameters and state as tensors "parameter.NAME", "first.NAME", "second.NAME".
  void save(SafetensorsWriter& out) const;
  void load(const SafetensorsFile& file);  // throws kBadFile

  // Learning rate as a share of the largest: warm-up over 3 %, then a cosine to 1/100. `progress` is [0,1].
  static double schedule(double progress);

 private:
  Named parameters_;
  std::vector<at::Tensor> first_, second_;
};

}  // namespace mien
