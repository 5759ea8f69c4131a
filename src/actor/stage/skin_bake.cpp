#include "actor/stage/skin_bake.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "actor/stage/noise.h"
#include "mien/base/parallel.h"

namespace mien::stage {
namespace {

constexpr std::array<int, 20> kOuterLips = {61,  146, 91,  181, 84,  17, 314, 405, 321, 375,
                                            291, 409, 270, 269, 267, 0,  37,  39,  40,  185};
constexpr std::array<int, 9> kUpperLidLeft = {362, 398, 384, 385, 386, 387, 388, 466, 263};
constexpr std::array<int, 9> kUpperLidRight = {133, 173, 157, 158, 159, 160, 161, 246, 33};

constexpr std::array<int, 10> kBrowLeft = {300, 293, 334, 296, 336, 285, 295, 282, 283, 276};
constexpr std::array<int, 10> kBrowRight = {70, 63, 105, 66, 107, 55, 65, 52, 53, 46};

// B-spline reading: smoother than bilinear, so that the small texture shows no grid when enlarged ten times.
Rgb smooth_sample(const Texture& texture, const Vec2& uv) {
  const float x = uv.x() * static_cast<float>(texture.map.width) - 0.5f;
  const float y = (1 - uv.y()) * static_cast<float>(texture.map.height) - 0.5f;
  const float fx = std::floor(x), fy = std::floor(y);
  const auto weights = [](float t) {
    const float s = 1 - t;
    return std::array<float, 4>{s * s * s / 6, (3 * t * t * t - 6 * t * t + 4) / 6, (3 * s * s * s - 6 * s * s + 4) / 6,
                                t * t * t / 6};
  };
  const auto wx = weights(x - fx), wy = weights(y - fy);
  Rgb sum = Rgb::Zero();
  for (int j = 0; j < 4; ++j) {
    for (int i = 0; i < 4; ++i) {
      const int tx = std::clamp(static_cast<int>(fx) + i - 1, 0, texture.map.width - 1);
      const int ty = std::clamp(static_cast<int>(fy) + j - 1, 0, texture.map.height - 1);
      sum += texture.map.at(tx, ty).head<3>() * (wx[i] * wy[j]);
    }
  }
  return sum;
}

// Where things are on this face, and how the masks fall off. All in the template's head space.
class SkinPainter {
 public:
  SkinPainter(const HeadModel& model, const FaceFrame& face, const Performer& performer)
      : face_(face), performer_(performer), seed_(static_cast<std::uint32_t>(performer.seed * 2654435761u)) {
    scalp_ = region_mask(model, {HeadRegion::kScalp});
    ears_ = region_mask(model, {HeadRegion::kEars});
    lips_ = region_mask(model, {HeadRegion::kUpperLip, HeadRegion::kLowerLip, HeadRegion::kMouthInside});
    inside_ = region_mask(model, {HeadRegion::kMouthInside});
    if (!face.usable()) return;
    for (const int l : kOuterLips) lip_outline_.push_back(face.at(l).head<2>());
    for (const int l : kBrowLeft) brows_[0].push_back(face.at(l).head<2>());
    for (const int l : kBrowRight) brows_[1].push_back(face.at(l).head<2>());
    lids_[0] = face.curve(std::span<const int>(kUpperLidLeft));
    lids_[1] = face.curve(std::span<const int>(kUpperLidRight));
  }

  struct Paint {
    Rgb albedo;
    float gloss, height, cavity, thin;
  };

