#include "speech/training/precision.h"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include "mien/base/error.h"
#include "mien/cuda/cuda.h"

namespace mien {
namespace {

constexpr int kFirstWithBfloat16 = 80;  // compute capability

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
bool is_on(bool cuda) {
  return at::autocast::is_autocast_enabled(cuda ? at::kCUDA : at::kCPU);
}
void switch_to(bool cuda, bool on) {
  at::autocast::set_autocast_enabled(cuda ? at::kCUDA : at::kCPU, on);
  if (on) at::autocast::set_autocast_dtype(cuda ? at::kCUDA : at::kCPU, at::kBFloat16);
}
#else
bool is_on(bool cuda) {
  return cuda ? at::autocast::is_enabled() : at::autocast::is_cpu_enabled();
}
void switch_to(bool cuda, bool on) {
  if (cuda) {
    at::autocast::set_enabled(on);
    if (on) at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
  } else {
    at::autocast::set_cpu_enabled(on);
    if (on) at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
  }
}
#endif

}  // namespace

bool use_mixed_precision(const std::string& name, at::Device device) {
  if (name == "single") return false;
  if (name == "mixed") return true;
  if (name != "auto") {
    throw Error(ErrorCode::kBadArgument, fmt::format("precision \"{}\"", name), "use auto, single or mixed");
  }
  return device.is_cuda() && cuda_capability() >= kFirstWithBfloat16;
}

Autocast::Autocast(at::Device device, bool on) : cuda_(device.is_cuda()), before_(is_on(cuda_)) {
  at::autocast::increment_nesting();
  switch_to(cuda_, on);
}

Autocast::~Autocast() {
  // Weights in bfloat16 are kept for the stretch; the next step has others.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  switch_to(cuda_, before_);
}

}  // namespace mien
