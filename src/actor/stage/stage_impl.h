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

struct Stage::Impl {
  Impl(const HeadModel& model, const HeadAssets& assets, const Performer& performer, const StageOptions& options);

  void set_frame(const MotionFrame& frame);
  void apply_wrinkles(const std::vector<float>& expression);
  void light_cards();
  void find_eyes(const MotionFrame& frame);

  StagePicture draw(const Camera& camera) const;
  // Colour of a sample of a solid face, linear.
  stage::Rgb shade(int face, const Vec3& weights, const Vec3& eye) const;
  stage::Rgb shade_skin(const stage::SceneFace& info, const Index3& v, const Vec3& w, const Vec3& p, const Vec3& n,
                        const Vec3& to_eye) const;
  stage::Rgb shade_eye(const stage::SceneFace& info, const Index3& v, const Vec3& w, const Vec3& p, const Vec3& n,
                       const Vec3& to_eye) const;
  stage::Rgb shade_plain(const stage::SceneFace& info, const Index3& v, const Vec3& w, const Vec3& p, const Vec3& n,
                         const Vec3& to_eye) const;
  stage::Rgb textures_sample(const stage::SceneFace& info, const Vec3& w) const;
  stage::Rgb shade_card(int face, const Vec3& weights, const Vec3& eye) const;

  HeadModel person;
  Performer performer;
  StageOptions options;
  stage::LightSetup lights;
  stage::Scene scene;
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
