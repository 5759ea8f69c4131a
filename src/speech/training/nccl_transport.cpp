#include "speech/training/rank_transport.h"

#ifdef MIEN_HAVE_NCCL

#include <ATen/cuda/CUDAContext.h>

#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "mien/base/log.h"
#include "speech/training/rank_pulse.h"

namespace mien {
namespace {

// The kernel of an exchange waits on the GPU for the other ranks; the host looks after it, and gives up when one of
// them has fallen silent.
void finish(c10d::ProcessGroupNCCL& nccl, const c10::intrusive_ptr<c10d::Work>& work, const RankPulse& pulse) {
  constexpr std::chrono::microseconds kLook(20);
  while (!work->isCompleted()) {
    if (const int lost = pulse.lost(); lost >= 0) {
      nccl.abort();
      throw std::runtime_error(fmt::format("nothing is heard of rank {}", lost));
    }
    std::this_thread::sleep_for(kLook);
  }
  work->wait();  // throws what went wrong, and makes the current stream wait
}

}  // namespace

std::optional<RankTransport> nccl_transport(const RankMeeting& meeting) {
  if (at::cuda::device_count() == 0) return std::nullopt;
  // LibTorch's own watchdog would end the whole program without a word of ours.
  ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", 0);
  const auto store = c10::make_intrusive<c10d::PrefixStore>("nccl", meeting.store);
  const auto nccl = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, meeting.rank, meeting.size,
                                                                c10d::ProcessGroupNCCL::Options::create());
  RankTransport out;
  out.device = c10::Device(c10::kCUDA, 0);  // ranks see one GPU each
  out.sum = [nccl, pulse = meeting.pulse](at::Tensor& flat) {
    std::vector<at::Tensor> all = {flat};
    finish(*nccl, nccl->allreduce(all), *pulse);
  };
  out.from_first = [nccl, pulse = meeting.pulse](at::Tensor& flat) {
    std::vector<at::Tensor> all = {flat};
    finish(*nccl, nccl->broadcast(all), *pulse);
  };
  return out;
}

}  // namespace mien

#else

namespace mien {
std::optional<RankTransport> nccl_transport(const RankMeeting&) {
  return std::nullopt;
}
}  // namespace mien

#endif
