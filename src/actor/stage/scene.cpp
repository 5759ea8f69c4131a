#include "actor/stage/scene.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/head/measures.h"

namespace mien::stage {
namespace {

Material part_material(HeadPart part) {
  switch (part) {
    case HeadPart::kEyeLeft:
    case HeadPart::kEyeRight:
      return Material::kEye;
    case HeadPart::kTeethUpper:
    case HeadPart::kTeethLower:
      return Material::kTeeth;
    case HeadPart::kGums:
      return Material::kGums;
    case HeadPart::kTongue:
      return Material::kTongue;
    case HeadPart::kLashes:
      return Material::kLash;
    case HeadPart::kBrows:
      return Material::kBrow;
    default:
      return Material::kSkin;
  }
}

bool is_card(Material material) {
  return material == Material::kHair || material == Material::kBrow || material == Material::kLash ||
         material == Material::kLens;
}

// How often the faces of a style are split: clothes twice where that stays light, hair once.
int refinement_levels(StyleKind kind, std::size_t faces) {
  constexpr std::size_t kMostFaces = 36000;
  const int wanted = kind == StyleKind::kClothes ? 2 : kind == StyleKind::kHair ? 1 : 0;
  int levels = 0;
  while (levels < wanted && (faces *= 4) <= kMostFaces) ++levels;
  return levels;
}

Texture decode_or_plain(const HeadTexture& source, const Rgb& plain) {
  if (!source.colour.empty()) return decode_texture(source);
  Texture texture;
  Texel4 value;
  value << plain, 1;
  texture.map = Map<Texel4>(2, 2, value);
  texture.mean = plain;
  return texture;
}

}  // namespace

void recolour(Texture& texture, const Rgb& target, float contrast) {
  const float mean = std::max(luminance(texture.mean), 1e-4f);
  for (Texel4& t : texture.map.texels) {
    const float relative = luminance(t.head<3>()) / mean;
    t.head<3>() = target * std::clamp(std::pow(std::max(relative, 1e-3f), contrast), 0.15f, 3.0f);
  }
  texture.mean = target;
}

Scene::Scene(const HeadModel& head, const HeadAssets& assets, const Performer& performer, bool with_hair)
    : head_(head), jaw_open_(arkit_index("jawOpen")), mouth_close_(arkit_index("mouthClose")) {
  positions_.resize(head.mesh.positions.size());
  std::vector<char> hidden(head.mesh.faces.size(), 0);
  const auto wear = [&](StyleKind kind, const std::string& name, Material material, const Colour& colour,
                        float contrast) {
    if (name.empty()) return;
    HeadStyle style = assets.style(kind, name);
    if (kind == StyleKind::kHair) sweep_hair(head, style);
    Texture texture = decode_or_plain(style.texture, linear_colour(colour));
    recolour(texture, linear_colour(colour), contrast);
    textures.push_back(std::move(texture));
    add_style(style, material, static_cast<int>(textures.size()) - 1, refinement_levels(kind, style.faces.size()));
    for (const int f : style.hidden_faces) hidden[f] = 1;
  };
  wear(StyleKind::kClothes, performer.clothes, Material::kCloth, performer.clothes_colour, 0.5f);
  if (with_hair) {
    wear(StyleKind::kHair, performer.hair, Material::kHair, performer.hair_colour, 0.75f);
    wear(StyleKind::kBeard, performer.beard, Material::kHair, performer.hair_colour, 0.75f);
    wear(StyleKind::kMoustache, performer.moustache, Material::kHair, performer.hair_colour, 0.75f);
    wear(StyleKind::kBrows, performer.brows, Material::kBrow, performer.brow_colour, 0.5f);
  }
  if (performer.glasses) add_glasses(performer);
  tuck_in(hidden);
  add_head(assets, performer, hidden);
  bake_occlusion();
}

// Clothes hide the skin under them, but a collar that stands off would show where the skin ends. The first rings of
// hidden skin are drawn after all, sunk ever deeper so that they do not come through the cloth.
void Scene::tuck_in(std::vector<char>& hidden) {
  constexpr int kRings = 3;
  constexpr float kSink = 0.0025f;  // metres a ring
  const auto& faces = head_.mesh.faces;
  std::vector<char> reached(head_.mesh.positions.size(), 0);
  for (std::size_t f = 0; f < faces.size(); ++f) {
    if (hidden[f] == 0 && head_.face_part[f] == HeadPart::kSkin) {
      for (int k = 0; k < 3; ++k) reached[faces[f][k]] = 1;
    }
  }
  const std::vector<Vec3> normals = vertex_normals(head_.mesh.positions, faces);
  for (int ring = 1; ring <= kRings; ++ring) {
    std::vector<char> next = reached;
    for (std::size_t f = 0; f < faces.size(); ++f) {
      const Index3& v = faces[f];
      if (hidden[f] == 0 || reached[v[0]] + reached[v[1]] + reached[v[2]] == 0) continue;
      hidden[f] = 0;
      for (int k = 0; k < 3; ++k) {
        if (next[v[k]] != 0) continue;
        next[v[k]] = 1;
        tucked_.emplace_back(v[k], -kSink * static_cast<float>(ring) * normals[v[k]]);
      }
    }
    reached = next;
  }
}

void Scene::add_head(const HeadAssets& assets, const Performer& performer, const std::vector<char>& hidden) {
  const int first = static_cast<int>(textures.size());
  textures.push_back(decode_or_plain(assets.iris(performer.iris), Rgb(0.5f, 0.5f, 0.5f)));
  textures.push_back(decode_or_plain(assets.teeth, Rgb(0.7f, 0.66f, 0.58f)));
  textures.push_back(decode_or_plain(assets.tongue, Rgb(0.45f, 0.16f, 0.14f)));
  textures.push_back(decode_or_plain(assets.lashes, Rgb(0.02f, 0.02f, 0.02f)));
  textures.push_back(decode_or_plain(assets.brows, linear_colour(performer.brow_colour)));
  recolour(textures.back(), linear_colour(performer.brow_colour), 0.5f);
  for (std::size_t f = 0; f < head_.mesh.faces.size(); ++f) {
    const Material material = part_material(head_.face_part[f]);
    if (hidden[f] != 0) continue;
    if (material == Material::kBrow && !performer.brows.empty()) continue;
    SceneFace info;
    info.material = material;
    info.head_face = static_cast<int>(f);
    switch (material) {
      case Material::kEye:
        info.texture = first;
        break;
      case Material::kTeeth:
      case Material::kGums:
        info.texture = first + 1;
        break;
      case Material::kTongue:
        info.texture = first + 2;
        break;
      case Material::kLash:
        info.texture = first + 3;
        break;
      case Material::kBrow:
        info.texture = first + 4;
        break;
      default:
        break;
    }
    for (int k = 0; k < 3; ++k) info.uv[k] = head_.mesh.uv[head_.mesh.face_uv[f][k]];
    // The eyes' outer shell, a clear cornea, is mapped to this corner of the texture; eye shading adds what it does.
    if (material == Material::kEye && info.at(1.0f / 3, 1.0f / 3).x() > 0.85f &&
        info.at(1.0f / 3, 1.0f / 3).y() < 0.15f) {
      continue;
    }
    (is_card(material) ? card : solid).push_back(head_.mesh.faces[f]);
    (is_card(material) ? card_info : solid_info).push_back(info);
  }
}

void Scene::add_style(const HeadStyle& style, Material material, int texture, int levels) {
  const int first = static_cast<int>(positions_.size());
  Worn worn{style, first, {}};
  std::vector<Index3> faces = style.faces;
  std::vector<std::array<Vec2, 3>> uv(faces.size(), {Vec2::Zero(), Vec2::Zero(), Vec2::Zero()});
  for (std::size_t f = 0; f < style.face_uv.size(); ++f) {
    for (int k = 0; k < 3; ++k) uv[f][k] = style.uv[style.face_uv[f][k]];
  }
  int count = static_cast<int>(style.binding.size());
  for (int level = 0; level < levels; ++level) {
    worn.levels.emplace_back(faces, count);
    faces = worn.levels.back().faces();
    count = worn.levels.back().vertex_count();
    std::vector<std::array<Vec2, 3>> finer;
    for (const auto& corners : uv) {
      for (const auto& split : split_corners(corners)) finer.push_back(split);
    }
    uv = std::move(finer);
  }
  positions_.resize(positions_.size() + static_cast<std::size_t>(count));
  for (std::size_t f = 0; f < faces.size(); ++f) {
    SceneFace info;
    info.material = material;
    info.texture = texture;
    info.uv = uv[f];
    (is_card(material) ? card : solid).push_back(faces[f] + Index3::Constant(first));
    (is_card(material) ? card_info : solid_info).push_back(info);
  }
  worn_.push_back(std::move(worn));
}

void Scene::add_glasses(const Performer& performer) {
  const GlassesMesh glasses = make_glasses(head_);
  HeadTexture none;
  textures.push_back(decode_or_plain(none, linear_colour(performer.glasses_colour)));
  add_style(glasses.frame, Material::kFrame, static_cast<int>(textures.size()) - 1, 0);
  add_style(glasses.lenses, Material::kLens, -1, 0);
}

float Scene::card_alpha(int face, float b0, float b1) const {
  const SceneFace& info = card_info[face];
  if (info.material == Material::kLens) return 0.04f;
  return textures[info.texture].alpha(info.at(b0, b1));
}

ShadowCasters Scene::casters() const {
  return {positions_, solid, card, [this](int f, float b0, float b1) { return card_alpha(f, b0, b1); }};
}

void Scene::pose(const MotionFrame& frame) {
  const Vec3* offsets = frame.offsets.empty() ? nullptr : frame.offsets.data();
  head_.deform(frame.expression.data(), static_cast<int>(frame.expression.size()), offsets, head_space_);
  std::vector<Vec3> posed = head_space_;
  for (const auto& [vertex, sink] : tucked_) posed[vertex] += sink;
  head_.pose(frame.pose, posed);
  std::copy(posed.begin(), posed.end(), positions_.begin());
  for (const Worn& worn : worn_) {
    evaluate_style(head_, worn.style, head_space_, frame.pose, style_vertices_);
    for (const Refinement& level : worn.levels) level.apply(style_vertices_);
    std::copy(style_vertices_.begin(), style_vertices_.end(), positions_.begin() + worn.first);
  }
  last_pose_ = frame.pose;

  normals_.assign(positions_.size(), Vec3::Zero());
  tangents_.assign(positions_.size(), Vec3::Zero());
  const auto add_normals = [&](const std::vector<Index3>& faces) {
    for (const Index3& f : faces) {
      const Vec3 n = (positions_[f[1]] - positions_[f[0]]).cross(positions_[f[2]] - positions_[f[0]]);
      for (int k = 0; k < 3; ++k) normals_[f[k]] += n;
    }
  };
  add_normals(solid);
  add_normals(card);
  for (std::size_t i = 0; i < card.size(); ++i) {
    // Strands run along v of the texture: the direction in which v grows on the surface.
    const Index3& f = card[i];
    const auto& uv = card_info[i].uv;
    const Vec3 e1 = positions_[f[1]] - positions_[f[0]], e2 = positions_[f[2]] - positions_[f[0]];
    const Vec2 d1 = uv[1] - uv[0], d2 = uv[2] - uv[0];
    const float det = d1.x() * d2.y() - d1.y() * d2.x();
    if (std::abs(det) < 1e-12f) continue;
    const Vec3 along = ((e2 * d1.x() - e1 * d2.x()) / det).normalized() * e1.cross(e2).norm();
    for (int k = 0; k < 3; ++k) tangents_[f[k]] += along;
  }
  for (Vec3& n : normals_) n = n.squaredNorm() > 1e-30f ? Vec3(n.normalized()) : Vec3(0, 0, 1);
  for (Vec3& t : tangents_) t = t.squaredNorm() > 1e-30f ? Vec3(t.normalized()) : Vec3(0, -1, 0);

  const auto weight = [&](int e) {
    return e >= 0 && e < static_cast<int>(frame.expression.size()) ? frame.expression[e] : 0.0f;
  };
  const float jaw = std::clamp(weight(jaw_open_) - weight(mouth_close_), 0.0f, 1.0f);
  // The mouth is lit through the gap of the lips, however they parted: a smile needs no jaw.
  const float mouth =
      widest_mouth_ > 0 ? std::sqrt(std::clamp(mouth_opening_mm(head_, head_space_) / widest_mouth_, 0.0f, 1.0f)) : jaw;
  const Quat turn = frame.pose.root * frame.pose.neck * frame.pose.head;  // good enough for a soft direction
  occlusion_.resize(occlusion_closed_.size());
  hair_open_.resize(occlusion_.size());
  for (std::size_t i = 0; i < occlusion_.size(); ++i) {
    const Occlusion &a = occlusion_closed_[i], &b = occlusion_open_[i];
    const float k = i < in_mouth_.size() && in_mouth_[i] != 0 ? mouth : jaw;
    const Vec3 bent = turn * mix(a.bent, b.bent, k);
    occlusion_[i] = {bent.squaredNorm() > 1e-12f ? Vec3(bent.normalized()) : normals_[i], mix(a.open, b.open, k)};
    hair_open_[i] = std::pow(occlusion_[i].open, 0.8f);
  }
}

Vec3 Scene::head_point(const Vec3& at_rest) const {
  // The pose of a point that follows the skull wholly: through a one-vertex style.
  HeadStyle style;
  StyleBinding binding;
  binding.vertices = Index3::Zero();
  binding.weights = Vec3::Zero();
  binding.offset = at_rest;
  binding.skin_weights = {1, 1};
  style.binding.push_back(binding);
  std::vector<Vec3> out;
  evaluate_style(head_, style, head_.mesh.positions, last_pose_, out);
  return out[0];
}

std::vector<Occlusion> Scene::measure_occlusion() const {
  constexpr int kDirections = 80;
  constexpr float kHidden = 0.003f;  // metres behind the first surface that count as hidden
  std::vector<Vec3> bent(positions_.size(), Vec3::Zero());
  std::vector<float> open(positions_.size(), 0), total(positions_.size(), 1e-6f);
  std::vector<char> on_card(positions_.size(), 0);
  for (const Index3& f : card) on_card[f[0]] = on_card[f[1]] = on_card[f[2]] = 1;
  const Vec3 centre(0, -0.05f, -0.02f);
  const std::vector<Vec3> directions = sphere_directions(kDirections);
  // One task a direction (what it calls then stays on its thread); summed up afterwards in a fixed order.
  std::vector<std::vector<float>> seen(kDirections);
  parallel_for(kDirections, 1, [&](std::int64_t k) {
    ShadowMap map;
    map.draw(casters(), centre + 3 * directions[k], centre, 0.34f, 320);
    seen[k].resize(positions_.size());
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      const bool hair = on_card[i] != 0;
      if (!hair && normals_[i].dot(directions[k]) <= 0) continue;
      const float behind = map.depth_behind(positions_[i] + normals_[i] * (hair ? 0.0f : 0.002f));
      seen[k][i] = hair ? std::exp(-behind / 0.02f) : (behind > kHidden ? 0.0f : 1.0f);
    }
  });
  for (int k = 0; k < kDirections; ++k) {
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      const float cosine = on_card[i] != 0 ? 0.5f : std::max(0.0f, normals_[i].dot(directions[k]));
      total[i] += cosine;
      open[i] += cosine * seen[k][i];
      bent[i] += directions[k] * (cosine * seen[k][i]);
    }
  }
  std::vector<Occlusion> result(positions_.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    const Vec3 direction = bent[i] + 0.05f * normals_[i];
    result[i] = {direction.normalized(), open[i] / total[i]};
  }
  return result;
}

void Scene::bake_occlusion() {
  in_mouth_.assign(head_.mesh.positions.size(), 0);
  for (std::size_t f = 0; f < head_.mesh.faces.size(); ++f) {
    const HeadPart part = head_.face_part[f];
    if (part != HeadPart::kTeethUpper && part != HeadPart::kTeethLower && part != HeadPart::kGums &&
        part != HeadPart::kTongue) {
      continue;
    }
    for (int k = 0; k < 3; ++k) in_mouth_[head_.mesh.faces[f][k]] = 1;
  }
  MotionFrame rest;
  pose(rest);
  occlusion_closed_ = measure_occlusion();
  occlusion_open_ = occlusion_closed_;
  if (jaw_open_ >= 0 && jaw_open_ < head_.expression_count()) {
    rest.expression.assign(static_cast<std::size_t>(head_.expression_count()), 0.0f);
    rest.expression[jaw_open_] = 1;
    pose(rest);
    occlusion_open_ = measure_occlusion();
    if (!head_.contours.lips.empty()) widest_mouth_ = mouth_opening_mm(head_, head_space_);
  }
}

}  // namespace mien::stage
