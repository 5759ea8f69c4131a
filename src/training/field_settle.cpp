// At the end of a training, or for a picture on the way: what a field need not be asked about.
#include <algorithm>
#include <array>
#include <set>

#include "field_avatar/moment.h"
#include "field_optimiser.h"
#include "mien/field/composite.h"

namespace mien {
namespace {

constexpr std::size_t kRays = 800;      // through which a frame is looked at
constexpr float kLeastWeight = 0.002f;  // of a sample in its pixel, that counts
constexpr float kRoom = 0.004f;         // metres beyond the farthest sample
constexpr float kLookStep = 0.001f;     // metres between samples, at most

// Frames from all over the split, those of rare appearances too.
std::vector<SampleKey> some_keys(const SampleReader& reader, std::size_t frames) {
  const auto& keys = reader.keys();
  std::vector<SampleKey> out;
  const std::size_t count = std::min(frames, keys.size());
  for (std::size_t i = 0; i < count; ++i) out.push_back(keys[i * keys.size() / count]);
  return out;
}

// A cell's neighbours hold what random samples just missed.
std::vector<std::uint8_t> widened(const std::vector<std::uint8_t>& cells, int r) {
  std::vector<std::uint8_t> out = cells;
  const std::array<std::ptrdiff_t, 3> steps = {1, r, static_cast<std::ptrdiff_t>(r) * r};
  for (std::ptrdiff_t step : steps) {
    const std::vector<std::uint8_t> from = out;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (from[i] == 0) continue;
      const auto at = static_cast<std::ptrdiff_t>(i);
      if (at >= step) out[i - static_cast<std::size_t>(step)] = 1;
      if (at + step < static_cast<std::ptrdiff_t>(from.size())) out[i + static_cast<std::size_t>(step)] = 1;
    }
  }
  return out;
}

// Each triangle takes what its neighbours need: nearest triangles change as the head moves.
void spread(const CanonicalHead& head, std::vector<float>& reach) {
  for (int round = 0; round < 2; ++round) {
    std::vector<float> most(static_cast<std::size_t>(head.vertex_count()), 0.0f);
    for (std::size_t f = 0; f < reach.size(); ++f)
      for (int k = 0; k < 3; ++k) most[head.faces()[f][k]] = std::max(most[head.faces()[f][k]], reach[f]);
    for (std::size_t f = 0; f < reach.size(); ++f)
      for (int k = 0; k < 3; ++k) reach[f] = std::max(reach[f], most[head.faces()[f][k]]);
  }
}

}  // namespace

bool settle_field(FieldAvatar& avatar, const FieldState& state, const FieldPlan& plan, const SampleReader& reader,
                  int frames, const std::function<bool()>& goes_on) {
  const CanonicalHead canonical(avatar.head);
  const FieldSettings& s = avatar.settings;
  FieldMoment moment(canonical, s.limit);
  FieldNetwork<float> network(field_shape(avatar));
  Occupancy known({.resolution = s.occupancy, .threshold = kOccupancyThreshold});
  known.restore(state.occupancy);
  std::vector<std::uint8_t> asked(static_cast<std::size_t>(known.cells()), 0), seen(asked.size(), 0);
  for (std::size_t i = 0; i < asked.size(); ++i) asked[i] = (known.bits()[i / 32] >> (i % 32)) & 1u;
  known.mark(widened(asked, s.occupancy));
  const std::vector<float> all(canonical.faces().size(), s.limit);
  std::vector<float> reach(all.size(), 0.0f), density, colour;
  GatheredSamples samples;
  for (const SampleKey& key : some_keys(reader, static_cast<std::size_t>(frames))) {
    if (goes_on && !goes_on()) return false;
    const FieldFrame frame = plan.frame(key);
    moment.update(frame.posed, all);
    std::vector<std::int64_t> pixels;
    for (std::uint32_t r = 0; r < kRays; ++r)
      pixels.push_back(choose_pixel(frame.choice, frame.camera.width, static_cast<std::uint32_t>(key.frame), r));
    FieldRays rays;
    moment.aim(frame.camera, pixels, rays);
    samples.clear();
    samples.seen.condition = frame.condition;
    const FieldShape& shape = network.shape();
    moment.gather(rays, all, known.view(),
                  {.step = std::max(s.step, kLookStep),
                   .limit = s.limit,
                   .jitter = true,
                   .seed = static_cast<std::uint32_t>(key.frame),
                   .first_row = shape.has_latents ? frame.appearance * shape.rows : 0,
                   .rows_are_vertices = shape.rows > 1},
                  samples);
    network.forward(avatar.parameters, samples.seen, density, colour);
    std::vector<float> rgb(pixels.size() * 3), depth(pixels.size()), opacity(pixels.size()), weights(density.size());
    composite_rays<float>(
        {static_cast<std::int64_t>(pixels.size()), samples.rays.first.data(), samples.rays.count.data(),
         samples.rays.t.data(), samples.rays.dt.data(), density.data(), colour.data()},
        {rgb.data(), depth.data(), opacity.data(), weights.data()});
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] < kLeastWeight) continue;
      seen[samples.cell[i]] = 1;
      float& far = reach[static_cast<std::size_t>(samples.face[i])];
      far = std::max(far, samples.distance[i] + kRoom);
    }
  }
  known.mark(widened(seen, s.occupancy));
  avatar.occupied.assign(known.bits().begin(), known.bits().end());
  spread(canonical, reach);
  for (float& r : reach) r = std::min(r, s.limit);
  avatar.reach = std::move(reach);
  return true;
}

}  // namespace mien
