// LPIPS: how different two pictures look to a network that was calibrated against people's judgements.
#pragma once

#include <filesystem>
#include <memory>

#include "mien/media/image.h"

namespace mien {

// Learned perceptual image patch similarity (Zhang et al., CVPR 2018), version 0.1, SqueezeNet 1.1: the features of
// seven layers, each pixel's scaled to unit length, their squared differences weighted by channel, mean over pixels,
// sum over layers. 0 for equal pictures, about 0.1 for good renderings, seldom above 1. The same number as the Python
// package `lpips` gives with net='squeeze', to 1e-6. Plain C++, no LibTorch. Immutable and thread-safe; uses all
// threads.
class Lpips {
 public:
  static constexpr int kSmallestSide = 32;  // pixels; smaller pictures vanish in the network
  static constexpr int kLargestSide = 4096;

  // Reads lpips_squeeze_v0.1.safetensors (tensors features.* of torchvision's squeezenet1_1, lin.* of lpips). Throws
  // kNotFound; kBadFile when a tensor is missing, has another shape or holds NaN.
  static Lpips load(const std::filesystem::path& weights = find_weights());

  // In the model folders (see base/resource.h). Throws kNotFound with the mend.
  static std::filesystem::path find_weights();

  // Pictures of one size, grey (taken as RGB) or RGB, kSmallestSide to kLargestSide pixels a side; throws kBadArgument
  // otherwise. Takes some 300 bytes of memory a pixel.
  double operator()(const Image8& a, const Image8& b) const;

 private:
  struct Network;
  std::shared_ptr<const Network> network_;
};

}  // namespace mien