  // `p`: template position; `weights` of `v`'s three vertices.
  Paint paint(const Vec3& p, const Index3& v, const Vec3& w, const Rgb& base) const {
    const auto mask = [&](const std::vector<float>& m) { return w[0] * m[v[0]] + w[1] * m[v[1]] + w[2] * m[v[2]]; };
    Paint out{base * performer_.skin_brightness, 1, 0, 0, 0};
    const float scalp = smoothstep(0.3f, 0.9f, mask(scalp_));
    const float ears = smoothstep(0.2f, 0.8f, mask(ears_));
    const float lip = lip_mask(p, mask(lips_));
    const float inside = smoothstep(0.35f, 0.8f, mask(inside_));
    const float bare = (1 - lip) * (1 - scalp);
    out.thin = 0.8f * ears;
    mottle(p, out, 1 - 0.5f * lip);
    redden(p, ears, out, bare);
    freckle(p, out, bare);
    stubble(p, out, (1 - lip) * (1 - ears));
    pores(p, out, bare * (1 - 0.8f * ears));
    lids(p, out);
    brows(p, out);
    lips(p, lip, out);
    if (scalp > 0) {
      const float strands = 0.8f + 0.4f * value_noise(Vec3(p.x() * 900, p.y() * 250, p.z() * 900), seed_ + 40);
      const Rgb roots = linear_colour(performer_.hair_colour) * (0.7f * strands);
      out.albedo = mix<Rgb>(out.albedo, roots, 0.75f * scalp * (performer_.hair.empty() ? 0.25f : 1.0f));
      out.gloss *= 1 - 0.6f * scalp;
    }
    if (inside > 0) {
      out.albedo = mix<Rgb>(out.albedo, Rgb(0.32f, 0.09f, 0.08f), inside);
      out.gloss = mix(out.gloss, 1.6f, inside);
      out.thin *= 1 - inside;
    }
    out.albedo = out.albedo.max(0.003f).min(0.9f);
    return out;
  }

 private:
  // Vertex mask, softened over one ring.
  static std::vector<float> region_mask(const HeadModel& model, std::initializer_list<HeadRegion> regions) {
    std::vector<float> mask(model.region.size(), 0);
    for (std::size_t i = 0; i < mask.size(); ++i) {
      mask[i] = std::find(regions.begin(), regions.end(), model.region[i]) != regions.end() ? 1.0f : 0.0f;
    }
    return mask;
  }

  float blob(int landmark, const Vec3& p, float radius) const {
    return std::exp(-(p - face_.at(landmark)).squaredNorm() / (radius * radius));
  }

  float lip_mask(const Vec3& p, float region) const {
    if (lip_outline_.empty() || (p - face_.at(13)).squaredNorm() > 0.05f * 0.05f) return 0;
    // The outline bounds the lips seen from the front; what lies behind it belongs to the mouth.
    const float wander = 0.0004f * (value_noise(p * 700, seed_ + 3) - 0.5f);
    const float inside = smoothstep(0.0007f, -0.0007f, polygon_distance(lip_outline_, p.head<2>()) + wander);
    return std::max(inside,
                    region > 0.999f ? smoothstep(0.003f, -0.001f, polygon_distance(lip_outline_, p.head<2>())) : 0.0f);
  }

  void mottle(const Vec3& p, Paint& out, float amount) const {
    const float coarse = fractal_noise(p * 120, 3, seed_ + 11) - 0.5f;
    const float fine = fractal_noise(p * 520, 2, seed_ + 12) - 0.5f;
    const float red = fractal_noise(p * 75, 3, seed_ + 13) - 0.5f;
    out.albedo *= 1 + amount * (0.14f * coarse + 0.16f * fine);
    out.albedo *= Rgb(1 + 0.06f * amount * red, 1 - 0.12f * amount * red, 1 - 0.10f * amount * red);
    out.height += 0.00010f * fine * amount;
  }

  void redden(const Vec3& p, float ears, Paint& out, float amount) const {
    float red = 0.8f * ears;
    float shadow = 0;
    if (face_.usable()) {
      red += 0.9f * blob(4, p, 0.016f) + 0.6f * (blob(205, p, 0.024f) + blob(425, p, 0.024f)) +
             0.45f * (blob(129, p, 0.009f) + blob(358, p, 0.009f)) + 0.35f * blob(199, p, 0.016f);
      shadow = blob(230, p, 0.011f) + blob(450, p, 0.011f);
      out.thin = std::max(out.thin, 0.35f * (blob(129, p, 0.008f) + blob(358, p, 0.008f)));
      // Forehead, nose and chin shine.
      out.gloss += 0.8f * performer_.oil *
                   (blob(4, p, 0.02f) + blob(6, p, 0.016f) + 0.7f * blob(151, p, 0.035f) + 0.4f * blob(199, p, 0.02f));
    }
    const float k = amount * performer_.redness * std::min(red, 1.0f);
    out.albedo *= Rgb(1 + 0.02f * k, 1 - 0.36f * k, 1 - 0.34f * k);
    out.albedo *= Rgb(1 - 0.10f * shadow, 1 - 0.13f * shadow, 1 - 0.08f * shadow);
  }

