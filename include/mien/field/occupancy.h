// Where a radiance field is worth asking: a grid of bits over the unit cube, learnt from the field's own densities
// (Mueller et al. 2022, appendix E), and the march of rays through it, which gives lists of samples. The CPU's version;
// cuda.h has the GPU's, with the same samples.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mien/field/occupancy_view.h"

namespace mien {

struct OccupancyOptions {
  int resolution = 128;     // cells a side, 1 to 512
  float decay = 0.95f;      // what is left of a cell's density after an update, in [0, 1]
  float threshold = 10.0f;  // a cell is occupied above min(this, 0.999 times the mean density); one over the unit of t
};

class Occupancy {
 public:
  // Everything occupied, all densities 0. Throws kBadArgument for an option out of range.
  explicit Occupancy(const OccupancyOptions& options = {});

  const OccupancyOptions& options() const { return options_; }
  std::int64_t cells() const { return static_cast<std::int64_t>(density_.size()); }
  OccupancyView view() const { return {bits_.data(), options_.resolution, blocks_.data()}; }
  std::span<const float> density() const { return density_; }    // [R^3]
  std::span<const std::uint32_t> bits() const { return bits_; }  // [(R^3 + 31) / 32]
  void restore(std::span<const float> density);                  // and the bits that follow from it
  void mark(std::span<const std::uint8_t> cells);                // [R^3]: the bits only, by hand
  double fraction() const;                                       // of cells that are occupied

  // A random point in each of `count` cells: in cell i if count is cells(), else those of even i in any cell, of odd i
  // in an occupied one (if ten tries find one). The same on the GPU. cell [count], points [count,3].
  void sample(std::int64_t count, std::uint32_t seed, std::uint32_t* cell, float* points) const;
  // All densities decay, then are raised to those found at the points of sample() (>= 0); bits anew.
  void update(std::int64_t count, const std::uint32_t* cell, const float* density);

 private:
  void set_bits();
  void set_blocks();
  OccupancyOptions options_;
  std::vector<float> density_;
  std::vector<std::uint32_t> bits_, blocks_;
};

// Rays in the cube's coordinates. Directions need no unit length: t counts them, so a ray that went through the same
// affine map from the world as the cube has its t in the world's unit.
struct RayBatch {
  std::int64_t rays = 0;              // R, below 2^31
  const float* origins = nullptr;     // [R,3]
  const float* directions = nullptr;  // [R,3]
  const float* spans = nullptr;       // [R,2] t from, to; nullptr: from 0 on. Clipped to the cube
};

// Sample k of a ray lies in [k, k + 1) step from where the ray enters its span; it is kept if its cell is occupied.
struct MarchOptions {
  float step = 0.001f;  // > 0, in the unit of t
  bool jitter = false;  // at a random place of its interval (by seed, ray and k); else in the middle
  std::uint32_t seed = 0;
  int most = 1024;  // samples a ray: the march ends there
};

// Packed lists: the samples of ray r are [first[r], first[r] + count[r]), near to far.
struct RaySamples {
  std::vector<std::uint32_t> first, count;  // [R]
  std::vector<float> t, dt;                 // [N] place, and length of the interval
  std::vector<std::uint32_t> ray;           // [N]
  std::int64_t size() const { return static_cast<std::int64_t>(t.size()); }
};

// Throws kBadArgument for a step that is not positive, kUnsupported beyond 2^31 samples.
void march_rays(const OccupancyView& view, const RayBatch& rays, const MarchOptions& options, RaySamples& samples);

// Leaves out the samples whose `keep` [N] is 0 (because they are empty in canonical space, say): `kept` may not be
// `samples`; from [kept.size()] tells which sample each was.
void compact_samples(const RaySamples& samples, const std::uint8_t* keep, RaySamples& kept,
                     std::vector<std::uint32_t>& from);

}  // namespace mien
