// The networks of a field avatar over a batch of samples, with their gradients. For float, and for double in tests.
#pragma once

#include "mien/field_avatar/field_avatar.h"

namespace mien {

// Largest |f_0|: the density stays finite, and what has become empty can still learn.
constexpr double kMostLogDensity = 12;

// What the networks see of N samples.
template <typename T>
struct FieldSamples {
  std::int64_t count = 0;
  std::vector<T> points;            // [N,3] in the canonical cube
  std::vector<float> directions;    // [N,3] of view, canonical, unit
  std::vector<std::int32_t> row;    // [N,3] of the latents: appearance * rows + vertex
  std::vector<T> weight;            // [N,3] of these rows
  std::vector<std::int32_t> group;  // [N] moment
  std::vector<T> condition;         // [G, C]
  int groups = 1;

  void resize(std::int64_t samples) {
    count = samples;
    const auto n = static_cast<std::size_t>(samples);
    points.resize(n * 3);
    directions.resize(n * 3);
    row.resize(n * 3);
    weight.resize(n * 3);
    group.resize(n);
  }
};

// Holds what backward() needs of forward(), and scratch memory. Not thread-safe; all threads.
template <typename T>
class FieldNetwork {
 public:
  explicit FieldNetwork(FieldShape shape) : shape_(std::move(shape)) {}
  const FieldShape& shape() const { return shape_; }

  // density [N] per metre, colour [N,3] in [0,1]; both are resized.
  void forward(const FieldParameters<T>& parameters, const FieldSamples<T>& samples, std::vector<T>& density,
               std::vector<T>& colour);
  // After forward() with the same parameters and samples. Adds to `gradients`, whose arrays are as long as the
  // parameters'.
  void backward(const FieldParameters<T>& parameters, const FieldSamples<T>& samples, const std::vector<T>& density,
                const std::vector<T>& colour, const std::vector<T>& d_density, const std::vector<T>& d_colour,
                FieldParameters<T>& gradients);

 private:
  FieldShape shape_;
  std::vector<T> encoded_;  // [N, L F]
  std::vector<T> seen_;     // [N, 48]: features, direction, latents: what the colour network sees
  std::vector<T> offset_;   // [N, 16]
  std::vector<T> raw_, d_raw_, d_seen_, d_features_, d_latents_, d_encoded_;
};

}  // namespace mien
