#include "head/makehuman/expressions.h"

namespace mien::makehuman {
namespace {

constexpr std::array<const char*, 2> kSides = {"Left", "Right"};

}  // namespace

const std::vector<std::string> kExtraExpressions = {"lipsPart", "lowerLipTuck", "tongueUp"};

void add_mouth_expressions(const Sculptor& sculptor, Expressions& out) {
  const auto both = [&](const char* name, const Field& field) {
    for (int side = 0; side < 2; ++side) out[std::string(name) + kSides[side]] = sculptor.half(field, side);
  };
  both("mouthSmile", sculptor.sealed(sculptor.unit("mouth-corner-puller")));
  both("mouthFrown", sculptor.sealed(sculptor.unit("mouth-depression")));
  both("mouthDimple", sculptor.sealed(sculptor.unit("mouth-retraction")));
  both("mouthStretch", sculptor.unit("mouth-depression-retraction"));
  both("mouthPress", sculptor.sealed(sculptor.unit("mouth-compression")));
  const Field part = sculptor.unit("mouth-part-later");
  both("mouthLowerDown", sculptor.lower_lip_part(part));
  both("mouthUpperUp", sculptor.upper_lip_part(sculptor.unit("mouth-elevation")));
  out["mouthFunnel"] = sculptor.unit("mouth-eversion");
  out["mouthPucker"] = sculptor.sealed(sculptor.unit("mouth-pursing"));
  const Field compression = sculptor.unit("mouth-compression");
  out["mouthRollLower"] = sculptor.sealed(sculptor.lower_lip_part(compression));
  out["mouthRollUpper"] = sculptor.sealed(sculptor.upper_lip_part(compression));
  out["mouthShrugLower"] = sculptor.sealed(sculptor.lower_lip_part(sculptor.unit("mouth-protusion")));
  out["mouthShrugUpper"] = sculptor.sealed(sculptor.upper_lip_part(sculptor.unit("mouth-protusion")));
  const Field shift = sculptor.bump(sculptor.mouth_middle(), Vec3(0.045f, 0.04f, 0.05f), Vec3(0.009f, 0, 0));
  out["mouthLeft"] = sculptor.sealed(shift);
  out["mouthRight"] = sculptor.sealed(-1.0f * shift);
  out["lipsPart"] = sculptor.unit("mouth-parling");
  out["lowerLipTuck"] = sculptor.lower_lip_part(sculptor.unit("mouth-compression"));
}

}  // namespace mien::makehuman
