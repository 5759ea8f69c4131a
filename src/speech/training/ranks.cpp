#include "speech/training/ranks.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#ifdef MIEN_HAVE_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>

#include "mien/base/error.h"
#include "mien/base/log.h"

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
at::Tensor joined(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> flat;
  for (const at::Tensor& t : tensors) flat.push_back(t.detach().to(at::kCPU, at::kFloat).reshape({-1}));
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

}  // namespace

#ifdef MIEN_HAVE_GLOO

struct Ranks::Group {
  c10::intrusive_ptr<c10d::Store> store;
  std::unique_ptr<c10d::ProcessGroupGloo> gloo;
};

namespace {

// Longer than the slowest rank takes to read its data, or the first one to validate.
constexpr std::chrono::minutes kLongestWait(10);

// Waits for an exchange; Gloo notices at once when the process at the other end has died.
template <typename Work>
void finish(const Work& work, int rank, int size) {
  try {
    work->wait();
  } catch (const std::exception& error) {
    const std::string why = error.what();
    throw Error(ErrorCode::kIo,
                fmt::format("rank {} of {}: another rank has ended or cannot be reached ({})", rank, size,
                            why.substr(0, std::min<std::size_t>(why.find('\n'), 160))),
                "see what the other ranks said, and start all of them again: they go on from the last checkpoint");
  }
}

}  // namespace

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
  try {
    out.group_ = std::make_shared<Group>();
    out.group_->store = c10::make_intrusive<c10d::TCPStore>(host, options);
    const auto gloo = c10d::ProcessGroupGloo::Options::create(kLongestWait);
    gloo->devices.push_back(host == "127.0.0.1" || host == "localhost"
                                ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                : c10d::ProcessGroupGloo::createDefaultDevice());
    out.group_->gloo = std::make_unique<c10d::ProcessGroupGloo>(out.group_->store, out.rank_, out.size_, gloo);
  } catch (const std::exception& error) {
    const std::string why = error.what();
    throw Error(ErrorCode::kIo,
                fmt::format("rank {} of {} does not meet the others at {}:{}: {}", out.rank_, out.size_, host,
                            options.port, why.substr(0, why.find('\n'))),
                "start all ranks at once, with the same MASTER_ADDR and MASTER_PORT");
  }
  spdlog::info("rank {} of {}", out.rank_, out.size_);
  return out;
}

void Ranks::average(const std::vector<at::Tensor>& tensors) const {
  if (size_ == 1 || tensors.empty()) return;
  std::vector<at::Tensor> all = {joined(tensors)};
  finish(group_->gloo->allreduce(all), rank_, size_);
  spread(all[0] / size_, tensors);
}

void Ranks::share(const std::vector<at::Tensor>& tensors) const {
  if (size_ == 1 || tensors.empty()) return;
  std::vector<at::Tensor> all = {joined(tensors)};
  finish(group_->gloo->broadcast(all), rank_, size_);
  spread(all[0], tensors);
}

#else

struct Ranks::Group {};

Ranks Ranks::from_environment() {
  if (number("WORLD_SIZE", "1", 1, 4096) == 1) return {};
  throw Error(ErrorCode::kMissingFeature, "several ranks are asked for (WORLD_SIZE), and this build has no Gloo",
              "build it where Gloo's headers are (Debian: libgloo-dev), or leave WORLD_SIZE out");
}

void Ranks::average(const std::vector<at::Tensor>& tensors) const {
  static_cast<void>(joined);
  static_cast<void>(spread);
  static_cast<void>(choose_gpu);
  MIEN_CHECK(size_ == 1, "{} tensors", tensors.size());
}

void Ranks::share(const std::vector<at::Tensor>& tensors) const {
  average(tensors);
}

#endif

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