  void freckle(const Vec3& p, Paint& out, float amount) const {
    if (!face_.usable()) return;
    const float place =
        std::min(1.0f, blob(5, p, 0.028f) + blob(117, p, 0.03f) + blob(346, p, 0.03f) + 0.35f * blob(151, p, 0.05f));
    const float density = amount * performer_.freckles * place;
    if (density > 0.02f) {
      for (const float scale : {330.0f, 520.0f}) {
        const Cell cell = cell_noise(p * scale, seed_ + 21);
        if (hash_unit(cell.hash ^ 0x51u) > 0.75f * density) continue;
        const float radius = 0.18f + 0.22f * hash_unit(cell.hash ^ 0x77u);
        const float spot =
            smoothstep(radius, 0.45f * radius, cell.distance) * (0.35f + 0.3f * hash_unit(cell.hash ^ 0x99u));
        out.albedo *= Rgb(1 - 0.35f * spot, 1 - 0.62f * spot, 1 - 0.75f * spot);
      }
    }
    const Cell mole = cell_noise(p * 22, seed_ + 22);  // a few, anywhere
    if (hash_unit(mole.hash ^ 0x13u) < 0.05f) {
      const float radius = 0.02f + 0.02f * hash_unit(mole.hash ^ 0x17u);
      const float spot = amount * smoothstep(radius, 0.6f * radius, mole.distance);
      out.albedo *= Rgb(1 - 0.55f * spot, 1 - 0.7f * spot, 1 - 0.75f * spot);
      out.height += 0.0003f * spot;
    }
  }

  // The area where a beard would grow, [0,1].
  float beard_area(const Vec3& p) const {
    if (!face_.usable()) return 0;
    const float x = std::abs(p.x());
    const Vec3 &under_nose = face_.at(2), &cheek = face_.at(426), &jaw = face_.at(361), &chin = face_.at(152);
    const float x1 = std::abs(cheek.x()), x2 = std::abs(jaw.x());
    float limit = under_nose.y() - 0.001f;
    if (x > 0.012f) limit = mix(under_nose.y() - 0.001f, cheek.y() - 0.002f, smoothstep(0.012f, x1, x));
    if (x > x1) limit = mix(cheek.y() - 0.002f, jaw.y() + 0.03f, smoothstep(x1, x2, x));
    const float top = smoothstep(0.004f, -0.005f, p.y() - limit);
    const float bottom = smoothstep(-0.045f, -0.015f, p.y() - chin.y());
    const float front = smoothstep(-0.03f, 0.0f, p.z() - jaw.z() + 0.012f);
    return top * bottom * front;
  }

  void stubble(const Vec3& p, Paint& out, float amount) const {
    if (performer_.stubble <= 0) return;
    const float area = amount * beard_area(p) * performer_.stubble;
    if (area < 0.01f) return;
    const float patch = 0.75f + 0.5f * value_noise(p * 140, seed_ + 31);
    out.albedo *= Rgb(1 - 0.22f * area * patch, 1 - 0.17f * area * patch, 1 - 0.12f * area * patch);  // under the skin
    const Cell cell = cell_noise(p * 1150, seed_ + 32);
    const float dot = hash_unit(cell.hash ^ 0x3u) < 0.85f * area ? smoothstep(0.42f, 0.12f, cell.distance) : 0.0f;
    out.albedo = mix<Rgb>(out.albedo, linear_colour(performer_.hair_colour) * 0.5f, 0.75f * dot);
    out.height += 0.00004f * dot;
    out.gloss *= 1 - 0.3f * area;
  }

