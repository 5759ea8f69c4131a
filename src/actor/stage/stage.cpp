#include "mien/actor/stage.h"

#include <algorithm>
#include <cmath>

#include "actor/stage/stage_impl.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {

using namespace stage;

namespace {

const StageOptions& checked(const StageOptions& o) {
  if (o.supersample < 1 || o.supersample > 4 || o.skin_texels < 128 || o.skin_texels > 4096 || !(o.light_scale >= 0) ||
      o.light_scale > 100) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("stage: supersample {}, skin texels {}, light scale {}", o.supersample, o.skin_texels,
                            o.light_scale),
                "supersample goes from 1 to 4, skin texels from 128 to 4096, light scale from 0 to 100");
  }
  return o;
}

constexpr int kShadowSize = 1024;      // texels a side
constexpr float kStageRadius = 0.36f;  // metres of stage that the lamps cover
const Vec3 kStageCentre(0, -0.07f, 0);

}  // namespace

Stage::Impl::Impl(const HeadModel& model, const HeadAssets& assets, const Performer& who, const StageOptions& opts)
    : person(performer_head(model, who)),
      performer(who),
      options(checked(opts)),
      lights(make_light_setup(who.light, opts.light_scale)),
      scene(person, assets, performer, opts.hair),
      atlas(make_atlas(model, opts.skin_texels)),
      skin_light(person, atlas),
      shadows(lights.lamps.size()) {
  const std::vector<AtlasTexel> coverage = cover_atlas(atlas, model, 1);
  const FaceFrame face(model);
  skin = bake_skin(model, atlas, coverage, face, decode_texture(assets.skin(performer.skin)), performer);
  if (options.wrinkles) wrinkles = make_wrinkles(face, skin.surface, performer.seed);
  skin.surface = {};
  still_detail = skin.detail;
  active.assign(wrinkles.size(), 0);
  find_parts();
  for (int v = 0; v < person.vertex_count(); ++v) {
    if (person.region[v] != HeadRegion::kEyes) continue;
    int& apex = eye_apex[person.mesh.positions[v].x() > 0 ? 0 : 1];
    if (apex < 0 || person.mesh.positions[v].z() > person.mesh.positions[apex].z()) apex = v;
  }
}

void Stage::Impl::apply_wrinkles(const std::vector<float>& expression) {
  for (std::size_t g = 0; g < wrinkles.size(); ++g) {
    if (active[g] == 0) continue;
    for (const WrinkleTexel& t : wrinkles[g].texels) skin.detail.texels[t.index] = still_detail.texels[t.index];
  }
  for (std::size_t g = 0; g < wrinkles.size(); ++g) {
    const float level = wrinkles[g].activation(expression);
    active[g] = performer.wrinkles * (performer.lines + (1 - performer.lines) * level);
    if (active[g] == 0) continue;
    for (const WrinkleTexel& t : wrinkles[g].texels) {
      Texel4& detail = skin.detail.texels[t.index];
      detail[0] += active[g] * t.slope_u;
      detail[1] += active[g] * t.slope_v;
      detail[2] = std::min(1.0f, detail[2] + active[g] * t.cavity);
    }
  }
}

void Stage::Impl::light_cards() {
  const std::vector<Vec3>& positions = scene.positions();
  card_light.assign(positions.size(), Eigen::Array3f::Zero());
  std::vector<char> needed(positions.size(), 0);
  for (const Index3& f : scene.card) needed[f[0]] = needed[f[1]] = needed[f[2]] = 1;
  constexpr float kThrough = 0.012f;  // metres of hair that let 1/e of the light through
  parallel_for(static_cast<std::int64_t>(positions.size()), 512, [&](std::int64_t i) {
    if (needed[i] == 0) return;
    for (std::size_t l = 0; l < shadows.size(); ++l) {
      float sum = 0;
      for (int k = 0; k < 5; ++k) {  // a few points round the vertex, so that single strands do not flicker
        const Vec3 nudge = k == 0
                               ? Vec3(Vec3::Zero())
                               : Vec3(0.004f * Vec3(k & 1 ? 1.0f : -1.0f, k & 2 ? 1.0f : -1.0f, k > 2 ? 1.0f : -1.0f));
        sum += std::exp(-std::max(0.0f, shadows[l].depth_behind(positions[i] + nudge) - 0.003f) / kThrough);
      }
      card_light[i][static_cast<Eigen::Index>(l)] = sum / 5;
    }
  });
}

void Stage::Impl::find_eyes(const MotionFrame&) {
  for (int e = 0; e < 2; ++e) {
    const HeadJoint joint = e == 0 ? HeadJoint::kEyeLeft : HeadJoint::kEyeRight;
    eyes[e].centre = scene.head_point(person.joints[static_cast<int>(joint)]);
    eyes[e].axis = Vec3::UnitZ();
    if (eye_apex[e] >= 0) eyes[e].axis = (scene.positions()[eye_apex[e]] - eyes[e].centre).normalized();
  }
}

void Stage::Impl::set_frame(const MotionFrame& frame) {
  scene.pose(frame);
  find_eyes(frame);
  const ShadowCasters casters = scene.casters();
  for (std::size_t l = 0; l < shadows.size(); ++l) {
    shadows[l].draw(casters, lights.lamps[l].position, kStageCentre, kStageRadius, kShadowSize);
  }
  apply_wrinkles(frame.expression);
  light_cards();
  skin_light.update(scene, lights, shadows, skin.detail);
  gradients.resize(person.mesh.faces.size());
  const std::vector<Vec3>& positions = scene.positions();
  parallel_for(static_cast<std::int64_t>(gradients.size()), 2048, [&](std::int64_t f) {
    const Index3& v = person.mesh.faces[f];
    const auto& c = atlas.corner[f];
    const Vec3 e1 = positions[v[1]] - positions[v[0]], e2 = positions[v[2]] - positions[v[0]];
    const Vec2 d1 = c[1] - c[0], d2 = c[2] - c[0];
    // Gradient of a linear function on a triangle, from its values at the corners.
    const float a = e1.dot(e1), b = e1.dot(e2), d = e2.dot(e2);
    const float det = a * d - b * b;
    if (!(det > 1e-20f)) {
      gradients[f] = {Vec3::Zero(), Vec3::Zero()};
      return;
    }
    const Vec3 g1 = (d * e1 - b * e2) / det, g2 = (a * e2 - b * e1) / det;
    gradients[f] = {d1.x() * g1 + d2.x() * g2, d1.y() * g1 + d2.y() * g2};
  });
  posed = true;
}

Stage::Stage(const HeadModel& model, const HeadAssets& assets, const Performer& performer, const StageOptions& options)
    : impl_(std::make_unique<Impl>(model, assets, performer, options)) {}
Stage::~Stage() = default;

const HeadModel& Stage::head() const {
  return impl_->person;
}

void Stage::set_frame(const MotionFrame& frame) {
  impl_->set_frame(frame);
}

StagePicture Stage::draw(const Camera& camera) const {
  MIEN_CHECK(impl_->posed, "draw() before set_frame()");
  return impl_->draw(camera);
}

}  // namespace mien
