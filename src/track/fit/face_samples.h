// Points all over the skin of a person's face, at which pictures are compared: evenly spread, denser on lips and lids.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "mien/head/head_model.h"
#include "track/fit/frame_fit.h"

namespace mien::fit {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct FaceSamples {
  Eigen::VectorXd points;                                // [3K] at rest, head space, metres
  RowMatrix expression;                                  // [3K, free and zeros up to a multiple of 8]
  std::vector<int> free;                                 // which weights the columns are
  Eigen::MatrixXd normal;                                // [3, K] unit, at rest
  Eigen::VectorXd shape(const FrameState& state) const;  // [3K] with the state's weights, not turned
  int count() const { return static_cast<int>(points.size() / 3); }
};

// Where the samples are seen, and which of them hide others.
class FaceSampler {
 public:
  // `head`: the person's own. Deterministic.
  FaceSampler(const HeadModel& head, const std::vector<int>& free);
  const FaceSamples& samples() const { return samples_; }
  // Samples [K] that face the camera with nothing of the head before them: 0 or 1.
  std::vector<std::uint8_t> visible(const Lens& lens, const FrameState& state) const;

 private:
  const HeadModel& head_;
  FaceSamples samples_;
  std::vector<Index3> skin_;  // faces that may hide others
};

}  // namespace mien::fit
