// The performer as triangles: head, clothes, hair, brows, lashes and glasses in one vertex list, posed frame by frame.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "actor/stage/refine.h"
#include "actor/stage/shadow.h"
#include "actor/stage/texture.h"
#include "mien/actor/wardrobe.h"
#include "mien/head/head_assets.h"
#include "mien/head/head_motion.h"

namespace mien::stage {

enum class Material : std::uint8_t { kSkin, kEye, kTeeth, kGums, kTongue, kCloth, kFrame, kHair, kBrow, kLash, kLens };

struct SceneFace {
  Material material = Material::kSkin;
  int texture = -1;    // index into Scene::textures
  int head_face = -1;  // index into the head's faces; -1 for what is worn
  std::array<Vec2, 3> uv = {Vec2::Zero(), Vec2::Zero(), Vec2::Zero()};
  Vec2 at(float b0, float b1) const { return b0 * uv[0] + b1 * uv[1] + (1 - b0 - b1) * uv[2]; }
};

// How much of the surroundings a vertex sees.
struct Occlusion {
  Vec3 bent = Vec3::UnitY();  // unit, mean open direction
  float open = 1;             // [0,1]
};

class Scene {
 public:
  Scene(const HeadModel& head, const HeadAssets& assets, const Performer& performer, bool with_hair);

  void pose(const MotionFrame& frame);

  // Of the last pose, world space. The head's vertices come first, in its own order.
  const std::vector<Vec3>& positions() const { return positions_; }
  const std::vector<Vec3>& normals() const { return normals_; }    // unit
  const std::vector<Vec3>& tangents() const { return tangents_; }  // unit, along the strands; cards only
  const std::vector<Occlusion>& occlusion() const { return occlusion_; }
  // Openness of hair, which scatters light on: of each vertex.
  const std::vector<float>& hair_open() const { return hair_open_; }

  std::vector<Index3> solid, card;               // faces that hide what is behind them; see-through ones
  std::vector<SceneFace> solid_info, card_info;  // one a face
  std::vector<Texture> textures;

  float card_alpha(int face, float b0, float b1) const;
  ShadowCasters casters() const;
  const HeadModel& head() const { return head_; }
  // The head's centre and eyes as posed; for light and eye shading.
  Vec3 head_point(const Vec3& at_rest) const;

 private:
  void tuck_in(std::vector<char>& hidden);
  void add_head(const HeadAssets& assets, const Performer& performer, const std::vector<char>& hidden);
  // `levels` of refinement.
  void add_style(const HeadStyle& style, Material material, int texture, int levels);
  void add_glasses(const Performer& performer);
  void bake_occlusion();
  std::vector<Occlusion> measure_occlusion() const;

  const HeadModel& head_;
  struct Worn {
    HeadStyle style;
    int first;  // vertex
    std::vector<Refinement> levels;
  };
  std::vector<Worn> worn_;
  std::vector<std::pair<int, Vec3>> tucked_;  // head vertices under the rim of clothes, and how far they are sunk
  std::vector<Vec3> positions_, normals_, tangents_, head_space_, style_vertices_;
  std::vector<Occlusion> occlusion_, occlusion_closed_, occlusion_open_;
  std::vector<float> hair_open_;
  std::vector<char> in_mouth_;  // of head vertices: teeth, gums, tongue
  float widest_mouth_ = 0;      // gap of the lips with the jaw wide open, mm; 0 = cannot be measured
  HeadPose last_pose_;
  int jaw_open_ = -1, mouth_close_ = -1;
};

// Combs hair that hangs over an eye to the sides of the face; other styles stay as they are. `head` at rest.
void sweep_hair(const HeadModel& head, HeadStyle& style);

// Colours a texture anew: its own light and dark stay, around the target colour (linear).
void recolour(Texture& texture, const Rgb& target, float contrast);

// A frame and two lenses that sit on the nose of this head, as a style bound to the top of the skull.
struct GlassesMesh {
  HeadStyle frame, lenses;
};
GlassesMesh make_glasses(const HeadModel& head);

}  // namespace mien::stage
