#include "head/makehuman/expressions.h"

namespace mien::makehuman {
namespace {

constexpr std::array<const char*, 2> kSides = {"Left", "Right"};

// The lips drawn apart in the middle of the mouth, metres; the corners stay.
Field lips_apart(const Sculptor& sculptor, float up, float down) {
  const Vec3 reach(0.026f, 0.024f, 0.030f);
  const Field raised = sculptor.bump(sculptor.mouth_middle() + Vec3(0, 0.004f, 0), reach, Vec3(0, up, 0));
  const Field lowered = sculptor.bump(sculptor.mouth_middle() - Vec3(0, 0.004f, 0), reach, Vec3(0, -down, 0));
  return sculptor.upper_lip_part(raised) + sculptor.lower_lip_part(lowered);
}

// The lower lip under the edge of the upper teeth, as for F and V; the upper lip makes room.
Field lip_under_teeth(const Sculptor& sculptor) {
  const auto& line = sculptor.map().mouth[kMouthContact];
  const Vec3 lip = sculptor.rest()[line[kMouthLowerMiddle]];
  const Vec3 edge = sculptor.upper_teeth_edge();
  constexpr float kBefore = 0.0011f;  // metres of lip before the edge, and below it
  const Vec3 pull = edge + Vec3(0, -kBefore, kBefore) - lip;
  const Field tucked = sculptor.bump(lip, Vec3(0.034f, 0.016f, 0.030f), Vec3(0, pull.y(), pull.z()));
  return sculptor.lower_lip_part(tucked) + lips_apart(sculptor, 0.0025f, 0.0f);
}

}  // namespace

const std::vector<std::string> kExtraExpressions = {"lipsPart", "lowerLipTuck", "tongueUp"};

void add_mouth_expressions(const Sculptor& sculptor, Expressions& out) {
  const auto both = [&](const char* name, const Field& field) {
    for (int side = 0; side < 2; ++side) out[std::string(name) + kSides[side]] = sculptor.half(field, side);
  };
  const auto at_corners = [&](const Vec3& radius, const Vec3& push_left) {
    const Vec3 push_right(-push_left.x(), push_left.y(), push_left.z());
    return sculptor.bump(sculptor.mouth_corner(0), radius, push_left) +
           sculptor.bump(sculptor.mouth_corner(1), radius, push_right);
  };
  both("mouthSmile", sculptor.sealed(1.15f * sculptor.unit("mouth-corner-puller")));
  both("mouthFrown", sculptor.sealed(sculptor.unit("mouth-depression")));
  const Field dimple = at_corners(Vec3(0.018f, 0.014f, 0.02f), Vec3(0.003f, 0.0005f, -0.003f));
  both("mouthDimple", sculptor.sealed(sculptor.unit("mouth-retraction") + dimple));
  const Field stretch = at_corners(Vec3(0.034f, 0.028f, 0.04f), Vec3(0.0075f, -0.0025f, -0.004f));
  both("mouthStretch", sculptor.sealed(stretch + 0.4f * sculptor.unit("neck-platysma")));
  both("mouthPress", sculptor.sealed(sculptor.unit("mouth-compression")));
  both("mouthLowerDown", sculptor.lower_lip_part(sculptor.unit("mouth-part-later")));
  both("mouthUpperUp", sculptor.upper_lip_part(sculptor.unit("mouth-elevation")));
  const Field pucker = sculptor.sealed(sculptor.unit("mouth-pursing"));
  out["mouthPucker"] = pucker;
  out["mouthFunnel"] =
      sculptor.sealed(0.5f * sculptor.unit("mouth-eversion") + 0.45f * pucker) + lips_apart(sculptor, 0.0045f, 0.0055f);
  const Field compression = sculptor.unit("mouth-compression");
  out["mouthRollLower"] = sculptor.sealed(sculptor.lower_lip_part(1.2f * compression));
  out["mouthRollUpper"] = sculptor.sealed(sculptor.upper_lip_part(1.2f * compression));
  const Field forward = sculptor.unit("mouth-protusion");
  const Field chin =
      sculptor.bump(sculptor.chin() + Vec3(0, 0.010f, 0), Vec3(0.022f, 0.020f, 0.03f), Vec3(0, 0.004f, 0.001f));
  out["mouthShrugLower"] = sculptor.sealed(0.6f * sculptor.lower_lip_part(forward) + chin, {0.75f, 0.6f, 0.8f});
  out["mouthShrugUpper"] = sculptor.sealed(0.5f * sculptor.upper_lip_part(forward), {0.25f, 0.6f, 0.8f});
  const Field shift = sculptor.bump(sculptor.mouth_middle(), Vec3(0.045f, 0.04f, 0.05f), Vec3(0.008f, 0, 0));
  const Field off_teeth = sculptor.bump(sculptor.mouth_middle(), Vec3(0.035f, 0.02f, 0.05f), Vec3(0, 0, 0.0012f));
  out["mouthLeft"] = sculptor.sealed(shift + off_teeth);
  out["mouthRight"] = sculptor.sealed(-1.0f * shift + off_teeth);
  out["lipsPart"] = sculptor.unit("mouth-parling");
  out["lowerLipTuck"] = lip_under_teeth(sculptor);
}

}  // namespace mien::makehuman
