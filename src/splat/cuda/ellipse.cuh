// What a projected Gaussian looks like to a warp: does it touch a rectangle of pixels, and one step of compositing.
// Stages that must agree to the last bit (counting and filling the lists; there and back) call the same function, in
// which every operation is named, so that the compiler cannot fuse it differently in two places.
#pragma once

#include "splat/cuda/frame.h"

namespace mien::splat::cuda {

constexpr unsigned kWarp = 0xffffffffu;
constexpr float kFloor = 1.0f / 255.0f;  // fainter contributions are skipped
constexpr float kCeiling = 0.999f;       // keeps 1 - alpha invertible
constexpr float kStop = 1e-4f;           // a Gaussian that would pass below this ends the pixel, undrawn

// The record of a Gaussian: opacity at offset (dx, dy) from (u, v) is 2^(log_opacity + xx dx^2 + xy dx dy + yy dy^2).
struct Ellipse {
  float4 a;  // u, v, xx, xy
  float4 b;  // yy, log_opacity, slope_x, slope_y: best dx for a fixed dy is slope_x dy, and the other way round
};

// Whether opacity may reach the floor at a pixel centre within [x, x + w] x [y, y + h]: the least of the quadratic over
// the rectangle lies at the centre if inside, else on one of the two edges that face it.
__device__ inline bool touches(const Ellipse& e, float x, float y, float w, float h) {
  const float xx = e.a.z, xy = e.a.w, yy = e.b.x;
  const float x_high = __fsub_rn(e.a.x, x), x_low = __fsub_rn(x_high, w);
  const float y_high = __fsub_rn(e.a.y, y), y_low = __fsub_rn(y_high, h);
  const float near_x = fminf(fmaxf(0.0f, x_low), x_high), near_y = fminf(fmaxf(0.0f, y_low), y_high);
  const float best_y = fminf(fmaxf(__fmul_rn(near_x, e.b.w), y_low), y_high);
  const float best_x = fminf(fmaxf(__fmul_rn(near_y, e.b.z), x_low), x_high);
  const float on_x =
      __fmaf_rn(near_x, __fmaf_rn(xx, near_x, __fmul_rn(xy, best_y)), __fmul_rn(__fmul_rn(yy, best_y), best_y));
  const float on_y =
      __fmaf_rn(best_x, __fmaf_rn(xx, best_x, __fmul_rn(xy, near_y)), __fmul_rn(__fmul_rn(yy, near_y), near_y));
  // log_opacity - log2(1/255) is how far the quadratic may fall; a hair more against rounding.
  return fmaxf(on_x, on_y) >= __fsub_rn(-7.9953534f, e.b.y);
}

__device__ inline bool touches_tile(const Ellipse& e, int tile_x, int tile_y) {
  return touches(e, static_cast<float>(tile_x * kSide) + 0.5f, static_cast<float>(tile_y * kSide) + 0.5f, kSide - 1,
                 kSide - 1);
}

// Where pixel `place` of a tile lies. Each warp has 8x4 pixels, each pair of warps a quarter of the tile.
struct Place {
  int x, y;
};
__device__ inline Place pixel_of(int place) {
  const int warp = place / 32, lane = place % 32;
  return {warp / 2 % 2 * 8 + lane % 8, warp / 4 * 8 + warp % 2 * 4 + lane / 8};
}

// One Gaussian at one pixel. A full pixel carries minus its transmittance, so that it fails the test of the stop by
// itself.
struct Step {
  float dx, dy, raw, alpha, weight;  // weight = alpha times transmittance
  bool drawn;
};
__device__ inline Step step(float4 a, float yy, float log_opacity, float x, float y, float& transmittance) {
  Step s;
  s.dx = __fsub_rn(a.x, x);
  s.dy = __fsub_rn(a.y, y);
  const float power =
      __fmaf_rn(s.dx, __fmaf_rn(a.z, s.dx, __fmul_rn(a.w, s.dy)), __fmaf_rn(__fmul_rn(yy, s.dy), s.dy, log_opacity));
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(s.raw) : "f"(power));
  s.alpha = fminf(s.raw, kCeiling);
  s.weight = __fmul_rn(s.alpha, transmittance);
  const float next = __fsub_rn(transmittance, s.weight);
  const bool reached = s.raw >= kFloor;
  s.drawn = reached && next > kStop;
  transmittance = s.drawn ? next : reached ? -fabsf(transmittance) : transmittance;
  return s;
}

}  // namespace mien::splat::cuda
