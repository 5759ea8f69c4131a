#include "mien/head/head_sheet.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/geometry/preview.h"

namespace mien {
namespace {

constexpr std::array<std::array<float, 3>, 9> kPartColours = {{{0.80f, 0.66f, 0.58f},  // skin
                                                               {0.93f, 0.93f, 0.93f},  // eyes
                                                               {0.93f, 0.93f, 0.93f},
                                                               {0.95f, 0.94f, 0.88f},  // teeth
                                                               {0.90f, 0.90f, 0.80f},
                                                               {0.75f, 0.40f, 0.40f},    // gums
                                                               {0.85f, 0.45f, 0.45f},    // tongue
                                                               {0.15f, 0.10f, 0.08f},    // lashes
                                                               {0.30f, 0.22f, 0.15f}}};  // brows

Camera sheet_camera(const HeadModel& model, const HeadSheetOptions& options, float yaw) {
  Vec3 target(0, -0.02f, 0.04f);
  float height = 0.29f;
  if (options.zoom == "mouth") {
    const auto& lips = model.contours.lips;
    target = lips.empty() ? Vec3(0, -0.065f, 0.1f) : model.mesh.positions[lips[lips.size() / 2][0]];
    height = 0.095f;
  } else if (options.zoom == "eyes") {
    target = Vec3(0, 0.0f, 0.09f);
    height = 0.11f;
  }
  const float distance = 1.2f;
  const Vec3 eye = target + distance * Vec3(std::sin(yaw), 0.02f, std::cos(yaw));
  return look_at(eye, target, 2 * std::atan(0.5f * height / distance), options.size, options.size);
}

// The colour of a face that wears no skin texture.
Vec3 plain_colour(const HeadModel& model, int f) {
  constexpr float kIris = 0.0058f;  // metres
  const HeadPart part = model.face_part[f];
  const auto& c = kPartColours[static_cast<std::size_t>(part)];
  if (part != HeadPart::kEyeLeft && part != HeadPart::kEyeRight) return {c[0], c[1], c[2]};
  // A dark iris shows where the eyes look.
  const HeadJoint joint = part == HeadPart::kEyeLeft ? HeadJoint::kEyeLeft : HeadJoint::kEyeRight;
  Vec3 middle = -model.joints[static_cast<int>(joint)];
  for (const int v : model.mesh.faces[f]) middle += model.mesh.positions[v] / 3;
  const bool is_iris = middle.z() > 0 && std::hypot(middle.x(), middle.y()) < kIris;
  return is_iris ? Vec3(0.25f, 0.35f, 0.45f) : Vec3(c[0], c[1], c[2]);
}

// What the preview draws: all parts but the cards with alpha, which it would show as blots.
struct Drawn {
  std::vector<Index3> faces;
  std::vector<Vec3> colours;  // [faces], when there is no skin
  Image8 texture;             // the skin with patches of plain colour below it
  std::vector<Vec2> uv;
  std::vector<Index3> face_uv;  // [faces]
};

Drawn gather(const HeadModel& model, const HeadAssets& assets, const std::string& skin_name) {
  Drawn drawn;
  constexpr int kPatch = 8;  // pixels; the picture gets one row of patches below
  if (!skin_name.empty()) {
    const HeadTexture& skin = assets.skin(skin_name);
    const Image8 picture = decode_image(skin.colour.data(), skin.colour.size(), "skin " + skin.name);
    drawn.texture = Image8(picture.width, picture.height + kPatch, 3);
    std::copy(picture.pixels.begin(), picture.pixels.end(), drawn.texture.pixels.begin());
    const float kept = static_cast<float>(picture.height) / static_cast<float>(drawn.texture.height);
    for (const Vec2& p : model.mesh.uv) drawn.uv.emplace_back(p.x(), 1 - kept * (1 - p.y()));
  }
  std::vector<Vec3> patches;
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const HeadPart part = model.face_part[f];
    if (part == HeadPart::kLashes || part == HeadPart::kBrows) continue;
    drawn.faces.push_back(model.mesh.faces[f]);
    const Vec3 colour = plain_colour(model, f);
    drawn.colours.push_back(colour);
    if (skin_name.empty()) continue;
    if (part == HeadPart::kSkin) {
      drawn.face_uv.push_back(model.mesh.face_uv[f]);
      continue;
    }
    const auto known = std::find(patches.begin(), patches.end(), colour);
    const int patch = static_cast<int>(known - patches.begin());
    if (known == patches.end()) {
      patches.push_back(colour);
      for (int y = drawn.texture.height - kPatch; y < drawn.texture.height; ++y) {
        for (int x = patch * kPatch; x < (patch + 1) * kPatch; ++x) {
          for (int c = 0; c < 3; ++c) drawn.texture.at(x, y)[c] = static_cast<std::uint8_t>(255 * colour[c]);
        }
      }
      drawn.uv.emplace_back((static_cast<float>(patch) + 0.5f) * kPatch / static_cast<float>(drawn.texture.width),
                            0.5f * kPatch / static_cast<float>(drawn.texture.height));
    }
    drawn.face_uv.push_back(Index3::Constant(static_cast<int>(drawn.uv.size() - patches.size()) + patch));
  }
  return drawn;
}

}  // namespace

Image8 draw_head_sheet(const HeadModel& model, const HeadAssets& assets, const HeadSheetOptions& options) {
  const Drawn drawn = gather(model, assets, options.skin);
  PreviewPaint paint;
  if (options.skin.empty()) {
    paint.face_colour = drawn.colours;
  } else {
    paint.texture = &drawn.texture;
    paint.uv = drawn.uv;
    paint.face_uv = drawn.face_uv;
  }
  std::vector<Image8> pictures;
  std::vector<Vec3> vertices;
  std::vector<float> weights(static_cast<std::size_t>(model.expression_count()), 0.0f);
  for (int e = -1; e < model.expression_count(); ++e) {
    const std::string name = e < 0 ? "neutral" : model.expression_names[e];
    if (!options.only.empty() && name.find(options.only) == std::string::npos) continue;
    if (e >= 0) weights[e] = 1;
    model.deform(weights.data(), model.expression_count(), nullptr, vertices);
    if (e >= 0) weights[e] = 0;
    for (const float yaw : {0.0f, 0.9f}) {
      pictures.push_back(shade_preview(vertices, drawn.faces, sheet_camera(model, options, yaw), paint));
      if (yaw == 0) draw_text(pictures.back(), 4, 4, name);
    }
  }
  if (pictures.empty()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("no expression has \"{}\" in its name", options.only),
                fmt::format("choose a part of: {}", fmt::join(model.expression_names, ", ")));
  }
  return tile_images(pictures, 8, 2);
}

}  // namespace mien
