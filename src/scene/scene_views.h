// The views of a still scene: one picture each, the first frame of their sequence.
#pragma once

#include <memory>
#include <vector>

#include "mien/capture/capture.h"

namespace mien::scene {

struct View {
  const CaptureSequence* sequence = nullptr;
  const CaptureView* view = nullptr;
  Camera camera;
  bool masked = false;
};

// Throws kBadArgument when fewer than `least` views have that split. Views point into `capture`.
std::vector<View> views_of(const Capture& capture, const std::string& split, int least);

// As the loss wants it.
struct Picture {
  std::vector<float> rgb;    // [H,W,3], person on black when the view has a matte
  std::vector<float> matte;  // [H,W]; ones without
};
Picture read_picture(FrameCache& cache, const Capture& capture, const View& view);

}  // namespace mien::scene
