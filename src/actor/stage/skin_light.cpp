#include "actor/stage/skin_light.h"

#include <cmath>

#include "actor/stage/noise.h"
#include "mien/base/parallel.h"

namespace mien::stage {
namespace {

// How far light travels under the skin, in metres, as two widths, and how much of each colour goes how far: red far,
// blue hardly (after the profiles of d'Eon, Luebke and Enderton 2007).
constexpr float kNarrowWidth = 0.0011f;
constexpr float kWideWidth = 0.0030f;
const Rgb kNarrowShare(0.32f, 0.40f, 0.28f);
const Rgb kWideShare(0.46f, 0.14f, 0.06f);
const Rgb kWrap(0.22f, 0.08f, 0.05f);  // light that reaches round the terminator

}  // namespace

SkinLight::SkinLight(const HeadModel& model, const Atlas& atlas) : model_(model) {
  coverage_ = cover_atlas(atlas, model, 2);
  map_ = Map<LightTexel>(atlas.width / 2, atlas.height / 2, LightTexel::Zero());
  narrow_map_ = wide_map_ = scratch_ = map_;
  covered_.resize(coverage_.size());
  for (std::size_t i = 0; i < covered_.size(); ++i) covered_[i] = coverage_[i].face >= 0 ? 1.0f : 0.0f;
  // Two box passes of radius r have the variance of a Gaussian of sigma = r * sqrt(2/3) or so.
  const float texel = 2 * std::max(atlas.texel, 1e-5f);
  narrow_ = std::max(1, static_cast<int>(std::lround(kNarrowWidth / texel * 1.22f)));
  wide_ = std::max(narrow_ + 1, static_cast<int>(std::lround(kWideWidth / texel * 1.22f)));
  Map<LightTexel> ones = map_;
  for (std::size_t i = 0; i < covered_.size(); ++i) ones.texels[i].setConstant(covered_[i]);
  const std::vector<float> none;
  blur(ones, none, narrow_, narrow_map_);
  blur(ones, none, wide_, wide_map_);
  for (std::size_t i = 0; i < covered_.size(); ++i) {
    narrow_cover_.push_back(1 / std::max(narrow_map_.texels[i][0], 1e-3f));
    wide_cover_.push_back(1 / std::max(wide_map_.texels[i][0], 1e-3f));
  }
}

void SkinLight::gather(const Scene& scene, const LightSetup& lights, const std::vector<ShadowMap>& shadows,
                       const Map<Texel4>& detail) {
  const std::vector<Vec3>&positions = scene.positions(), &normals = scene.normals();
  const std::vector<Occlusion>& occlusion = scene.occlusion();
  parallel_for(map_.height, 8, [&](std::int64_t row) {
    const int y = static_cast<int>(row);
    for (int x = 0; x < map_.width; ++x) {
      const std::size_t i = map_.index(x, y);
      const AtlasTexel& texel = coverage_[i];
      if (texel.face < 0) {
        map_.texels[i].setZero();
        continue;
      }
      const Index3& v = model_.mesh.faces[texel.face];
      const Vec3 w = texel.weights();
      const Vec3 p = w[0] * positions[v[0]] + w[1] * positions[v[1]] + w[2] * positions[v[2]];
      const Vec3 n = (w[0] * normals[v[0]] + w[1] * normals[v[1]] + w[2] * normals[v[2]]).normalized();
      const Vec3 bent =
          (w[0] * occlusion[v[0]].bent + w[1] * occlusion[v[1]].bent + w[2] * occlusion[v[2]].bent + 0.5f * n)
              .normalized();
      const float open = w[0] * occlusion[v[0]].open + w[1] * occlusion[v[1]].open + w[2] * occlusion[v[2]].open;
      // Light between skin and skin comes back redder: what occlusion takes from red, it takes twice from blue.
      const Rgb ambient_open(std::pow(open, 0.8f), open, open);
      Rgb light = lights.environment.diffuse(bent).max(0.0f) * ambient_open;
      LightTexel out;
      out.setZero();
      const float turn = 6.2831853f * hash_unit(hash3(x, y, 0, 9));
      const float thin = detail.at(std::min(2 * x, detail.width - 1), std::min(2 * y, detail.height - 1))[3];
      for (std::size_t l = 0; l < lights.lamps.size(); ++l) {
        const Lamp& lamp = lights.lamps[l];
        const Vec3 to = lamp.position - p;
        const float distance2 = to.squaredNorm();
        const float cosine = n.dot(to) / std::sqrt(distance2);
        const Rgb colour = lamp.colour * (lamp.position.squaredNorm() / distance2);
        float seen = 0;
        if (cosine > -0.25f) {
          seen = shadows[l].visibility(p + n * 0.0005f, n, lamp.radius, 12, turn);
          const Rgb wrapped = ((cosine + kWrap) / (1 + kWrap)).max(0.0f);
          light += colour * wrapped * (seen * std::min(1.0f, 0.3f + 1.4f * open));
        }
        if (thin > 0 && cosine < 0.2f) {  // through the ear: red, where the far side is lit
          const float through = shadows[l].visibility(p - n * 0.004f, -n, lamp.radius, 6, turn);
          light += colour * Rgb(0.55f, 0.10f, 0.04f) * (thin * through * smoothstep(0.2f, -0.6f, cosine));
        }
        out[static_cast<Eigen::Index>(3 + l)] = seen;
      }
      out.head<3>() = light;
      out[6] = open;
      map_.texels[i] = out;
    }
  });
}

// Two box passes each way, by running sums.
void SkinLight::blur(const Map<LightTexel>& from, const std::vector<float>& weight, int radius,
                     Map<LightTexel>& to) const {
  const int w = from.width, h = from.height;
  const float scale = 1 / static_cast<float>(2 * radius + 1);
  const auto pass = [&](const LightTexel* in, LightTexel* out, int count, std::ptrdiff_t stride) {
    LightTexel sum = LightTexel::Zero();
    for (int i = 0; i < std::min(radius, count); ++i) sum += in[i * stride];
    for (int i = 0; i < count; ++i) {
      if (i + radius < count) sum += in[(i + radius) * stride];
      out[i * stride] = sum * scale;
      if (i - radius >= 0) sum -= in[(i - radius) * stride];
    }
  };
  parallel_for(h, 16, [&](std::int64_t y) {
    std::vector<LightTexel> line(static_cast<std::size_t>(w));
    pass(&from.texels[static_cast<std::size_t>(y) * w], line.data(), w, 1);
    pass(line.data(), &scratch_.texels[static_cast<std::size_t>(y) * w], w, 1);
  });
  constexpr int kColumns = 8;  // neighbouring columns together, for the cache
  parallel_for((w + kColumns - 1) / kColumns, 2, [&](std::int64_t group) {
    std::vector<LightTexel> column(static_cast<std::size_t>(h));
    std::vector<LightTexel> smooth(static_cast<std::size_t>(h));
    for (int x = static_cast<int>(group) * kColumns; x < std::min(w, static_cast<int>(group + 1) * kColumns); ++x) {
      for (int y = 0; y < h; ++y) column[y] = scratch_.at(x, y);
      pass(column.data(), smooth.data(), h, 1);
      pass(smooth.data(), column.data(), h, 1);
      for (int y = 0; y < h; ++y) to.at(x, y) = column[y] * (weight.empty() ? 1.0f : weight[from.index(x, y)]);
    }
  });
}

void SkinLight::diffuse() {
  blur(map_, narrow_cover_, narrow_, narrow_map_);
  blur(map_, wide_cover_, wide_, wide_map_);
  const Rgb sharp = 1 - kNarrowShare - kWideShare;
  parallel_for(static_cast<std::int64_t>(map_.texels.size()), 8192, [&](std::int64_t i) {
    LightTexel& t = map_.texels[i];
    const LightTexel &a = narrow_map_.texels[i], &b = wide_map_.texels[i];
    if (covered_[i] > 0) {
      t.head<3>() = t.head<3>() * sharp + a.head<3>() * kNarrowShare + b.head<3>() * kWideShare;
      t.tail<5>() = a.tail<5>();
    } else {
      t = a;  // the gutter: what the blur carried out of the chart
    }
  });
}

void SkinLight::update(const Scene& scene, const LightSetup& lights, const std::vector<ShadowMap>& shadows,
                       const Map<Texel4>& detail) {
  gather(scene, lights, shadows, detail);
  diffuse();
}

}  // namespace mien::stage
