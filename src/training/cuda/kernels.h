// The kernels of a training step beside posing and splatting: the photometric loss with its gradient, and Adam with the
// chain rule from what is drawn to what is learnt. They do what GaussianOptimiser and ImageLoss do on the CPU.
#pragma once

#include <driver_types.h>

#include <cstdint>

namespace mien::training_cuda {

struct Rectangle {
  int x0, y0, x1, y1;
  float weight;  // of the L1 term
};
constexpr int kRectangles = 3;

// Pictures in device memory.
struct PhotometricJob {
  int width, height;
  const std::uint8_t* stored;  // [H,W,3] as captured, over `stored_background`
  const std::uint8_t* matte;   // [H,W]
  float stored_background[3];
  float background[3];  // what both pictures are compared on
  const float* rgb;     // [H,W,3] drawn, over `background`
  const float* alpha;   // [H,W]
  int rectangles;       // a later one wins
  Rectangle rectangle[kRectangles];
  float l1, ssim, matte_weight;  // of the loss's terms
  float* d_rgb;                  // [H,W,3]
  float* d_alpha;                // [H,W]
  float* slopes;                 // scratch [9,H,W]: dSSIM by the blurred x, xx, xy of each channel
  float* partial;                // scratch [blocks,3]
};
int photometric_blocks(int width, int height);

// Sums over the steps since they were cleared.
struct Losses {
  double l1, ssim, matte, total;
  unsigned long long steps;       // taken
  unsigned long long overflowed;  // not taken: the frame's tile lists found no room
  unsigned long long most_pairs;  // that such a frame wanted
  unsigned long long spoilt;      // whether a parameter became not a number or infinite
};

// What the rasteriser says of the frame: with more pairs than there is room nothing was drawn, and nothing may be
// learnt. Nor is anything learnt from a loss that is not a number: what is at fault shall still stand alone when the
// next report looks for it.
struct Drawn {
  const unsigned long long* pairs;
  unsigned long long capacity;
};

// The loss, its gradients, and its value added to `losses`. Three kernels; the sums are taken in a fixed order.
void photometric(const PhotometricJob& job, const Drawn& drawn, Losses* losses, cudaStream_t stream);

// One array under Adam.
struct Moments {
  float* parameters;
  float* first;
  float* second;
};
struct AdamRate {
  float size;          // rate over the first bias correction
  float second_scale;  // one over the root of the second
};
struct AdamBetas {
  float beta1, beta2, epsilon;
};

// The arrays of N Gaussians. `d_` are gradients by what is drawn.
struct GaussianArrays {
  int count;
  Moments means, quats, log_scales, opacity_logits;  // [N,3] [N,4] [N,3] [N]
  const float* deformation;                          // [N,9]
  const float* homes;                                // [N,4] place that surface Gaussians are pulled to; 4th: 1 or 0
  float pull;                                        // gradient per metre, halved
  const float *d_means, *d_quats, *d_scales, *d_opacities;
  float *scales, *opacities;  // as drawn; written
  AdamRate rate[4];
  float smallest, largest;  // of log_scales
};
void update_gaussians(const GaussianArrays& arrays, const AdamBetas& betas, const Drawn& drawn, Losses* losses,
                      cudaStream_t stream);

struct ShArrays {
  int count;
  Moments sh;         // [N,16,3]
  const float* d_sh;  // [N,16,3]
  float* shown;       // [N,16,3] as drawn; written
  AdamRate base, rest;
  bool rest_learns;
};
void update_sh(const ShArrays& arrays, const AdamBetas& betas, const Drawn& drawn, Losses* losses, cudaStream_t stream);

struct ModeArrays {
  int gaussians, modes;          // K, M
  const std::int32_t* gaussian;  // [K]
  const std::uint8_t* inner;     // [K] learns only `inner_mode`
  int inner_mode;                // -1: none
  Moments colour;                // [K,M,3]
  const float* activations;      // [M]
  const float* sh;               // [N,16,3] without modes
  const float* d_sh;             // [N,16,3]
  float* shown;                  // [N,16,3]
  AdamRate rate;
  float keep;  // what is left of the colours after a step
};
// Adds the modes of the moment to the degree-0 coefficients that are drawn.
void show_modes(const ModeArrays& arrays, cudaStream_t stream);
void update_modes(const ModeArrays& arrays, const AdamBetas& betas, const Drawn& drawn, Losses* losses,
                  cudaStream_t stream);

// Says in `losses` when a weight is not a number, before it spoils all others.
void check_weights(const float* weights, int count, Losses* losses, cudaStream_t stream);
// The networks' weights under Adam: [count].
void update_weights(const Moments& weights, const float* gradients, int count, const AdamRate& rate,
                    const AdamBetas& betas, const Drawn& drawn, Losses* losses, cudaStream_t stream);

// scales = exp(log_scales), opacities = logistic(opacity_logits), shown = sh.
void activate(const GaussianArrays& arrays, const ShArrays& sh, cudaStream_t stream);

}  // namespace mien::training_cuda