  void pores(const Vec3& p, Paint& out, float amount) const {
    const Cell cell = cell_noise(p * 950, seed_ + 41);
    float place = 0.45f;
    if (face_.usable()) {
      place += 0.55f * std::min(1.0f, blob(4, p, 0.02f) + blob(50, p, 0.025f) + blob(280, p, 0.025f) +
                                          0.5f * blob(151, p, 0.04f));
    }
    const float k = amount * performer_.pores * place;
    const float pit = smoothstep(0.45f, 0.1f, cell.distance) * (0.4f + 0.6f * hash_unit(cell.hash ^ 0x5u));
    out.height -= 0.00005f * k * pit;
    out.cavity = std::max(out.cavity, 0.35f * k * pit);
    // The fine criss-cross of lines between the pores.
    out.height -= 0.00002f * k * smoothstep(0.12f, 0.0f, cell.second - cell.distance);
    out.gloss *= 1 + 0.25f * amount * (value_noise(p * 1300, seed_ + 42) - 0.5f);
  }

  void lids(const Vec3& p, Paint& out) const {
    if (!face_.usable()) return;
    for (const Curve& lid : lids_) {
      if ((p - lid.points[lid.points.size() / 2]).squaredNorm() > 0.03f * 0.03f) continue;
      const CurveHit hit = FaceFrame::nearest(lid, p);
      const float line =
          performer_.lashes * smoothstep(0.0018f, 0.0004f, hit.distance) * smoothstep(0.0f, 0.15f, hit.along);
      out.albedo = mix<Rgb>(out.albedo, Rgb(0.02f, 0.013f, 0.01f), 0.75f * line);
      // Lids are thin: a little redder and shinier.
      const float near = smoothstep(0.010f, 0.002f, hit.distance);
      out.albedo *= Rgb(1 - 0.03f * near, 1 - 0.09f * near, 1 - 0.06f * near);
      out.gloss += 0.3f * near;
    }
  }

  // Short hairs and their shade under the brow cards, which are thin by themselves.
  void brows(const Vec3& p, Paint& out) const {
    if (!face_.usable() || p.z() < 0) return;
    for (const std::vector<Vec2>& brow : brows_) {
      const float inside = smoothstep(0.0014f, -0.0022f, polygon_distance(brow, p.head<2>()));
      if (inside <= 0) continue;
      const float across = p.y() - 0.55f * std::abs(p.x());  // hairs lean outwards
      const float hairs = value_noise(Vec3(across * 2600, p.x() * 420, 0), seed_ + 61);
      const float cover = inside * (0.30f + 0.55f * smoothstep(0.35f, 0.75f, hairs));
      out.albedo = mix<Rgb>(out.albedo, linear_colour(performer_.brow_colour) * 0.8f, cover);
      out.gloss *= 1 - 0.5f * inside;
    }
  }

  void lips(const Vec3& p, float lip, Paint& out) const {
    if (lip <= 0) return;
    const Rgb colour = linear_colour(performer_.lip_colour) * (luminance(out.albedo) / 0.25f * 0.5f + 0.5f);
    out.albedo = mix<Rgb>(out.albedo, colour, lip * performer_.lip_strength);
    out.albedo *= mix<Rgb>(Rgb(1, 1, 1), Rgb(0.97f, 0.84f, 0.84f), lip);
    // Creases run across the lips.
    const float angle = p.x() * 2300 + 5 * value_noise(p * 260, seed_ + 51);
    const float crease =
        std::pow(0.5f + 0.5f * std::sin(angle), 4.0f) * value_noise(Vec3(p.x() * 700, p.y() * 160, 0), seed_ + 52);
    out.height -= 0.00004f * lip * crease;
    out.albedo *= 1 - 0.13f * lip * crease;
    out.cavity = std::max(out.cavity, 0.12f * lip * crease);
    out.gloss = mix(out.gloss, 1.7f - 0.4f * value_noise(p * 800, seed_ + 53), lip);
  }

