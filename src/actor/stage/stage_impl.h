// The inside of Stage: what one performer needs to be lit and drawn.
#pragma once

#include <memory>
#include <vector>

#include "actor/stage/lights.h"
#include "actor/stage/scene.h"
#include "actor/stage/shadow.h"
#include "actor/stage/skin_bake.h"
#include "actor/stage/skin_light.h"
#include "actor/stage/wrinkles.h"
#include "mien/actor/stage.h"
#include "mien/geometry/raster.h"

namespace mien {

// Directions in which atlas coordinates grow on a face, texels per metre; turns slopes of the maps into normals.
struct FaceGradient {
  Vec3 u, v;
};

struct EyeState {
  Vec3 centre, axis;  // axis: unit, out of the pupil
};

// A point of a solid surface, ready to be lit; or the mean of several.
struct ShadePoint {
  int face = -1;  // index into Scene::solid
  Vec3 p = Vec3::Zero(), n = Vec3::Zero(), bent = Vec3::Zero();
  stage::Texel4 albedo = stage::Texel4::Zero(), detail = stage::Texel4::Zero();  // as in SkinMaps
  stage::LightTexel light = stage::LightTexel::Zero();                           // skin only
  float open = 0;
  void add(const ShadePoint& other);  // sums; the face stays
  void divide(int count);
};

struct Stage::Impl {
  Impl(const HeadModel& model, const HeadAssets& assets, const Performer& performer, const StageOptions& options);

  void set_frame(const MotionFrame& frame);
  void apply_wrinkles(const std::vector<float>& expression);
  void light_cards();
  void find_eyes(const MotionFrame& frame);

  StagePicture draw(const Camera& camera) const;
  void find_parts();  // solid_part
  // Labels of the samples' pixels. `front`: how much of what lies behind a sample hair and other cards hide.
  Image8 label(const RasterBuffer& seen, const std::vector<float>& front, const Image8& matte) const;
  // True for large, smooth surfaces, whose light is worked out once for all samples of a pixel.
  bool shares_light(int face) const;
  ShadePoint surface_point(int face, const Vec3& weights, const Vec3& eye) const;
  // Colour of a point, linear.
  stage::Rgb shade(const ShadePoint& point, const Vec3& eye) const;
  stage::Rgb shade_skin(const stage::SceneFace& info, const ShadePoint& point, const Vec3& to_eye) const;
  stage::Rgb shade_eye(const stage::SceneFace& info, const ShadePoint& point, const Vec3& to_eye) const;
  stage::Rgb shade_plain(const stage::SceneFace& info, const ShadePoint& point, const Vec3& to_eye) const;
  void shade_pixel(const RasterBuffer& seen, int x, int y, const Vec3& eye, stage::Map<stage::Texel4>& samples) const;
  stage::Rgb textures_sample(const stage::SceneFace& info, const Vec3& w) const;
  stage::Rgb shade_card(int face, const Vec3& weights, const Vec3& eye) const;

  HeadModel person;
  Performer performer;
  StageOptions options;
  stage::LightSetup lights;
  stage::Scene scene;
  std::vector<std::uint8_t> solid_part;  // one a face of scene.solid: head 1, neck 2, torso 3
  stage::Atlas atlas;
  stage::SkinMaps skin;
  std::vector<stage::WrinkleGroup> wrinkles;
  stage::Map<stage::Texel4> still_detail;  // of the face at rest; `skin.detail` is that of the frame
  stage::SkinLight skin_light;

  std::vector<stage::ShadowMap> shadows;   // one a lamp
  std::vector<FaceGradient> gradients;     // one a head face
  std::vector<Eigen::Array3f> card_light;  // [positions] share of each lamp that reaches a vertex through the hair
  std::vector<float> active;               // of each wrinkle group, as last applied
  std::array<int, 2> eye_apex = {-1, -1};  // foremost vertex of each eyeball
  std::array<EyeState, 2> eyes;
  bool posed = false;
};

}  // namespace mien
