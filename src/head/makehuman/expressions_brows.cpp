#include "head/makehuman/expressions.h"

namespace mien::makehuman {
namespace {

constexpr std::array<const char*, 2> kSides = {"Left", "Right"};
constexpr std::array<const char*, 2> kUnitSides = {"left", "right"};

}  // namespace

void add_brow_expressions(const Sculptor& sculptor, Expressions& out) {
  Field inner_up = sculptor.zero();
  for (int side = 0; side < 2; ++side) {
    const std::string name = kSides[side];
    const std::string unit = std::string("eyebrows-") + kUnitSides[side];
    const std::string nose = std::string("nose-") + kUnitSides[side];
    const float outward = side == 0 ? 1.0f : -1.0f;
    out["browDown" + name] = sculptor.unit(unit + "-down");
    out["browOuterUp" + name] = 1.2f * sculptor.unit(unit + "-extern-up") + 0.3f * sculptor.unit(unit + "-up");
    inner_up = inner_up + 1.35f * sculptor.unit(unit + "-inner-up");
    out["noseSneer" + name] =
        1.3f * sculptor.unit(nose + "-elevation") +
        0.3f * sculptor.half(sculptor.sealed(sculptor.upper_lip_part(sculptor.unit("mouth-elevation"))), side);
    const EyeMap& eye = sculptor.map().eyes[side];
    const Vec3 under_eye = eye.centre + Vec3(0.004f * outward, -0.022f, eye.radius);
    out["cheekSquint" + name] =
        sculptor.bump(under_eye, Vec3(0.026f, 0.020f, 0.03f), Vec3(0.0012f * outward, 0.0055f, 0.0025f));
  }
  out["browInnerUp"] = inner_up;
  Field puff = sculptor.zero();
  for (int side = 0; side < 2; ++side) {
    const float outward = side == 0 ? 1.0f : -1.0f;
    const Vec3 cheek = sculptor.mouth_corner(side) + Vec3(0.014f * outward, 0.004f, -0.014f);
    puff = puff + sculptor.bump(cheek, Vec3(0.032f, 0.036f, 0.04f), Vec3(0.013f * outward, 0, 0.006f));
  }
  out["cheekPuff"] = sculptor.sealed(puff);
}

}  // namespace mien::makehuman
