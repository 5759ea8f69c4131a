#include "mien/cuda/device.h"

#include "mien/base/error.h"
#include "mien/cuda/cuda.h"

namespace mien {

Device parse_device(const std::string& name) {
  if (name == "auto") return Device::kAuto;
  if (name == "cpu") return Device::kCpu;
  if (name == "cuda") return Device::kCuda;
  throw Error(ErrorCode::kBadArgument, fmt::format("device \"{}\" is unknown", name), "use auto, cpu or cuda");
}

bool use_cuda(Device device) {
  if (device == Device::kCpu) return false;
  if (cuda_missing().empty()) return true;
  if (device == Device::kAuto) return false;
  throw Error(ErrorCode::kMissingFeature, "device cuda: " + cuda_missing(), "use --device cpu, or auto");
}

void refuse_gpu_memory(const std::string& what, std::size_t asked, std::size_t free, std::size_t total) {
  const std::size_t megabytes = (asked >> 20) + (asked % (1 << 20) != 0 ? 1 : 0);
  std::string message = asked > 0 ? fmt::format("GPU memory: {} MB asked for {}", megabytes, what)
                                  : fmt::format("GPU memory: too little for {}", what);
  if (total > 0) message += fmt::format(", {} of {} MB free", free >> 20, total >> 20);
  throw Error(ErrorCode::kIo, message,
              "use fewer Gaussians (train: --grow-to, --surface-count), smaller pictures (--size) or --device cpu, or "
              "end other programs on the GPU");
}

}  // namespace mien
