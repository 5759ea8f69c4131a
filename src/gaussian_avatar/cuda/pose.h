// Device memory of an avatar at rest, and the kernels that pose it.
#pragma once

#include <driver_types.h>
#include <vector_types.h>

#include <cstdint>

namespace mien::avatar_cuda {

// F triangles, V vertices, N Gaussians.
struct Rest {
  int vertices, gaussians;
  const std::int32_t* faces;       // [F,3]
  const float* inverse_frames;     // [F,9] row-major; see SurfaceFrames
  const float* areas;              // [F]
  const std::int32_t* ring_begin;  // [V+1] into ring
  const std::int32_t* ring;        // triangles round each vertex
  const float* canonical;          // [V,3]
  const float* means;              // [N,3]
  const int4* anchors;             // [N]
  const float4* weights;           // [N]
};

// Colour modes of K Gaussians.
struct Modes {
  int gaussians, modes;          // K, M
  const std::int32_t* gaussian;  // [K]
  const float* colour;           // [K,M,3]
  const float* base;             // [K,3] their degree-0 coefficients at rest
};

// A drawn picture that goes over a vertical gradient.
struct Finish {
  int width, height;
  const float* rgb;    // [H,W,3] over black
  const float* alpha;  // [H,W]
  float top[3], bottom[3];
  std::uint8_t* picture;  // [H,W,3]
};
void finish_picture(const Finish& finish, cudaStream_t stream);

// posed [V,3] -> frames [V][3]: columns 0 to 2 of a row are the row of D_v, column 3 is the row's entry of v - D_v c,
// so that a Gaussian at m goes to frame * (m, 1).
void vertex_frames(const Rest& rest, const float* posed, float4* frames, cudaStream_t stream);
void pose_gaussians(const Rest& rest, const float4* frames, float* means, float* deformation, cudaStream_t stream);
// sh [N,16,3]: writes the degree-0 coefficients of the Gaussians that have modes. activations [M].
void set_mode_colours(const Modes& modes, const float* activations, float* sh, cudaStream_t stream);

}  // namespace mien::avatar_cuda
