#include "speech/training/rank_transport.h"

#ifdef MIEN_HAVE_GLOO

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

namespace mien {
namespace {

// Longer than the slowest rank takes to read its data, or the first one to validate.
constexpr std::chrono::minutes kLongestWait(10);

}  // namespace

std::optional<RankTransport> gloo_transport(const RankMeeting& meeting) {
  const auto options = c10d::ProcessGroupGloo::Options::create(kLongestWait);
  const bool here = meeting.host == "127.0.0.1" || meeting.host == "localhost";
  options->devices.push_back(here ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                  : c10d::ProcessGroupGloo::createDefaultDevice());
  const auto store = c10::make_intrusive<c10d::PrefixStore>("gloo", meeting.store);
  const auto gloo = std::make_shared<c10d::ProcessGroupGloo>(store, meeting.rank, meeting.size, options);
  RankTransport out;
  // Gloo notices at once when the process at the other end has died.
  out.sum = [gloo](at::Tensor& flat) {
    std::vector<at::Tensor> all = {flat};
    gloo->allreduce(all)->wait();
  };
  out.from_first = [gloo](at::Tensor& flat) {
    std::vector<at::Tensor> all = {flat};
    gloo->broadcast(all)->wait();
  };
  return out;
}

}  // namespace mien

#else

namespace mien {
std::optional<RankTransport> gloo_transport(const RankMeeting&) {
  return std::nullopt;
}
}  // namespace mien

#endif
