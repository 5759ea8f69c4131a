#include "head/makehuman/expressions.h"

namespace mien::makehuman {
namespace {

constexpr std::array<const char*, 2> kSides = {"Left", "Right"};
constexpr std::array<const char*, 2> kUnitSides = {"left", "right"};

// Upper lid 1, lower lid 0, by position on the rings; beyond them by height above the line of the corners.
Field upper_lid_part(const Sculptor& sculptor, int side, const Field& field) {
  const EyeMap& eye = sculptor.map().eyes[side];
  const float middle = 0.5f * (sculptor.rest()[eye.rings[kLidContact][kLidInner]].y() +
                               sculptor.rest()[eye.rings[kLidContact][kLidOuter]].y());
  Field out =
      sculptor.masked(field, [middle](const Vec3& p) { return smooth_step(middle - 0.003f, middle + 0.003f, p.y()); });
  for (const auto& ring : eye.rings) {
    for (int p = 0; p < kLidRing; ++p) {
      const bool is_upper = p < kLidOuter || p > kLidInner;
      const bool is_corner = p == kLidInner || p == kLidOuter;
      out[ring[p]] = (is_corner ? 0.5f : is_upper ? 1.0f : 0.0f) * field[ring[p]];
    }
  }
  return out;
}

Field blink(const Sculptor& sculptor, int side) {
  const Field unit = sculptor.unit(std::string("eye-") + kUnitSides[side] + "-closure");
  std::vector<Vec3> positions = sculptor.rest() + unit;
  close_lids(sculptor.map(), side, 0.5f, positions);
  clear_eyeball(sculptor.map(), side, 0.0003f, positions);
  return positions - sculptor.rest();
}

float eye_x(const Sculptor& sculptor, int side) {
  return sculptor.map().eyes[side].centre.x();
}

// The lids carried along by the bulge of the cornea.
Field lids_shifted(const Sculptor& sculptor, int side, const Vec3& shift) {
  const EyeMap& eye = sculptor.map().eyes[side];
  return sculptor.bump(eye.centre + Vec3(0, 0, eye.radius), Vec3(0.016f, 0.010f, 0.02f), shift);
}

}  // namespace

void add_eye_expressions(const Sculptor& sculptor, Expressions& out) {
  for (int side = 0; side < 2; ++side) {
    const std::string name = kSides[side];
    const std::string unit = std::string("eye-") + kUnitSides[side];
    const float outward = side == 0 ? 1.0f : -1.0f;
    const Field closed = blink(sculptor, side);
    const Field wide = sculptor.unit(unit + "-opened-up");
    const Field slit = sculptor.unit(unit + "-slit");
    const Field upper_closed = upper_lid_part(sculptor, side, closed);
    const Vec3 under(eye_x(sculptor, side), sculptor.map().eyes[side].centre.y() - 0.012f,
                     sculptor.map().eyes[side].centre.z() + 0.012f);
    const Field lower_up = sculptor.bump(under, Vec3(0.017f, 0.010f, 0.02f), Vec3(0, 0.0015f, 0.0003f));
    const auto clear = [&](const Field& field) {
      std::vector<Vec3> positions = sculptor.rest() + field;
      clear_eyeball(sculptor.map(), side, 0.0002f, positions);
      return positions - sculptor.rest();
    };
    out["eyeBlink" + name] = closed;
    out["eyeWide" + name] = clear(wide);
    out["eyeSquint" + name] = clear(0.45f * slit + lower_up);
    out["eyeLookDown" + name] = 0.42f * upper_closed + lids_shifted(sculptor, side, Vec3(0, -0.001f, 0));
    out["eyeLookUp" + name] =
        0.5f * upper_lid_part(sculptor, side, wide) + lids_shifted(sculptor, side, Vec3(0, 0.0008f, 0.0002f));
    out["eyeLookOut" + name] = lids_shifted(sculptor, side, Vec3(0.0010f * outward, 0, 0));
    out["eyeLookIn" + name] = lids_shifted(sculptor, side, Vec3(-0.0010f * outward, 0, 0));
  }
}

}  // namespace mien::makehuman
