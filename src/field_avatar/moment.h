// The head of a moment, and the samples along rays that look at it. The CPU's version.
#pragma once

#include "field_network.h"
#include "march_plan.h"
#include "mien/field/occupancy.h"
#include "mien/field_avatar/deformation.h"
#include "mien/geometry/camera.h"

namespace mien {

// The cube in which the canonical head lies with all that is within `limit` of it.
field_rays::Cube canonical_cube(const CanonicalHead& head, float limit);

// Rays of one moment; t in metres.
struct FieldRays {
  std::vector<Vec3> origins, directions;  // [R] world; directions of unit length
  std::vector<float> surface;             // [R] place of the head model's surface on the ray; kNoSurface: none
  std::vector<char> bare;                 // [R] whether that surface is bare skin, whose depth is the picture's
  std::size_t size() const { return origins.size(); }
};
constexpr float kNoSurface = 1000;

// What gathering samples needs to know.
struct GatherOptions {
  float step = 0.002f;
  float limit = 0.1f;
  float explore = 0;  // probability of asking where nothing is known to be
  bool jitter = false;
  std::uint32_t seed = 0;
  std::int32_t group = 0;      // of the samples
  std::int32_t first_row = 0;  // of the appearance's latents
  bool rows_are_vertices = true;
};

// Samples of rays, packed, and where they lie.
struct GatheredSamples {
  RaySamples rays;                  // `ray` counts over all rays added
  std::vector<int> face;            // [N] nearest triangle
  std::vector<float> distance;      // [N] from it, metres
  std::vector<std::uint32_t> cell;  // [N] canonical
  FieldSamples<float> seen;
  void clear();
};

// Not thread-safe; all threads.
class FieldMoment {
 public:
  // `canonical` must outlive the object.
  FieldMoment(const CanonicalHead& canonical, float limit);
  // Marks where samples can be: within `reach` [F] of each triangle.
  void update(std::span<const Vec3> posed, std::span<const float> reach);
  // Through pixels (x + 0.5, y + 0.5) of a camera; `pixels` are y * width + x.
  void aim(const Camera& camera, std::span<const std::int64_t> pixels, FieldRays& rays) const;
  // Appends the rays' samples to `out`. `occupied_in`: bits of the canonical cube.
  void gather(const FieldRays& rays, std::span<const float> reach, const OccupancyView& occupied_in,
              const GatherOptions& options, GatheredSamples& out);

 private:
  const CanonicalHead* canonical_;
  MovedHead moved_;
  field_rays::Cube cube_ = {}, canonical_cube_;
  Vec3 low_, high_;
  Occupancy near_;  // cells of the moment's cube in which samples can be
  std::vector<std::uint8_t> cells_;
  RaySamples marched_, kept_;
  std::vector<carry::Place> places_;
  std::vector<std::uint8_t> keep_;
  std::vector<float> points_;
  std::vector<std::uint32_t> from_;
};

}  // namespace mien
