// Volume rendering of packed samples (Max 1995; Mildenhall et al. 2020): with opacity a_i = 1 - exp(-density_i dt_i)
// and transmittance T_i = prod_{j<i} (1 - a_j), a sample weighs w_i = T_i a_i. Samples with T_i below
// kLeastTransmittance do not count, forward nor back. The CPU's version; cuda.h has the GPU's.
#pragma once

#include <cstdint>

namespace mien {

constexpr double kLeastTransmittance = 1e-4;

// R rays, N samples, packed as RaySamples (occupancy.h).
template <typename T>
struct CompositeInput {
  std::int64_t rays = 0;
  const std::uint32_t* first = nullptr;  // [R]
  const std::uint32_t* count = nullptr;  // [R]
  const T* t = nullptr;                  // [N]
  const T* dt = nullptr;                 // [N]
  const T* density = nullptr;            // [N] >= 0
  const T* colour = nullptr;             // [N,3]
};

// The background is the caller's: it shows with 1 - opacity.
template <typename T>
struct CompositeOutput {
  T* rgb = nullptr;      // [R,3] sum w c
  T* depth = nullptr;    // [R] sum w t; over the opacity, the expected place of termination
  T* opacity = nullptr;  // [R] sum w
  T* weights = nullptr;  // [N] w, 0 where a ray has ended; nullptr: not wanted
};

template <typename T>
struct CompositeGradients {
  const T* d_rgb = nullptr;      // [R,3]
  const T* d_depth = nullptr;    // [R]; nullptr: zero
  const T* d_opacity = nullptr;  // [R]; nullptr: zero
  const T* d_weights = nullptr;  // [N]; nullptr: zero
  T* d_density = nullptr;        // [N] overwritten
  T* d_colour = nullptr;         // [N,3] overwritten
};

// For float and double; all threads. Rays without samples give zeros.
template <typename T>
void composite_rays(const CompositeInput<T>& input, const CompositeOutput<T>& output);

// `output` as composite_rays() left it (rgb, depth, opacity).
template <typename T>
void composite_backward(const CompositeInput<T>& input, const CompositeOutput<T>& output,
                        const CompositeGradients<T>& gradients);

}  // namespace mien
