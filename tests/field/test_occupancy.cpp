// The occupancy grid and the march of rays, against looking at every interval.
#include <gtest/gtest.h>

#include <limits>

#include "field/field_data.h"
#include "mien/base/error.h"
#include "mien/field/occupancy.h"

namespace mien {
namespace {

using namespace field_test;

// Some balls.
Occupancy balls(int resolution) {
  Occupancy grid({.resolution = resolution});
  std::vector<std::uint8_t> marks(grid.cells());
  const std::vector<double> centres = random_values(18, 70, 0.2f, 0.8f);
  for (std::int64_t i = 0; i < grid.cells(); ++i) {
    const double p[3] = {(static_cast<double>(i % resolution) + 0.5) / resolution,
                         (static_cast<double>(i / resolution % resolution) + 0.5) / resolution,
                         (static_cast<double>(i / resolution / resolution) + 0.5) / resolution};
    for (int b = 0; b < 6; ++b) {
      double distance = 0;
      for (int a = 0; a < 3; ++a) distance += std::pow(p[a] - centres[3 * b + a], 2);
      if (distance < 0.02) marks[i] = 1;
    }
  }
  grid.mark(marks);
  return grid;
}

struct Rays {
  std::vector<float> origins, directions, spans;
  explicit Rays(int count) {
    origins = random_values<float>(3 * static_cast<std::size_t>(count), 71, -0.6f, 1.6f);
    const std::vector<float> towards = random_values<float>(3 * static_cast<std::size_t>(count), 72, 0.1f, 0.9f);
    for (std::size_t i = 0; i < origins.size(); ++i) directions.push_back(2 * (towards[i] - origins[i]));
    for (int r = 0; r < count; ++r) spans.insert(spans.end(), {0.01f * static_cast<float>(r % 10), 0.9f});
    for (int a = 0; a < 2; ++a) directions[3 + a] = 0;    // along an axis
    for (int a = 0; a < 3; ++a) origins[6 + a] = 0.5f;    // from within
    directions[9] = directions[10] = directions[11] = 0;  // nowhere
    origins[12] = std::numeric_limits<float>::quiet_NaN();
  }
  RayBatch batch(bool spanned) const {
    return {static_cast<std::int64_t>(origins.size() / 3), origins.data(), directions.data(),
            spanned ? spans.data() : nullptr};
  }
};

TEST(Occupancy, MarchesAsOneThatLooksAtEveryInterval) {
  const Rays rays(400);
  for (const int side : {32, 30})  // of 30, the last blocks of cells are not whole
    for (const bool jitter : {false, true}) {
      const Occupancy grid = balls(side);
      const bool spanned = jitter == (side == 32);
      const MarchOptions options = {.step = 0.003f, .jitter = jitter, .seed = 5, .most = 40};
      RaySamples samples;
      const RayBatch batch = rays.batch(spanned);
      march_rays(grid.view(), batch, options, samples);
      std::uint32_t at = 0;
      int marched = 0, unclear = 0;
      for (std::int64_t r = 0; r < batch.rays; ++r) {
        ASSERT_EQ(samples.first[r], at);
        // Where the ray is in the cube, in double.
        double from = spanned ? rays.spans[2 * r] : 0.0, to = spanned ? rays.spans[2 * r + 1] : 1e9;
        for (int a = 0; a < 3; ++a) {
          const double o = rays.origins[3 * r + a], d = rays.directions[3 * r + a];
          if (d == 0) {
            if (o < 0 || o >= 1) to = from;
            continue;
          }
          from = std::max(from, std::min(-o / d, (1 - o) / d));
          to = std::min(to, std::max(-o / d, (1 - o) / d));
        }
        if (rays.directions[3 * r] == 0 && rays.directions[3 * r + 1] == 0 && rays.directions[3 * r + 2] == 0) to = 0.1;
        if (!(std::isfinite(rays.origins[3 * r]) && from < to)) {
          ASSERT_EQ(samples.count[r], 0u) << r;
          continue;
        }
        int expected = 0, doubtful = 0;
        for (int k = 0; from + k * options.step < to && expected < options.most; ++k) {
          const float place = jitter ? field_uniform(field_hash(5) ^ static_cast<std::uint32_t>(r), 0, k) : 0.5f;
          const double t = from + (k + static_cast<double>(place)) * options.step;
          if (t >= to) break;
          double p[3], nearest = 1;
          for (int a = 0; a < 3; ++a) {
            p[a] = rays.origins[3 * r + a] + t * rays.directions[3 * r + a];
            nearest = std::min(nearest, std::abs(p[a] * side - std::round(p[a] * side)));
          }
          if (nearest < 1e-4) ++doubtful;  // may be in either cell
          if (occupied(grid.view(), static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2])))
            ++expected;
        }
        ASSERT_NEAR(samples.count[r], expected, doubtful) << r;
        unclear += doubtful > 0 ? 1 : 0;
        marched += expected;
        double before = -1;
        for (std::uint32_t i = at; i < at + samples.count[r]; ++i) {
          ASSERT_EQ(samples.ray[i], r);
          ASSERT_GT(samples.t[i], before);
          ASSERT_EQ(samples.dt[i], options.step);
          before = samples.t[i];
          const float* o = &rays.origins[3 * r];
          const float* d = &rays.directions[3 * r];
          const float t = samples.t[i];
          ASSERT_TRUE(occupied(grid.view(), o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]));
        }
        at += samples.count[r];
      }
      EXPECT_EQ(samples.size(), at);
      EXPECT_GT(marched, 2000);
      EXPECT_LT(unclear, 150);
    }
}

