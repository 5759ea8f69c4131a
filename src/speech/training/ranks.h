// Training by several processes, on one host or more: each computes on its own share, gradients are averaged.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "mien/base/rank_group.h"

namespace mien {

// Found in the environment, as torchrun and other launchers set it: WORLD_SIZE, RANK, MASTER_ADDR (default 127.0.0.1)
// and MASTER_PORT (default 29500); LOCAL_RANK, where it is set, says which GPU is this rank's. All ranks must call the
// same functions in the same order; each waits for the others, ten minutes at most, and throws kIo when one is gone.
// Tensors on GPUs go by NCCL where the build has it, else by way of the host (Gloo).
class Ranks {
 public:
  Ranks() = default;  // one rank: nothing is waited for
  // One rank without WORLD_SIZE, or with 1. Throws kBadArgument for values that are none, kMissingFeature where this
  // build has neither Gloo nor NCCL, kIo when the others cannot be met.
  static Ranks from_environment();

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool leads() const { return rank_ == 0; }  // who writes files

  void average(const std::vector<at::Tensor>& tensors) const;  // in place
  // The first rank's values become everybody's.
  void share(const std::vector<at::Tensor>& tensors) const;
  double average(double value) const;
  double share(double value) const;
  bool all(bool value) const { return average(value ? 1.0 : 0.0) > 1 - 0.5 / size_; }
  // The same for code without LibTorch.
  RankGroup group() const;

 private:
  struct Group;
  void exchange(const std::function<void()>& work) const;

  std::shared_ptr<Group> group_;
  int rank_ = 0, size_ = 1;
};

}  // namespace mien
