// The face of one frame as a small picture whose values and slopes can be asked for anywhere.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "mien/media/image.h"
#include "mien/track/sighting.h"
#include "track/fit/lens.h"

namespace mien::fit {

class FacePicture {
 public:
  // The part `face` (pixels of the upright frame) of `picture`, which shows the part `window`; smoothed, so that steps
  // of less than a pixel show. RGB.
  FacePicture(const Image8& picture, const CutWindow& window, const CutWindow& face, int size);
  // The same at half the size.
  FacePicture half() const;

  int size() const { return size_; }
  // `lens` of the upright frame, for this picture.
  Lens lens(const Lens& lens) const {
    return {lens.focal * scale_, (lens.cx - left_) * scale_, (lens.cy - top_) * scale_};
  }
  // Bilinear; the first pixel's middle is (0.5, 0.5). `slope` [3, 2] a pixel, exact for `value` [3] in 0..1. False
  // outside.
  bool sample(const Eigen::Vector2d& at, Eigen::Vector3d& value, Eigen::Matrix<double, 3, 2>* slope) const;

 private:
  FacePicture() = default;
  int size_ = 0;
  double left_ = 0, top_ = 0, scale_ = 1;
  std::vector<float> pixels_;  // [size, size, 3], 0..1
};

// The square about a face in the upright frame.
CutWindow face_window(const FaceSighting& sighting);

}  // namespace mien::fit