  const FaceFrame& face_;
  const Performer& performer_;
  std::uint32_t seed_;
  std::vector<float> scalp_, ears_, lips_, inside_;
  std::vector<Vec2> lip_outline_;
  std::array<std::vector<Vec2>, 2> brows_;
  std::array<Curve, 2> lids_;
};

// Copies known texels outwards, so that bilinear reading at the rim of a chart stays on the skin.
template <typename T>
void grow(Map<T>& map, std::vector<char> known, int rings) {
  for (int ring = 0; ring < rings; ++ring) {
    const std::vector<char> before = known;
    for (int y = 0; y < map.height; ++y) {
      for (int x = 0; x < map.width; ++x) {
        if (before[map.index(x, y)] != 0) continue;
        for (const auto& [dx, dy] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
          const int nx = x + dx, ny = y + dy;
          if (nx < 0 || ny < 0 || nx >= map.width || ny >= map.height || before[map.index(nx, ny)] == 0) continue;
          map.at(x, y) = map.at(nx, ny);
          known[map.index(x, y)] = 1;
          break;
        }
      }
    }
  }
}

}  // namespace

SkinMaps bake_skin(const HeadModel& model, const Atlas& atlas, const std::vector<AtlasTexel>& coverage,
                   const FaceFrame& face, const Texture& texture, const Performer& performer) {
  SkinMaps maps;
  maps.albedo = Map<Texel4>(atlas.width, atlas.height, Texel4(0.4f, 0.3f, 0.25f, 1));
  maps.detail = Map<Texel4>(atlas.width, atlas.height, Texel4::Zero());
  maps.surface = Map<Vec3>(atlas.width, atlas.height, Vec3::Constant(std::numeric_limits<float>::quiet_NaN()));
  Map<float> height(atlas.width, atlas.height, 0);
  std::vector<char> known(coverage.size(), 0);
  const SkinPainter painter(model, face, performer);
  parallel_for(atlas.height, 8, [&](std::int64_t y) {
    for (int x = 0; x < atlas.width; ++x) {
      const std::size_t i = maps.albedo.index(x, static_cast<int>(y));
      const AtlasTexel& texel = coverage[i];
      if (texel.face < 0) continue;
      known[i] = 1;
      const Index3& v = model.mesh.faces[texel.face];
      const Index3& t = model.mesh.face_uv[texel.face];
      const Vec3 w = texel.weights();
      const Vec3 p =
          w[0] * model.mesh.positions[v[0]] + w[1] * model.mesh.positions[v[1]] + w[2] * model.mesh.positions[v[2]];
      const Vec2 uv = w[0] * model.mesh.uv[t[0]] + w[1] * model.mesh.uv[t[1]] + w[2] * model.mesh.uv[t[2]];
      const SkinPainter::Paint paint = painter.paint(p, v, w, smooth_sample(texture, uv));
      maps.surface.texels[i] = p;
      maps.albedo.texels[i] << paint.albedo, std::clamp(paint.gloss, 0.0f, 2.0f);
      maps.detail.texels[i] << 0, 0, paint.cavity, paint.thin;
      height.texels[i] = paint.height;
    }
  });
  for (int y = 1; y + 1 < atlas.height; ++y) {
    for (int x = 1; x + 1 < atlas.width; ++x) {
      const std::size_t i = height.index(x, y);
      if (known[i - 1] == 0 || known[i + 1] == 0 || known[i - atlas.width] == 0 || known[i + atlas.width] == 0)
        continue;
      maps.detail.texels[i][0] = 0.5f * (height.texels[i + 1] - height.texels[i - 1]);
      maps.detail.texels[i][1] = 0.5f * (height.texels[i + atlas.width] - height.texels[i - atlas.width]);
    }
  }
  grow(maps.albedo, known, 3);
  grow(maps.detail, known, 3);
  return maps;
}

}  // namespace mien::stage
