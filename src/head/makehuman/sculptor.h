// The tools that expressions are made with: MakeHuman's own units, the jaw, masks, and lines that must meet.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "head/makehuman/contacts.h"
#include "head/makehuman/face_map.h"

namespace mien::makehuman {

using Field = std::vector<Vec3>;                      // displacements [V], metres
using Mask = std::function<float(const Vec3& rest)>;  // weight of a place

Field operator+(Field a, const Field& b);
Field operator-(Field a, const Field& b);
Field operator*(float scale, Field a);

// 0 below `from`, 1 above `to`, smooth between (Hermite); `from` may be the larger.
float smooth_step(float from, float to, float x);

class Sculptor {
 public:
  Sculptor(const Source& source, const Assembly& assembly, const FaceMap& map, const std::vector<Vec3>& rest);

  const FaceMap& map() const { return map_; }
  const std::vector<Vec3>& rest() const { return rest_; }
  Field zero() const { return Field(rest_.size(), Vec3::Zero()); }

  // Mean of MakeHuman's expression unit over its three ethnicities; skin only. Name as in "mouth-open".
  Field unit(const std::string& name) const;
  // The jaw turned down by `open` radians about the joint before the ears, turned sideways by `yaw` (positive: chin to
  // the person's left), and shifted. Lower teeth, gums and tongue go along.
  Field jaw(float open, float yaw, const Vec3& shift) const;

  Field masked(Field field, const Mask& mask) const;
  // The half of a mouth or cheek field that belongs to one side (0 left, 1 right); the halves add up to the whole.
  Field half(const Field& field, int side) const;
  Field upper_lip_part(const Field& field) const;  // by ring positions near the mouth, by height beyond
  Field lower_lip_part(const Field& field) const;
  // A bump: `push` at `centre`, falling smoothly to 0 at `radius` (metres, an ellipsoid).
  Field bump(const Vec3& centre, const Vec3& radius, const Vec3& push) const;

  Field sealed(const Field& field, const SealOptions& options = {}) const;
  // Skin neighbours averaged, `rounds` times, where `mask` is more than 0.
  Field smoothed(Field field, int rounds, const Mask& mask) const;

  Vec3 mouth_middle() const { return mouth_middle_; }
  Vec3 mouth_corner(int side) const { return mouth_corner_[side]; }
  Vec3 chin() const { return chin_; }
  Vec3 upper_teeth_edge() const { return upper_teeth_edge_; }  // front middle

 private:
  const Source& source_;
  const Assembly& assembly_;
  const FaceMap& map_;
  const std::vector<Vec3>& rest_;
  std::vector<float> lower_lip_;  // [V] 1 on the lower side of the mouth, 0 on the upper
  Vec3 mouth_middle_, chin_, upper_teeth_edge_;
  std::array<Vec3, 2> mouth_corner_;
};

// Makes parts follow the skin they sit on: brows by their fitting, lashes by turning with the lid.
void carry_along(const Assembly& assembly, const FaceMap& map, const std::vector<Vec3>& rest, Field& field);

}  // namespace mien::makehuman
