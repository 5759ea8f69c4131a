#include <gtest/gtest.h>

#include "field_avatar/field_network.h"
#include "gaussian_avatar/simple_head.h"
#include "mien/base/random.h"
#include "mien/field/composite.h"
#include "training/field_loss.h"

namespace mien {
namespace {

struct Case {
  FieldLatents latents;
  bool offset;
};

FieldParameters<double> in_double(const FieldParameters<float>& p) {
  const auto convert = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
  return {convert(p.table), convert(p.density), convert(p.offset), convert(p.colour), convert(p.latents)};
}

// Four rays of two moments and appearances, from samples to the loss.
class Chain {
 public:
  explicit Chain(const Case& c) {
    FieldSettings settings;
    settings.grid = {.levels = 3, .features = 2, .log2_table = 8, .coarsest = 4, .finest = 16};
    settings.latents = c.latents;
    settings.density_offset = c.offset;
    settings.occupancy = 8;
    const FieldAvatar avatar = make_field_avatar(simple_head(6, 8), settings, 2, 5);
    shape = field_shape(avatar);
    parameters = in_double(avatar.parameters);
    Random random(6);
    for (double& v : parameters.table) v = 0.5 * random.normal();
    for (double& v : parameters.latents) v += 0.2 * random.normal();
    samples.resize(kRays * kSamples);
    samples.groups = 2;
    for (int i = 0; i < 2 * shape.density.shared; ++i) samples.condition.push_back(0.3 * random.uniform());
    for (int r = 0; r < kRays; ++r) {
      first.push_back(static_cast<std::uint32_t>(r * kSamples));
      count.push_back(kSamples);
      for (int k = 0; k < kSamples; ++k) {
        const auto i = static_cast<std::size_t>(r * kSamples + k);
        t.push_back(0.1 + 0.01 * k);
        dt.push_back(0.01);
        const Vec3 d = Vec3(random.normal(), random.normal(), random.normal()).normalized();
        for (std::size_t c3 = 0; c3 < 3; ++c3) {
          samples.points[i * 3 + c3] = random.uniform();
          samples.directions[i * 3 + c3] = d[static_cast<int>(c3)];
          samples.weight[i * 3 + c3] = c3 == 0 ? 0.5 : 0.25;
          samples.row[i * 3 + c3] =
              shape.has_latents ? (r % 2) * shape.rows + static_cast<int>(random.below(shape.rows)) : 0;
        }
        samples.group[i] = r % 2;
      }
      FieldTarget target = {{random.uniform(), random.uniform(), random.uniform()}, 0.7f, {0.2f, 0.5f, 0.9f}, 0.11f};
      if (r == 2) target.depth = -1;
      targets.push_back(target);
    }
    exposure = {1.1, 0.9, 1, 0.05, -0.05, 0.02};
  }

  double loss(FieldParameters<double>* gradients, std::vector<double>* d_exposure) {
    FieldNetwork<double> network(shape);
    std::vector<double> density, colour;
    network.forward(parameters, samples, density, colour);
    std::vector<double> rgb(kRays * 3), depth(kRays), opacity(kRays);
    const CompositeInput<double> input = {kRays,     first.data(),   count.data(), t.data(),
                                          dt.data(), density.data(), colour.data()};
    const CompositeOutput<double> output = {rgb.data(), depth.data(), opacity.data(), nullptr};
    composite_rays(input, output);
    std::vector<double> d_rgb(rgb.size()), d_depth(kRays), d_opacity(kRays);
    double total = 0;
    const FieldLossWeights weights = {50, 10, 2};
    for (std::size_t r = 0; r < kRays; ++r) {
      const FieldSeen<double> seen = {{rgb[r * 3], rgb[r * 3 + 1], rgb[r * 3 + 2]}, opacity[r], depth[r]};
      FieldSeen<double> d_seen;
      double d[6];
      const auto parts = field_loss(weights, targets[r], exposure.data(), seen, d_seen, d);
      total += 3 * 50.0 * parts.colour + 10.0 * parts.depth + 2.0 * parts.matte;
      for (std::size_t k = 0; k < 3; ++k) d_rgb[r * 3 + k] = d_seen.rgb[k];
      d_depth[r] = d_seen.depth;
      d_opacity[r] = d_seen.opacity;
      for (std::size_t k = 0; d_exposure != nullptr && k < 6; ++k) (*d_exposure)[k] += d[k];
    }
    if (gradients == nullptr) return total;
    std::vector<double> d_density(density.size()), d_colour(colour.size());
    composite_backward<double>(
        input, output, {d_rgb.data(), d_depth.data(), d_opacity.data(), nullptr, d_density.data(), d_colour.data()});
    network.backward(parameters, samples, density, colour, d_density, d_colour, *gradients);
    return total;
  }

