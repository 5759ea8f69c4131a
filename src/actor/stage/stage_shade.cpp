// What each material looks like.
#include <cmath>

#include "actor/stage/noise.h"
#include "actor/stage/shading.h"
#include "actor/stage/stage_impl.h"

namespace mien {

using namespace stage;

namespace {

Vec3 blend(const std::vector<Vec3>& values, const Index3& v, const Vec3& w) {
  return w[0] * values[v[0]] + w[1] * values[v[1]] + w[2] * values[v[2]];
}

// A lamp as seen from a point.
struct Beam {
  Vec3 to;     // unit
  Rgb colour;  // with distance
  float size;  // radius over distance
};
Beam beam(const Lamp& lamp, const Vec3& p) {
  const Vec3 to = lamp.position - p;
  const float distance2 = to.squaredNorm();
  const float distance = std::sqrt(distance2);
  return {to / distance, lamp.colour * (lamp.position.squaredNorm() / distance2), lamp.radius / distance};
}

float pseudo_angle(const Vec3& p) {
  return 6.2831853f * hash_unit(hash3(static_cast<int>(p.x() * 40000), static_cast<int>(p.y() * 40000),
                                      static_cast<int>(p.z() * 40000), 5));
}

}  // namespace

bool Stage::Impl::shares_light(int face) const {
  const Material m = scene.solid_info[face].material;
  return m == Material::kSkin || m == Material::kCloth;
}

ShadePoint Stage::Impl::surface_point(int face, const Vec3& w, const Vec3& eye) const {
  const Index3& v = scene.solid[face];
  const SceneFace& info = scene.solid_info[face];
  ShadePoint point;
  point.face = face;
  point.p = blend(scene.positions(), v, w);
  point.n = blend(scene.normals(), v, w).normalized();
  switch (info.material) {
    case Material::kSkin: {
      const auto& corner = atlas.corner[info.head_face];
      const Vec2 at = w[0] * corner[0] + w[1] * corner[1] + w[2] * corner[2];
      point.light = skin_light.at(at);
      point.albedo = skin.albedo.sample(at.x(), at.y());
      point.detail = skin.detail.sample(at.x(), at.y());
      break;
    }
    case Material::kEye:
      point.albedo.head<3>() = textures_sample(info, w);
      for (int k = 0; k < 3; ++k) point.open += w[k] * scene.occlusion()[v[k]].open;
      break;
    default:
      if (info.material == Material::kCloth && point.n.dot(eye - point.p) < 0)
        point.n = -point.n;  // inside of a collar
      point.albedo.head<3>() = textures_sample(info, w);
      if (info.material == Material::kCloth) {
        // Yarn: a fine two-way weave in texture space.
        const Vec2 uv = info.at(w[0], w[1]) * 420.0f;
        const float weave = 0.5f + 0.5f * std::sin(6.2831853f * uv.x()) * std::sin(6.2831853f * uv.y());
        point.albedo.head<3>() *= 0.90f + 0.14f * weave;
      }
      for (int k = 0; k < 3; ++k) {
        point.open += w[k] * scene.occlusion()[v[k]].open;
        point.bent += w[k] * scene.occlusion()[v[k]].bent;
      }
      break;
  }
  return point;
}

void ShadePoint::add(const ShadePoint& other) {
  p += other.p;
  n += other.n;
  bent += other.bent;
  albedo += other.albedo;
  detail += other.detail;
  light += other.light;
  open += other.open;
}

void ShadePoint::divide(int count) {
  const float scale = 1 / static_cast<float>(count);
  p *= scale;
  n.normalize();
  bent *= scale;
  albedo *= scale;
  detail *= scale;
  light *= scale;
  open *= scale;
}

Rgb Stage::Impl::shade(const ShadePoint& point, const Vec3& eye) const {
  const SceneFace& info = scene.solid_info[point.face];
  const Vec3 to_eye = (eye - point.p).normalized();
  switch (info.material) {
    case Material::kSkin:
      return shade_skin(info, point, to_eye);
    case Material::kEye:
      return shade_eye(info, point, to_eye);
    default:
      return shade_plain(info, point, to_eye);
  }
}

Rgb Stage::Impl::shade_skin(const SceneFace& info, const ShadePoint& point, const Vec3& to_eye) const {
  const Vec3 &p = point.p, &n = point.n;
  const LightTexel& light = point.light;
  const Texel4 &albedo = point.albedo, &detail = point.detail;
  const FaceGradient& g = gradients[info.head_face];
  const Vec3 fine = (n - (detail[0] * g.u + detail[1] * g.v)).normalized();
  const float cavity = detail[2];
  const float open = light[6];
  // The light map knows the smooth surface; the relief turns some of the key light to or from it.
  const Beam key = beam(lights.lamps[0], p);
  const float relief =
      std::clamp((std::max(0.0f, fine.dot(key.to)) + 0.35f) / (std::max(0.0f, n.dot(key.to)) + 0.35f), 0.4f, 1.5f);
  const Rgb shade_of_cavity = 1 - cavity * Rgb(0.38f, 0.50f, 0.54f);
  Rgb out = albedo.head<3>() * light.head<3>() * (relief * shade_of_cavity);
  const float gloss = albedo[3] * (1 - 0.7f * cavity);
  for (std::size_t l = 0; l < lights.lamps.size(); ++l) {
    const float seen = light[static_cast<Eigen::Index>(3 + l)];
    if (seen < 0.01f) continue;
    const Beam b = beam(lights.lamps[l], p);
    out += b.colour * (seen * skin_gleam(fine, b.to, to_eye, gloss, b.size));
  }
  const Vec3 mirrored = 2 * fine.dot(to_eye) * fine - to_eye;
  const float sheen = fresnel(0.028f, std::max(0.0f, n.dot(to_eye))) * gloss * open * open;
  out += lights.environment.mirror(mirrored) * (0.55f * std::min(sheen, 0.35f));
  return out;
}

Rgb Stage::Impl::shade_eye(const SceneFace& info, const ShadePoint& point, const Vec3& to_eye) const {
  const Vec3& p = point.p;
  const EyeState& eye = eyes[person.face_part[info.head_face] == HeadPart::kEyeLeft ? 0 : 1];
  const Vec3 d = (p - eye.centre).normalized();
  const float cosine = d.dot(eye.axis);
  // The cornea bulges: over the iris the mirror normal turns faster than the ball's.
  const float over_iris = smoothstep(0.80f, 0.90f, cosine);
  const Vec3 cornea = (d + 0.55f * over_iris * (d - cosine * eye.axis)).normalized();
  // The lids shade the ball, most from above and in the corners.
  const float lid = std::clamp(0.25f + 1.15f * point.open, 0.0f, 1.0f);
  Rgb albedo = point.albedo.head<3>();
  const float white = smoothstep(0.86f, 0.80f, cosine);
  albedo =
      mix<Rgb>(albedo, albedo * Rgb(0.92f, 0.84f, 0.80f), white * smoothstep(0.75f, 0.3f, cosine));  // redder outwards
  albedo *= mix(1.0f, 0.80f, white);
  // The iris textures are bright: deepen them, towards the rim most, and keep a little less colour.
  const float iris = 1 - white;
  const float rim = smoothstep(0.93f, 0.87f, cosine);
  albedo = mix<Rgb>(albedo, mix<Rgb>(Rgb::Constant(luminance(albedo)), albedo, 0.75f) * (0.62f - 0.34f * rim), iris);
  Rgb out = lights.environment.diffuse((d + 0.3f * eye.axis).normalized()).max(0.0f) * albedo * (lid * lid);
  const Vec3 mirrored = 2 * cornea.dot(to_eye) * cornea - to_eye;
  for (std::size_t l = 0; l < lights.lamps.size(); ++l) {
    const Beam b = beam(lights.lamps[l], p);
    const float seen = shadows[l].visibility(p + 0.001f * d, d, lights.lamps[l].radius, 8, pseudo_angle(p));
    if (seen <= 0) continue;
    // Iris: a dish that catches light on the side away from the lamp (the cornea bends it there).
    const Vec3 dish = over_iris > 0 ? Vec3((d - 1.1f * over_iris * (d - cosine * eye.axis)).normalized()) : d;
    const float diffuse = std::max(0.0f, (dish.dot(b.to) + 0.2f) / 1.2f);
    out += b.colour * albedo * (seen * diffuse * lid);
    // The lamp itself, mirrored: a disc with a soft rim.
    const float radius = std::max(b.size, 0.08f);
    const float angle = std::sqrt(std::max(0.0f, 2 - 2 * mirrored.dot(b.to)));
    const float spot = smoothstep(1.15f * radius, 0.75f * radius, angle);
    out += b.colour * (seen * lid * (spot * 1.6f * (0.35f + 0.65f * over_iris)));
    out += b.colour * (0.25f * seen * lid * rough_lobe(cornea, b.to, to_eye, 0.12f, 0.03f));
  }
  out += lights.environment.mirror(mirrored) * (fresnel(0.035f, cornea.dot(to_eye)) * lid);
  return out;
}

Rgb Stage::Impl::textures_sample(const SceneFace& info, const Vec3& w) const {
  return scene.textures[info.texture].sample(info.at(w[0], w[1])).head<3>();
}

Rgb Stage::Impl::shade_plain(const SceneFace& info, const ShadePoint& point, const Vec3& to_eye) const {
  const Vec3 &p = point.p, &n = point.n;
  Rgb albedo = point.albedo.head<3>();
  float open = point.open;
  float scattered = 0;  // least share of a lamp: light that comes in past the lips and goes from tooth to tooth
  const Vec3 bent = (0.5f * n + point.bent).normalized();
  float alpha = 0.5f, f0 = 0.04f, strength = 1, wrap = 0;
  Rgb tint(1, 1, 1);  // of ambient light: what comes back from the walls of the mouth
  int taps = 8;
  const Vec3& normal = n;
  switch (info.material) {
    case Material::kTeeth:
      albedo = (1.45f * albedo).min(0.85f) * Rgb(0.98f, 0.90f, 0.79f);
      alpha = 0.10f, f0 = 0.05f, wrap = 0.35f;
      tint = {1.0f, 0.82f, 0.76f};
      scattered = 0.85f * std::sqrt(open);
      open = 0.25f + 0.75f * std::sqrt(open);  // light that the lips let through bounces about in there
      break;
    case Material::kGums:
      scattered = 0.6f * std::sqrt(open);
      open = 0.14f + 0.86f * std::sqrt(open);
      albedo = albedo.min(Rgb(0.50f, 0.24f, 0.22f));
      alpha = 0.14f, f0 = 0.045f, wrap = 0.2f;
      tint = {1.0f, 0.7f, 0.65f};
      break;
    case Material::kTongue:
      scattered = 0.6f * std::sqrt(open);
      open = 0.16f + 0.84f * std::sqrt(open);
      albedo *= 0.9f + 0.2f * value_noise(p * 1500, 3);
      alpha = 0.16f, f0 = 0.045f, wrap = 0.2f;
      tint = {1.0f, 0.7f, 0.65f};
      break;
    case Material::kCloth:
      albedo *= 1 + 0.10f * (fractal_noise(p * 160, 2, 17) - 0.5f);
      alpha = 0.75f, f0 = 0.03f, strength = 0.6f;
      taps = 16;  // no texture hides the grain of a soft shadow on it
      break;
    default:
      alpha = 0.16f;
      break;
  }
  Rgb out = lights.environment.diffuse(bent).max(0.0f) * albedo * (open * tint);
  for (std::size_t l = 0; l < lights.lamps.size(); ++l) {
    const Beam b = beam(lights.lamps[l], p);
    const float cosine = (normal.dot(b.to) + wrap) / (1 + wrap);
    if (cosine <= 0) continue;
    const float seen = std::max(scattered, shadows[l].visibility(p, n, lights.lamps[l].radius, taps, pseudo_angle(p)) *
                                               std::min(1.0f, 0.25f + 1.5f * open));
    if (seen <= 0) continue;
    out += b.colour * seen * (albedo * cosine + strength * rough_lobe(normal, b.to, to_eye, alpha + 0.3f * b.size, f0));
  }
  const Vec3 mirrored = 2 * normal.dot(to_eye) * normal - to_eye;
  const float grazing = fresnel(f0, std::max(0.0f, normal.dot(to_eye)));
  out += lights.environment.mirror(mirrored) * (strength * std::min(grazing, 0.4f) * open * open);
  if (info.material == Material::kCloth) {  // loose fibres light up at the rim
    const float rim = std::pow(1 - std::max(0.0f, n.dot(to_eye)), 4.0f);
    out += albedo * lights.environment.diffuse(n).max(0.0f) * (0.5f * rim * open);
  }
  return out;
}

Rgb Stage::Impl::shade_card(int face, const Vec3& w, const Vec3& eye) const {
  const Index3& v = scene.card[face];
  const SceneFace& info = scene.card_info[face];
  const Vec3 p = blend(scene.positions(), v, w);
  const Vec3 to_eye = (eye - p).normalized();
  Vec3 n = blend(scene.normals(), v, w).normalized();
  if (n.dot(to_eye) < 0) n = -n;
  float open = 0;
  Vec3 bent = 0.3f * n;
  Eigen::Array3f seen = Eigen::Array3f::Zero();
  for (int k = 0; k < 3; ++k) {
    open += w[k] * scene.hair_open()[v[k]];
    bent += w[k] * scene.occlusion()[v[k]].bent;
    seen += w[k] * card_light[v[k]];
  }
  bent.normalize();
  const Vec3 mirrored = 2 * n.dot(to_eye) * n - to_eye;
  if (info.material == Material::kLens) {
    Rgb out = lights.environment.mirror(mirrored) * 1.2f;
    for (const Lamp& lamp : lights.lamps) {
      const Beam b = beam(lamp, p);
      const float angle = std::sqrt(std::max(0.0f, 2 - 2 * mirrored.dot(b.to)));
      out += b.colour * (3.0f * smoothstep(1.1f * b.size, 0.8f * b.size, angle));
    }
    return out;
  }
  const Rgb albedo = textures_sample(info, w);
  if (info.material == Material::kLash) return albedo * 0.15f * lights.environment.diffuse(bent).max(0.0f);
  const bool brow = info.material == Material::kBrow;
  const Vec3 t = blend(scene.tangents(), v, w).normalized();
  const float strand = luminance(albedo) / std::max(luminance(scene.textures[info.texture].mean), 1e-4f);
  const float shift = 0.08f * std::clamp(strand - 1, -1.0f, 1.0f);
  Rgb out = lights.environment.diffuse(bent).max(0.0f) * albedo * (brow ? 0.9f : open);
  const float shine = brow ? 0.2f : 1.0f;
  for (std::size_t l = 0; l < lights.lamps.size(); ++l) {
    const float light = seen[static_cast<Eigen::Index>(l)];
    if (light < 0.002f) continue;  // deep in the hair
    const Beam b = beam(lights.lamps[l], p);
    const HairAnswer a = hair_answer(t, n, b.to, to_eye, shift);
    out += b.colour * light *
           (albedo * (0.9f * a.diffuse) +
            shine * (Rgb(0.035f, 0.035f, 0.035f) * (a.white * strand) + albedo * (0.55f * a.coloured)));
  }
  return out;
}

}  // namespace mien
