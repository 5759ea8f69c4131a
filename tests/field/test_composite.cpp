// Volume rendering against the product of transmittances, and its gradients against finite differences.
#include <gtest/gtest.h>

#include "field/field_data.h"
#include "mien/field/composite.h"

namespace mien {
namespace {

using namespace field_test;

struct Job {
  std::vector<std::uint32_t> first, count;
  std::vector<double> t, dt, density, colour;
  std::vector<double> rgb, depth, opacity, weights;

  explicit Job(double thick, std::uint64_t seed) {
    Random random(seed);
    for (const std::uint32_t n : {0u, 1u, 2u, 31u, 32u, 33u, 100u, 0u, 7u}) {
      first.push_back(static_cast<std::uint32_t>(t.size()));
      count.push_back(n);
      double at = 0.5;
      for (std::uint32_t i = 0; i < n; ++i) {
        const double step = random.uniform(0.01f, 0.03f);
        t.push_back(at + step / 2);
        dt.push_back(step);
        at += step;
        density.push_back(thick * random.uniform());
        for (int c = 0; c < 3; ++c) colour.push_back(random.uniform());
      }
    }
    rgb.resize(3 * first.size());
    depth.resize(first.size());
    opacity.resize(first.size());
    weights.resize(t.size());
  }
  CompositeInput<double> input() const {
    return {static_cast<std::int64_t>(first.size()),
            first.data(),
            count.data(),
            t.data(),
            dt.data(),
            density.data(),
            colour.data()};
  }
  CompositeOutput<double> output() { return {rgb.data(), depth.data(), opacity.data(), weights.data()}; }
  void render() { composite_rays(input(), output()); }
};

TEST(Composite, AgreesWithTheProductOfTransmittances) {
  for (const double thick : {5.0, 300.0}) {  // the second ends rays early
    Job job(thick, 60);
    job.render();
    bool ended = false;
    for (std::size_t r = 0; r < job.first.size(); ++r) {
      double rgb[3] = {}, depth = 0, opacity = 0, passes = 1;
      for (std::uint32_t i = job.first[r]; i < job.first[r] + job.count[r]; ++i) {
        const double alpha = 1 - std::exp(-job.density[i] * job.dt[i]);
        const double weight = passes < 1e-4 ? 0 : passes * alpha;
        ended = ended || passes < 1e-4;
        ASSERT_NEAR(job.weights[i], weight, 1e-14);
        for (int c = 0; c < 3; ++c) rgb[c] += weight * job.colour[3 * i + c];
        depth += weight * job.t[i];
        opacity += weight;
        passes *= 1 - alpha;
      }
      for (int c = 0; c < 3; ++c) ASSERT_NEAR(job.rgb[3 * r + c], rgb[c], 1e-13);
      ASSERT_NEAR(job.depth[r], depth, 1e-13);
      ASSERT_NEAR(job.opacity[r], opacity, 1e-13);
    }
    EXPECT_EQ(ended, thick > 100);
  }
}

TEST(Composite, GradientsAgreeWithFiniteDifferences) {
  for (const double thick : {5.0, 300.0}) {
    for (const bool weighed : {false, true}) {
      Job job(thick, 61);
      const std::vector<double> d_rgb = random_values(job.rgb.size(), 62),
                                d_depth = random_values(job.depth.size(), 63),
                                d_opacity = random_values(job.depth.size(), 64),
                                d_weights = random_values(job.t.size(), 65);
      std::vector<double> d_density(job.t.size(), 7), d_colour(job.colour.size(), 7);
      job.render();
      composite_backward<double>(job.input(), job.output(),
                                 {d_rgb.data(), d_depth.data(), d_opacity.data(), weighed ? d_weights.data() : nullptr,
                                  d_density.data(), d_colour.data()});
      const auto loss = [&] {
        job.render();
        return dot(job.rgb, d_rgb) + dot(job.depth, d_depth) + dot(job.opacity, d_opacity) +
               (weighed ? dot(job.weights, d_weights) : 0.0);
      };
      expect_gradient(job.density, d_density, loss, 1e-7);
      expect_gradient(job.colour, d_colour, loss, 1e-7);
    }
  }
}

TEST(Composite, FloatAgreesWithDouble) {
  Job job(60, 66);
  job.render();
  const std::vector<float> t = as<float>(job.t), dt = as<float>(job.dt), density = as<float>(job.density),
                           colour = as<float>(job.colour);
  std::vector<float> rgb(job.rgb.size()), depth(job.depth.size()), opacity(job.depth.size());
  const CompositeInput<float> input = {job.input().rays, job.first.data(), job.count.data(), t.data(),
                                       dt.data(),        density.data(),   colour.data()};
  composite_rays<float>(input, {rgb.data(), depth.data(), opacity.data(), nullptr});
  EXPECT_LE(relative_error(rgb, job.rgb), 1e-6);
  EXPECT_LE(relative_error(depth, job.depth), 1e-6);
  EXPECT_LE(relative_error(opacity, job.opacity), 1e-6);
}

}  // namespace
}  // namespace mien