  static constexpr int kRays = 4, kSamples = 6;
  FieldShape shape;
  FieldParameters<double> parameters;
  FieldSamples<double> samples;
  std::vector<std::uint32_t> first, count;
  std::vector<double> t, dt, exposure;
  std::vector<FieldTarget> targets;
};

void check(Chain& chain, std::vector<double>& values, const std::vector<double>& gradient, const char* name) {
  if (values.empty()) return;
  Random random(7);
  int moved = 0;
  for (int i = 0; i < 60; ++i) {
    const std::size_t at = random.below(static_cast<std::uint32_t>(values.size()));
    const double value = values[at], h = 1e-6;
    values[at] = value + h;
    const double above = chain.loss(nullptr, nullptr);
    values[at] = value - h;
    const double below = chain.loss(nullptr, nullptr);
    values[at] = value;
    const double expected = (above - below) / (2 * h);
    EXPECT_NEAR(gradient[at], expected, 1e-5 + 1e-5 * std::abs(expected)) << name << " " << at;
    if (std::abs(expected) > 1e-6) ++moved;
  }
  EXPECT_GT(moved, 3) << name << " does something";
}

class FieldChain : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Settings, FieldChain,
                         testing::Values(Case{FieldLatents::kLocal, true}, Case{FieldLatents::kLocal, false},
                                         Case{FieldLatents::kGlobal, true}, Case{FieldLatents::kNone, false}));

TEST_P(FieldChain, GradientsAgreeWithFiniteDifferences) {
  Chain chain(GetParam());
  FieldParameters<double> d;
  const FieldParameters<double>& p = chain.parameters;
  d.table.resize(p.table.size());
  d.density.resize(p.density.size());
  d.offset.resize(p.offset.size());
  d.colour.resize(p.colour.size());
  d.latents.resize(p.latents.size());
  std::vector<double> d_exposure(6, 0.0);
  chain.loss(&d, &d_exposure);
  check(chain, chain.parameters.table, d.table, "table");
  check(chain, chain.parameters.density, d.density, "density");
  check(chain, chain.parameters.offset, d.offset, "offset");
  check(chain, chain.parameters.colour, d.colour, "colour");
  if (chain.shape.has_latents) check(chain, chain.parameters.latents, d.latents, "latents");
  check(chain, chain.exposure, d_exposure, "exposure");
  EXPECT_EQ(p.offset.empty(), !GetParam().offset || GetParam().latents == FieldLatents::kNone);
}

TEST(FieldAvatar, MixesAppearancesByWeight) {
  FieldSettings settings;
  settings.occupancy = 8;
  const FieldAvatar avatar = make_field_avatar(simple_head(6, 8), settings, 3, 1);
  const std::vector<float> first = mix_latents(avatar, std::array<float, 1>{1});
  const std::vector<float> third = mix_latents(avatar, std::array<float, 3>{0, 0, 1});
  const std::vector<float> mixed = mix_latents(avatar, std::array<float, 3>{0.25f, 0, 0.75f});
  ASSERT_EQ(mixed.size(), avatar.head.mesh.positions.size() * kFieldLatent);
  EXPECT_NE(first, third);
  for (std::size_t i = 0; i < mixed.size(); ++i) EXPECT_FLOAT_EQ(mixed[i], 0.25f * first[i] + 0.75f * third[i]);
}

}  // namespace
}  // namespace mien
