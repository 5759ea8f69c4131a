// How ranks exchange numbers: Gloo between processors, NCCL between GPUs, both LibTorch's c10d.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace mien {

class RankPulse;

// Where the ranks have met.
struct RankMeeting {
  c10::intrusive_ptr<c10d::Store> store;
  std::string host;
  int rank = 0, size = 1;
  std::shared_ptr<RankPulse> pulse;  // says who has fallen silent
};

// Both work in place on one flat tensor of floats on `device`, wait for all ranks (ten minutes at most), and throw what
// c10d throws, or std::runtime_error when a rank has fallen silent.
struct RankTransport {
  c10::Device device = c10::kCPU;
  std::function<void(at::Tensor&)> sum;         // everybody gets the sum
  std::function<void(at::Tensor&)> from_first;  // everybody gets what the first rank has
};

// Empty where this build has no Gloo.
std::optional<RankTransport> gloo_transport(const RankMeeting& meeting);
// Empty where this build has no NCCL, or the machine no GPU.
std::optional<RankTransport> nccl_transport(const RankMeeting& meeting);

}  // namespace mien