TEST(Occupancy, JitterFillsItsIntervalsAndFollowsTheSeed) {
  const Occupancy grid({.resolution = 4});
  const std::vector<float> origin = {0.5f, 0.5f, 0}, direction = {0, 0, 1};
  RaySamples one, again, other;
  const RayBatch ray = {1, origin.data(), direction.data(), nullptr};
  march_rays(grid.view(), ray, {.step = 0.001f, .jitter = true, .seed = 1}, one);
  march_rays(grid.view(), ray, {.step = 0.001f, .jitter = true, .seed = 1}, again);
  march_rays(grid.view(), ray, {.step = 0.001f, .jitter = true, .seed = 2}, other);
  EXPECT_EQ(one.t, again.t);
  EXPECT_NE(one.t, other.t);
  ASSERT_NEAR(one.size(), 1000, 1);
  double sum = 0;
  for (std::int64_t k = 0; k < one.size(); ++k) {
    const double place = one.t[k] / 0.001 - static_cast<double>(k);
    ASSERT_GE(place, -1e-3);
    ASSERT_LE(place, 1.001);
    sum += place;
  }
  EXPECT_NEAR(sum / static_cast<double>(one.size()), 0.5, 0.03);
}

TEST(Occupancy, LearnsWhereDensityIs) {
  Occupancy grid({.resolution = 16, .decay = 0.5f, .threshold = 4});
  EXPECT_EQ(grid.fraction(), 1);
  std::vector<std::uint32_t> cell(grid.cells());
  std::vector<float> points(3 * cell.size()), density(cell.size());
  const auto update = [&](float value) {  // dense in one half
    grid.sample(static_cast<std::int64_t>(cell.size()), 3, cell.data(), points.data());
    for (std::size_t i = 0; i < cell.size(); ++i) {
      ASSERT_EQ(occupancy_cell(16, points[3 * i], points[3 * i + 1], points[3 * i + 2]), static_cast<int>(cell[i]));
      density[i] = points[3 * i] > 0.5f ? value : 0.0f;
    }
    grid.update(static_cast<std::int64_t>(cell.size()), cell.data(), density.data());
  };
  update(30);
  EXPECT_EQ(grid.fraction(), 0.5);
  EXPECT_TRUE(occupied(grid.view(), 0.6f, 0.1f, 0.9f));
  EXPECT_FALSE(occupied(grid.view(), 0.4f, 0.1f, 0.9f));
  // With fewer samples than cells: every second in an occupied cell, the others anywhere.
  cell.resize(2000);
  grid.sample(2000, 4, cell.data(), points.data());
  int within[2] = {};
  for (int i = 0; i < 2000; ++i) within[i % 2] += points[3 * i] > 0.5f ? 1 : 0;
  EXPECT_NEAR(within[0], 500, 60);
  EXPECT_GT(within[1], 995);  // ten tries at one half each
  // Decay alone: 30 -> 15 -> 7.5 -> 3.75, whose mean is lower still.
  Occupancy copy({.resolution = 16, .decay = 0.5f, .threshold = 4});
  copy.restore(grid.density());
  EXPECT_TRUE(std::equal(copy.bits().begin(), copy.bits().end(), grid.bits().begin()));
  const std::uint32_t at = cell[1];
  const float before = grid.density()[at], found = 100;
  grid.update(1, &at, &found);
  EXPECT_EQ(grid.density()[at], 100);
  EXPECT_EQ(before, 30);
  EXPECT_EQ(grid.density()[at ^ 1u], 15);
}

TEST(Occupancy, CompactsLists) {
  const Occupancy grid = balls(16);
  const Rays rays(100);
  RaySamples samples, kept;
  march_rays(grid.view(), rays.batch(false), {.step = 0.01f}, samples);
  std::vector<std::uint8_t> keep(samples.size());
  for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 3 == 0 ? 2 : 0;
  std::vector<std::uint32_t> from;
  compact_samples(samples, keep.data(), kept, from);
  ASSERT_EQ(kept.size(), (samples.size() + 2) / 3);
  std::size_t n = 0;
  for (std::size_t r = 0; r < kept.count.size(); ++r)
    for (std::uint32_t i = kept.first[r]; i < kept.first[r] + kept.count[r]; ++i, ++n) {
      ASSERT_EQ(i, n);
      ASSERT_EQ(from[i], 3 * n);
      ASSERT_EQ(kept.ray[i], r);
      ASSERT_EQ(samples.ray[from[i]], r);
      ASSERT_EQ(kept.t[i], samples.t[from[i]]);
      ASSERT_EQ(kept.dt[i], samples.dt[from[i]]);
    }
  EXPECT_EQ(static_cast<std::int64_t>(n), kept.size());
}

TEST(Occupancy, RefusesWhatIsOutOfRange) {
  EXPECT_THROW(Occupancy({.resolution = 0}), Error);
  EXPECT_THROW(Occupancy({.resolution = 2000}), Error);
  EXPECT_THROW(Occupancy({.decay = 2}), Error);
  const Occupancy grid({.resolution = 4});
  RaySamples samples;
  EXPECT_THROW(march_rays(grid.view(), {}, {.step = 0}, samples), Error);
  march_rays(grid.view(), {}, {}, samples);
  EXPECT_EQ(samples.size(), 0);
}

}  // namespace
}  // namespace mien
