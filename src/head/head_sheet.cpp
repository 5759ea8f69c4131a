#include "mien/head/head_sheet.h"

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

struct View {
  float yaw;  // radians, the camera's place around the head
};

Camera sheet_camera(const HeadModel& model, const HeadSheetOptions& options, float yaw) {
  Vec3 target(0, -0.025f, 0.04f);
  float height = 0.34f;
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

}  // namespace

Image8 draw_head_sheet(const HeadModel& model, const HeadAssets& assets, const HeadSheetOptions& options) {
  // Lashes and brows are cards with alpha, which the quick preview does not know: as plain colours they would be blots.
  std::vector<Index3> faces, face_uv;
  std::vector<Vec3> colours;
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const HeadPart part = model.face_part[f];
    if (part == HeadPart::kLashes || part == HeadPart::kBrows) continue;
    if (!options.skin.empty() && part != HeadPart::kSkin) continue;
    faces.push_back(model.mesh.faces[f]);
    if (!model.mesh.face_uv.empty()) face_uv.push_back(model.mesh.face_uv[f]);
    const auto& c = kPartColours[static_cast<std::size_t>(part)];
    colours.emplace_back(c[0], c[1], c[2]);
    // A dark iris shows where the eyes look.
    if (part == HeadPart::kEyeLeft || part == HeadPart::kEyeRight) {
      const Vec3 centre =
          model.joints[static_cast<int>(part == HeadPart::kEyeLeft ? HeadJoint::kEyeLeft : HeadJoint::kEyeRight)];
      Vec3 middle = Vec3::Zero();
      for (const int v : model.mesh.faces[f]) middle += model.mesh.positions[v] / 3;
      if (std::hypot(middle.x() - centre.x(), middle.y() - centre.y()) < 0.0058f)
        colours.back() = Vec3(0.25f, 0.35f, 0.45f);
    }
  }
  PreviewPaint paint;
  Image8 texture;
  if (options.skin.empty()) {
    paint.face_colour = colours;
  } else {
    const HeadTexture& skin = assets.skin(options.skin);
    texture = decode_image(skin.colour.data(), skin.colour.size(), "skin " + skin.name);
    paint.texture = &texture;
    paint.uv = model.mesh.uv;
    paint.face_uv = face_uv;
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
      pictures.push_back(shade_preview(vertices, faces, sheet_camera(model, options, yaw), paint));
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
