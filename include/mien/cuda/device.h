// Which processor does heavy work: the --device of the command line.
#pragma once

#include <string>

namespace mien {

enum class Device { kAuto, kCpu, kCuda };  // kAuto: the GPU when one can be used, else the CPU

// "auto", "cpu" or "cuda"; throws kBadArgument for anything else.
Device parse_device(const std::string& name);

// Whether to work on the GPU. Throws kMissingFeature, with the reason, when kCuda is asked for and cannot be had.
bool use_cuda(Device device);

}  // namespace mien
