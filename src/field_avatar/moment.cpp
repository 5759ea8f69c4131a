#include "moment.h"

#include <algorithm>

#include "mien/base/parallel.h"

namespace mien {
namespace {

using namespace field_rays;

constexpr int kMomentCells = 96;  // a side
constexpr float kSlack = 0.002f;  // metres of room round what reaches farthest
constexpr std::int64_t kGrain = 64;

Cube cube_round(const Vec3& low, const Vec3& high) {
  Cube cube = {};
  cube.side = (high - low).maxCoeff();
  const Vec3 corner = (low + high) / 2 - Vec3::Constant(cube.side / 2);
  std::copy_n(corner.data(), 3, cube.low);
  return cube;
}

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

Cube canonical_cube(const CanonicalHead& head, float limit) {
  Vec3 low, high;
  head.box(limit, low, high);
  return cube_round(low, high);
}

void GatheredSamples::clear() {
  rays = {};
  face.clear();
  distance.clear();
  cell.clear();
  seen.resize(0);
}

FieldMoment::FieldMoment(const CanonicalHead& canonical, float limit)
    : canonical_(&canonical),
      moved_(canonical),
      canonical_cube_(canonical_cube(canonical, limit)),
      near_({.resolution = kMomentCells}) {}

void FieldMoment::update(std::span<const Vec3> posed, std::span<const float> reach) {
  moved_.update(posed);
  const carry::Rest rest = canonical_->rest();
  const auto* points = reinterpret_cast<const float*>(posed.data());
  const auto faces = static_cast<int>(canonical_->faces().size());
  low_ = Vec3::Constant(1e9f);
  high_ = -low_;
  Vec3 low, high;
  for (int f = 0; f < faces; ++f) {
    box_of(rest, points, f, reach[f] + kSlack, low.data(), high.data());
    low_ = low_.cwiseMin(low);
    high_ = high_.cwiseMax(high);
  }
  cube_ = cube_round(low_, high_);
  constexpr std::size_t kRow = kMomentCells, kLayer = kRow * kRow;
  cells_.assign(kLayer * kRow, 0);
  for (int f = 0; f < faces; ++f) {
    if (reach[f] <= 0) continue;
    box_of(rest, points, f, 0, low.data(), high.data());
    int from[3], to[3];
    if (!cells_of(cube_, kMomentCells, low.data(), high.data(), from, to)) continue;
    const auto steps = static_cast<std::uint8_t>(steps_of(cube_, kMomentCells, reach[f]));
    for (int z = from[2]; z <= to[2]; ++z) {
      for (int y = from[1]; y <= to[1]; ++y) {
        for (int x = from[0]; x <= to[0]; ++x) {
          std::uint8_t& cell = cells_[static_cast<std::size_t>(x) + kRow * y + kLayer * z];
          cell = std::max(cell, steps);
        }
      }
    }
  }
  parallel_for(kMomentCells, 4, [&](std::int64_t z) {
    std::uint8_t* layer = &cells_[kLayer * static_cast<std::size_t>(z)];
    for (std::size_t y = 0; y < kRow; ++y) pass_on(layer + kRow * y, kMomentCells, 1);
    for (std::size_t x = 0; x < kRow; ++x) pass_on(layer + x, kMomentCells, kRow);
  });
  parallel_for(kMomentCells, 4, [&](std::int64_t y) {
    for (std::size_t x = 0; x < kRow; ++x)
      pass_on(&cells_[kRow * static_cast<std::size_t>(y) + x], kMomentCells, kLayer);
  });
  near_.mark(cells_);
}

void FieldMoment::aim(const Camera& camera, std::span<const std::int64_t> pixels, FieldRays& rays) const {
  const std::size_t count = pixels.size();
  rays.origins.assign(count, camera.centre());
  rays.directions.resize(count);
  rays.surface.resize(count);
  rays.bare.resize(count);
  const Mat3 to_world = camera.world_to_camera.topLeftCorner<3, 3>().transpose();
  parallel_for(static_cast<std::int64_t>(count), kGrain, [&](std::int64_t i) {
    const auto x = static_cast<float>(pixels[i] % camera.width), y = static_cast<float>(pixels[i] / camera.width);
    const Vec3 seen((x + 0.5f - camera.cx) / camera.fx, (y + 0.5f - camera.cy) / camera.fy, 1);
    const Vec3 d = (to_world * seen).normalized();
    const tree::RayHit hit = tree::first_hit(moved_.nearest().view(), rays.origins[i].data(), d.data(), kNoSurface);
    rays.directions[i] = d;
    rays.surface[i] = hit.t;
    rays.bare[i] = hit.face >= 0 ? canonical_->in_face()[hit.face] : 0;
  });
}

void FieldMoment::gather(const FieldRays& rays, std::span<const float> reach, const OccupancyView& occupied_in,
                         const GatherOptions& options, GatheredSamples& out) {
  const auto count = static_cast<std::int64_t>(rays.size());
  std::vector<float> origins(rays.size() * 3), directions(rays.size() * 3), spans(rays.size() * 2);
  for (std::size_t r = 0; r < rays.size(); ++r) {
    into_cube(cube_, rays.origins[r].data(), &origins[r * 3]);
    for (int k = 0; k < 3; ++k) directions[r * 3 + k] = rays.directions[r][k] / cube_.side;
    span_of(low_.data(), high_.data(), rays.origins[r].data(), rays.directions[r].data(), rays.surface[r],
            &spans[r * 2]);
  }
  march_rays(near_.view(), {count, origins.data(), directions.data(), spans.data()},
             {.step = options.step, .jitter = options.jitter, .seed = options.seed}, marched_);
  const auto n = static_cast<std::size_t>(marched_.size());
  places_.resize(n);
  keep_.resize(n);
  points_.resize(n * 3);
  parallel_for(count, kGrain, [&](std::int64_t r) {
    int guess = -1;
    for (std::uint32_t k = 0; k < marched_.count[r]; ++k) {
      const std::size_t i = marched_.first[r] + k;
      const Vec3 p = rays.origins[r] + marched_.t[i] * rays.directions[r];
      places_[i] = moved_.place(p, options.limit, guess);
      guess = places_[i].face;
      const float dice = options.explore > 0 ? field_uniform(options.seed + 1, static_cast<std::uint32_t>(r), k) : 1.0f;
      keep_[i] =
          keeps(places_[i], reach.data(), canonical_cube_, occupied_in, options.explore, dice, &points_[i * 3]) ? 1 : 0;
    }
  });
  compact_samples(marched_, keep_.data(), kept_, from_);
  const auto first_ray = static_cast<std::uint32_t>(out.rays.first.size());
  const auto first = static_cast<std::uint32_t>(out.rays.size());
  for (std::uint32_t& f : kept_.first) f += first;
  for (std::uint32_t& r : kept_.ray) r += first_ray;
  append(out.rays.first, kept_.first);
  append(out.rays.count, kept_.count);
  append(out.rays.t, kept_.t);
  append(out.rays.dt, kept_.dt);
  append(out.rays.ray, kept_.ray);
  const std::size_t more = from_.size();
  out.face.resize(first + more);
  out.distance.resize(first + more);
  out.cell.resize(first + more);
  out.seen.resize(static_cast<std::int64_t>(first + more));
  parallel_for(static_cast<std::int64_t>(more), kGrain, [&](std::int64_t j) {
    const std::size_t i = from_[j], to = first + static_cast<std::size_t>(j);
    const carry::Place& place = places_[i];
    out.face[to] = place.face;
    out.distance[to] = place.distance;
    const float* point = &points_[i * 3];
    out.cell[to] = static_cast<std::uint32_t>(occupancy_cell(occupied_in.resolution, point[0], point[1], point[2]));
    std::copy_n(point, 3, &out.seen.points[to * 3]);
    carry::turn_direction(place.turn, rays.directions[marched_.ray[i]].data(), &out.seen.directions[to * 3]);
    for (std::size_t c = 0; c < 3; ++c) {
      out.seen.row[to * 3 + c] = options.first_row + (options.rows_are_vertices ? place.vertex[c] : 0);
      out.seen.weight[to * 3 + c] = place.weight[c];
    }
    out.seen.group[to] = options.group;
  });
}

}  // namespace mien
