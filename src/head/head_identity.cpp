// One person out of the identity space, and what a linear basis cannot say: that eyes of another shape must still
// close.
#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/head/head_model.h"

namespace mien {
namespace {

using Pairs = std::vector<std::array<int, 2>>;

// Changes `field` (a blink) so that the lid edges of this person meet, the upper lid going most of the way; the skin
// around follows with a smooth falloff.
void close_for_person(const HeadModel& person, const Pairs& lids, Vec3* field) {
  constexpr float kUpperShare = 0.75f;
  constexpr float kKernel = 0.003f;   // metres: blends the corrections of neighbouring edge vertices
  constexpr float kFalloff = 0.007f;  // metres: how far from the edge the skin follows
  const std::vector<Vec3>& at = person.mesh.positions;
  struct Correction {
    Vec3 place, shift;
  };
  std::array<std::vector<Correction>, 2> corrections;  // upper, lower
  float largest = 0;
  for (const auto& [upper, lower] : lids) {
    const Vec3 gap = at[lower] + field[lower] - at[upper] - field[upper];
    corrections[0].push_back({at[upper], kUpperShare * gap});
    corrections[1].push_back({at[lower], (kUpperShare - 1) * gap});
    largest = std::max(largest, gap.norm());
  }
  if (largest < 1e-5f) return;
  const Vec3 centre = 0.5f * (at[lids.front()[0]] + at[lids.back()[0]]);
  const float reach = 0.5f * (at[lids.front()[0]] - at[lids.back()[0]]).norm() + 3 * kFalloff;
  std::vector<bool> is_upper(at.size(), false), is_edge(at.size(), false);
  for (const auto& [upper, lower] : lids) {
    is_upper[upper] = true;
    is_edge[upper] = is_edge[lower] = true;
  }
  for (int v = 0; v < person.vertex_count(); ++v) {
    if ((at[v] - centre).squaredNorm() > reach * reach) continue;
    std::array<bool, 2> may = {false, false};  // follow the upper edge, the lower edge
    switch (person.region[v]) {
      case HeadRegion::kUpperLidLeft:
      case HeadRegion::kUpperLidRight:
        may = {true, false};
        break;
      case HeadRegion::kLowerLidLeft:
      case HeadRegion::kLowerLidRight:
        may = {false, true};
        break;
      case HeadRegion::kLashes:
        may = {true, true};
        break;
      default:
        continue;
    }
    if (is_edge[v]) may = {is_upper[v], !is_upper[v]};
    Vec3 sum = Vec3::Zero();
    float weights = 0, nearest = 1e9f;
    for (std::size_t side = 0; side < 2; ++side) {
      if (!may[side]) continue;
      for (const Correction& c : corrections[side]) {
        const float distance = (at[v] - c.place).squaredNorm();
        const float weight = std::exp(-distance / (2 * kKernel * kKernel)) + 1e-12f;
        sum += weight * c.shift;
        weights += weight;
        nearest = std::min(nearest, distance);
      }
    }
    const float amount = person.region[v] == HeadRegion::kLashes ? 1.0f : std::exp(-nearest / (kFalloff * kFalloff));
    field[v] += amount * sum / weights;
  }
  // The kernel blurs; the edges themselves are exact.
  for (const auto& [upper, lower] : lids) {
    const Vec3 gap = at[lower] + field[lower] - at[upper] - field[upper];
    field[upper] += kUpperShare * gap;
    field[lower] += (kUpperShare - 1) * gap;
  }
}

}  // namespace

HeadModel HeadModel::with_identity(const std::vector<float>& weights) const {
  if (static_cast<int>(weights.size()) > identity_count()) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{} identity weights for a head with {} modes", weights.size(), identity_count()),
                "give at most as many weights as there are modes");
  }
  HeadModel person = *this;
  person.identity.clear();
  person.identity_names.clear();
  person.joint_identity.clear();
  const std::size_t vertices = mesh.positions.size();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    const Vec3* mode = identity.data() + i * vertices;
    for (std::size_t v = 0; v < vertices; ++v) person.mesh.positions[v] += weights[i] * mode[v];
    for (int j = 0; j < kHeadJointCount; ++j) person.joints[j] += weights[i] * joint_identity[i][j];
  }
  const auto close = [&](const char* name, const Pairs& lids) {
    if (!lids.empty())
      close_for_person(person, lids, person.expression.data() + static_cast<std::size_t>(arkit_index(name)) * vertices);
  };
  close("eyeBlinkLeft", contours.lids_left);
  close("eyeBlinkRight", contours.lids_right);
  return person;
}

}  // namespace mien
