// The kernels of a field training step beside the avatar's own: pixels and targets, the loss, and Adam.
#pragma once

#include <driver_types.h>

#include <cstdint>

#include "training/cuda/kernels.h"
#include "training/field_loss.h"
#include "training/field_pixels.h"

namespace mien::training_cuda {

// A frame of the step.
struct FieldPicture {
  const std::uint8_t* rgb;    // [H,W,3] as stored
  const std::uint8_t* matte;  // [H,W]
  float background[3];        // of the stored picture
  int width, height;
  int sequence;
  PixelChoice choice;
};

struct FieldRayTable {
  std::int64_t count;            // R
  int each;                      // rays a frame
  const FieldPicture* pictures;  // [S]
  std::uint32_t seed;
  std::int64_t* pixels;  // [R]
};
void choose_pixels(const FieldRayTable& rays, cudaStream_t stream);

// Sums over the steps since they were cleared.
struct FieldSums {
  double colour, depth, matte, samples;
  unsigned long long steps;
  unsigned long long spoilt;  // whether a parameter became not a number or infinite
};

struct FieldLossJob {
  FieldRayTable rays;
  const float* surface;      // [R]
  const std::uint8_t* bare;  // [R]
  const float* exposure;     // [sequences,6]; null: none
  float* d_exposure;         // added to
  const float *rgb, *depth, *opacity;
  float *d_rgb, *d_depth, *d_opacity;
  FieldLossWeights weights;
  const std::uint32_t* total;  // samples of the step
};
void compare_rays(const FieldLossJob& job, FieldSums* sums, cudaStream_t stream);

// Adam over [count]; gradients become zero.
void update_array(const Moments& array, float* gradients, std::int64_t count, const AdamRate& rate,
                  const AdamBetas& betas, FieldSums* sums, cudaStream_t stream);
// Likewise from gradients in whole numbers of `unit`.
void update_array(const Moments& array, unsigned long long* gradients, double unit, std::int64_t count,
                  const AdamRate& rate, const AdamBetas& betas, FieldSums* sums, cudaStream_t stream);

}  // namespace mien::training_cuda
