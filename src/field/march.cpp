#include "field/march.h"

#include <algorithm>
#include <limits>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/field/occupancy.h"

namespace mien {
namespace {

constexpr std::int64_t kChunk = 256;  // rays that one thread takes on at once
constexpr std::int64_t kMostSamples = std::numeric_limits<std::int32_t>::max();

field::Ray ray_at(const RayBatch& rays, const MarchOptions& options, std::int64_t r) {
  field::Ray ray = {};
  for (int a = 0; a < 3; ++a) {
    ray.origin[a] = rays.origins[3 * r + a];
    ray.direction[a] = rays.directions[3 * r + a];
  }
  ray.from = rays.spans != nullptr ? rays.spans[2 * r] : 0;
  ray.to = rays.spans != nullptr ? rays.spans[2 * r + 1] : std::numeric_limits<float>::max();
  ray.seed = field_hash(options.seed) ^ static_cast<std::uint32_t>(r);
  field::clip_to_cube(ray);
  return ray;
}

// first from count; returns the sum.
std::int64_t place_lists(RaySamples& samples) {
  std::int64_t sum = 0;
  for (std::size_t r = 0; r < samples.count.size(); ++r) {
    samples.first[r] = static_cast<std::uint32_t>(sum);
    sum += samples.count[r];
    if (sum > kMostSamples)
      throw Error(ErrorCode::kUnsupported, fmt::format("rays: over 2^31 samples after {} rays", r + 1),
                  "march fewer rays at once, or with a larger step");
  }
  samples.t.resize(sum);
  samples.dt.resize(sum);
  samples.ray.resize(sum);
  return sum;
}

}  // namespace

void march_rays(const OccupancyView& view, const RayBatch& rays, const MarchOptions& options, RaySamples& samples) {
  if (!(options.step > 0) || options.most < 0 || rays.rays < 0 || rays.rays > kMostSamples)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("rays: {} with a step of {} and at most {} samples", rays.rays, options.step, options.most),
                "give a positive step and fewer than 2^31 rays");
  const field::March march = {options.step, options.jitter, options.most};
  samples.first.assign(rays.rays, 0);
  samples.count.assign(rays.rays, 0);
  const std::int64_t chunks = (rays.rays + kChunk - 1) / kChunk;
  std::vector<std::vector<float>> found(chunks);
  parallel_for(chunks, 1, [&](std::int64_t c) {
    for (std::int64_t r = c * kChunk; r < std::min(rays.rays, (c + 1) * kChunk); ++r)
      samples.count[r] = static_cast<std::uint32_t>(
          field::march_ray(view, ray_at(rays, options, r), march, [&](float t) { found[c].push_back(t); }));
  });
  place_lists(samples);
  std::fill(samples.dt.begin(), samples.dt.end(), options.step);
  parallel_for(chunks, 1, [&](std::int64_t c) {
    std::copy(found[c].begin(), found[c].end(), samples.t.begin() + samples.first[c * kChunk]);
    for (std::int64_t r = c * kChunk; r < std::min(rays.rays, (c + 1) * kChunk); ++r)
      std::fill_n(samples.ray.begin() + samples.first[r], samples.count[r], static_cast<std::uint32_t>(r));
  });
}

void compact_samples(const RaySamples& samples, const std::uint8_t* keep, RaySamples& kept,
                     std::vector<std::uint32_t>& from) {
  MIEN_CHECK(&samples != &kept, "samples compacted in place");
  const auto rays = static_cast<std::int64_t>(samples.count.size());
  kept.first.assign(rays, 0);
  kept.count.assign(rays, 0);
  parallel_for(rays, kChunk, [&](std::int64_t r) {
    const std::uint8_t* flags = keep + samples.first[r];
    kept.count[r] = static_cast<std::uint32_t>(
        std::count_if(flags, flags + samples.count[r], [](std::uint8_t flag) { return flag != 0; }));
  });
  from.resize(place_lists(kept));
  parallel_for(rays, kChunk, [&](std::int64_t r) {
    std::uint32_t to = kept.first[r];
    for (std::uint32_t i = samples.first[r]; i < samples.first[r] + samples.count[r]; ++i) {
      if (keep[i] == 0) continue;
      kept.t[to] = samples.t[i];
      kept.dt[to] = samples.dt[i];
      kept.ray[to] = samples.ray[i];
      from[to++] = i;
    }
  });
}

}  // namespace mien
