#include "head/makehuman/expressions.h"

namespace mien::makehuman {
namespace {

constexpr float kJawOpen = 0.38f;              // radians at jawOpen = 1
const Vec3 kJawOpenSlide(0, -0.001f, 0.006f);  // the condyles slide forward as the mouth opens

Field tongue_moved(const Sculptor& sculptor, const Vec3& tip_shift) {
  Field field = sculptor.zero();
  float front = -1e9f, back = 1e9f;
  for (const int v : sculptor.map().tongue) {
    front = std::max(front, sculptor.rest()[v].z());
    back = std::min(back, sculptor.rest()[v].z());
  }
  for (const int v : sculptor.map().tongue) {
    const float share = smooth_step(0.0f, 1.0f, (sculptor.rest()[v].z() - back) / (front - back));
    field[v] = share * tip_shift;
  }
  return field;
}

}  // namespace

void add_jaw_expressions(const Sculptor& sculptor, Expressions& out) {
  const Field open = sculptor.jaw(kJawOpen, 0, kJawOpenSlide);
  out["jawOpen"] = open;
  out["jawForward"] = sculptor.sealed(sculptor.jaw(0, 0, Vec3(0, 0, 0.006f)));
  out["jawLeft"] = sculptor.sealed(sculptor.jaw(0, 0.06f, Vec3(0.003f, 0, 0)));
  out["jawRight"] = sculptor.sealed(sculptor.jaw(0, -0.06f, Vec3(-0.003f, 0, 0)));
  // mouthClose undoes what jawOpen does to the lips: both together are an open jaw behind closed lips. The lower lip
  // comes back up with the skin below it, less and less towards the chin; the upper lip meets it.
  const float line = sculptor.mouth_middle().y(), mouth_back = sculptor.mouth_middle().z() - 0.045f;
  const Field lip_back = sculptor.masked(open, [line, mouth_back](const Vec3& p) {
    return 0.8f * smooth_step(0.034f, 0.002f, line - p.y()) * smooth_step(0.0f, 0.02f, p.z() - mouth_back);
  });
  Field parted = open;
  for (int v = 0; v < static_cast<int>(parted.size()); ++v) {
    const bool is_skin = !sculptor.map().neighbours[v].empty();
    if (is_skin) parted[v] -= sculptor.map().lip_depth[v] * lip_back[v];
  }
  out["mouthClose"] = sculptor.sealed(parted, {0.35f, 0.45f, 0.85f}) - open;
  out["tongueOut"] = tongue_moved(sculptor, Vec3(0, 0.002f, 0.03f)) + 0.45f * open;
  out["tongueUp"] = tongue_moved(sculptor, Vec3(0, 0.006f, 0.004f));
}

}  // namespace mien::makehuman
