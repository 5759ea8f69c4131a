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

}  // namespace mien
