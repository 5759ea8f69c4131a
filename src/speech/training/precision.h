// Mixed precision: what is safe in bfloat16 runs in it, the rest in single precision.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace mien {

// "single", "mixed", or "auto": mixed on NVIDIA GPUs that have bfloat16 (compute capability 8 and up), single
// elsewhere. Throws kBadArgument for other names.
bool use_mixed_precision(const std::string& name, at::Device device);

// While it lives, this thread's matrix products and convolutions on such a device are in bfloat16 (LibTorch's
// autocast), or, with `on` false, as wide as their inputs again. Parameters stay in single precision.
class Autocast {
 public:
  Autocast(at::Device device, bool on);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool cuda_, before_;
};

}  // namespace mien
