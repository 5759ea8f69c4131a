#include "speech/training/ranks.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <charconv>
#include <cstdlib>
#include <sstream>
#include <string>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "mien/base/error.h"
#include "mien/base/log.h"
#include "speech/training/rank_pulse.h"
#include "speech/training/rank_transport.h"

namespace mien {
namespace {

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

int number(const char* name, const char* otherwise, int low, int high) {
  const std::string text = variable(name, otherwise);
  int value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || value < low || value > high) {
    throw Error(ErrorCode::kBadArgument, fmt::format("the environment's {} is \"{}\"", name, text.substr(0, 40)),
                fmt::format("set it to {} to {}, or leave it out to train with one process", low, high));
  }
  return value;
}

// Of several GPUs of this host each rank sees its own, LibTorch and our kernels alike.
void choose_gpu() {
  if (variable("LOCAL_RANK", "").empty()) return;
  const int local = number("LOCAL_RANK", "", 0, 4095);
  std::string gpu = std::to_string(local);
  if (const std::string visible = variable("CUDA_VISIBLE_DEVICES", ""); !visible.empty()) {
    std::istringstream list(visible);
    for (int i = 0; i <= local && std::getline(list, gpu, ','); ++i) {
    }
  }
  ::setenv("CUDA_VISIBLE_DEVICES", gpu.c_str(), 1);
}

// All in one piece, so that one exchange does for all.
at::Tensor joined(const std::vector<at::Tensor>& tensors, at::Device device) {
  std::vector<at::Tensor> flat;
  for (const at::Tensor& t : tensors) flat.push_back(t.detach().to(device, at::kFloat).reshape({-1}));
  return at::cat(flat);
}

void spread(const at::Tensor& all, const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  std::int64_t at = 0;
  for (const at::Tensor& t : tensors) {
    t.copy_(all.narrow(0, at, t.numel()).reshape(t.sizes()));
    at += t.numel();
  }
}

std::string first_line(const std::exception& error) {
  const std::string why = error.what();
  return why.substr(0, std::min<std::size_t>(why.find('\n'), 160));
}

}  // namespace

struct Ranks::Group {
  RankMeeting meeting;
  std::optional<RankTransport> gloo, nccl;

  // The same on every rank for the same kind of tensor. What lies on a GPU stays there where NCCL is; a build with only
  // one of the two uses that for everything.
  const RankTransport& transport(const at::Tensor& tensor) const {
    if (!gloo || (nccl && tensor.is_cuda())) return *nccl;
    return *gloo;
  }
};

Ranks Ranks::from_environment() {
  Ranks out;
  out.size_ = number("WORLD_SIZE", "1", 1, 4096);
  if (out.size_ == 1) return out;
  out.rank_ = number("RANK", "", 0, out.size_ - 1);
  choose_gpu();
  const std::string host = variable("MASTER_ADDR", "127.0.0.1");
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(number("MASTER_PORT", "29500", 1, 65535));
  options.isServer = out.rank_ == 0;
  options.numWorkers = static_cast<std::size_t>(out.size_);
  out.group_ = std::make_shared<Group>();
  try {
    RankMeeting& meeting = out.group_->meeting;
    meeting = {c10::make_intrusive<c10d::TCPStore>(host, options), host, out.rank_, out.size_, nullptr};
    meeting.pulse = std::make_shared<RankPulse>(host, options.port, out.rank_, out.size_);
    out.group_->gloo = gloo_transport(meeting);
    out.group_->nccl = nccl_transport(meeting);
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kIo,
                fmt::format("rank {} of {} does not meet the others at {}:{}: {}", out.rank_, out.size_, host,
                            options.port, first_line(error)),
                "start all ranks at once, with the same MASTER_ADDR and MASTER_PORT");
  }
  if (!out.group_->gloo && !out.group_->nccl) {
    throw Error(ErrorCode::kMissingFeature,
                "several ranks are asked for (WORLD_SIZE), and this build has no Gloo, nor NCCL with a GPU",
                "build it where Gloo's headers are (Debian: libgloo-dev) or NCCL's, or leave WORLD_SIZE out");
  }
  spdlog::info("rank {} of {}{}", out.rank_, out.size_, out.group_->nccl ? ", tensors on GPUs by NCCL" : "");
  return out;
}

void Ranks::average(const std::vector<at::Tensor>& tensors) const {
  if (size_ == 1 || tensors.empty()) return;
  const RankTransport& transport = group_->transport(tensors[0]);
  at::Tensor all = joined(tensors, transport.device);
  exchange([&] { transport.sum(all); });
  spread(all / size_, tensors);
}

void Ranks::share(const std::vector<at::Tensor>& tensors) const {
  if (size_ == 1 || tensors.empty()) return;
  const RankTransport& transport = group_->transport(tensors[0]);
  at::Tensor all = joined(tensors, transport.device);
  exchange([&] { transport.from_first(all); });
  spread(all, tensors);
}

void Ranks::exchange(const std::function<void()>& work) const {
  try {
    work();
  } catch (const std::exception& error) {
    throw Error(
        ErrorCode::kIo,
        fmt::format("rank {} of {}: another rank has ended or cannot be reached ({})", rank_, size_, first_line(error)),
        "see what the other ranks said, and start all of them again: they go on from the last checkpoint");
  }
}

double Ranks::average(double value) const {
  if (size_ == 1) return value;
  const at::Tensor one = at::full({1}, value, at::kFloat);
  average(std::vector<at::Tensor>{one});
  return one.item<double>();
}

double Ranks::share(double value) const {
  if (size_ == 1) return value;
  const at::Tensor one = at::full({1}, value, at::kFloat);
  share(std::vector<at::Tensor>{one});
  return one.item<double>();
}

RankGroup Ranks::group() const {
  RankGroup out;
  out.rank = rank_;
  out.size = size_;
  const auto tensor = [](std::span<float> values) {
    return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kFloat);
  };
  out.average_values = [ranks = *this, tensor](std::span<float> values) { ranks.average({tensor(values)}); };
  out.share_values = [ranks = *this, tensor](std::span<float> values) { ranks.share({tensor(values)}); };
  return out;
}

RankGroup rank_group_from_environment() {
  return Ranks::from_environment().group();
}

}  // namespace mien
