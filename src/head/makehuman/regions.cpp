#include "head/makehuman/regions.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "head/makehuman/contacts.h"
#include "head/makehuman/sculptor.h"

namespace mien::makehuman {
namespace {

void label_skin(const FaceMap& map, HeadModel& model) {
  const std::vector<Vec3>& at = model.mesh.positions;
  const Vec3& left_eye = model.joints[static_cast<int>(HeadJoint::kEyeLeft)];
  const float brow_line = left_eye.y() + 0.022f;
  const Vec3 mouth = at[map.mouth[kMouthContact][0]];
  const Vec3& head_joint = model.joints[static_cast<int>(HeadJoint::kHead)];
  const Vec3& neck_joint = model.joints[static_cast<int>(HeadJoint::kNeck)];
  for (int v = 0; v < model.vertex_count(); ++v) {
    const Vec3& p = at[v];
    HeadRegion region = HeadRegion::kFace;
    const float chin_line = mouth.y() - 0.045f;
    // The jaw line rises from the chin to the ear.
    const float jaw_line = chin_line + 0.45f * std::max(0.0f, mouth.z() - 0.01f - p.z());
    const bool is_face_front = p.z() > head_joint.z() + 0.005f;
    if (p.y() < neck_joint.y() + 0.012f - 0.35f * (p.z() - neck_joint.z()) * (p.z() > neck_joint.z() ? 1.0f : 0.0f)) {
      region = HeadRegion::kShoulders;
    } else if (p.y() < std::min(jaw_line, head_joint.y() + 0.0f)) {
      region = HeadRegion::kNeck;
    } else if (std::abs(p.x()) > 0.068f && p.y() > left_eye.y() - 0.055f && p.y() < left_eye.y() + 0.030f &&
               p.z() < left_eye.z() - 0.035f && p.z() > left_eye.z() - 0.105f) {
      region = HeadRegion::kEars;
    } else if (!is_face_front || p.y() > left_eye.y() + 0.075f + 0.0f) {
      region = HeadRegion::kScalp;
    } else if (p.y() > brow_line && p.z() > left_eye.z() - 0.03f) {
      region = HeadRegion::kForehead;
    } else if (std::abs(p.x()) < 0.022f && p.y() > mouth.y() + 0.016f && p.y() < left_eye.y() + 0.004f) {
      region = HeadRegion::kNose;
    }
    model.region[v] = region;
  }
}

void label_rings(const FaceMap& map, HeadModel& model) {
  for (int r = 0; r < kMouthRings; ++r) {
    for (int p = 0; p < kMouthRing; ++p) {
      const int from_middle = std::min(p, kMouthRing - p);
      HeadRegion region = from_middle <= 12 ? HeadRegion::kUpperLip : HeadRegion::kLowerLip;
      if (r < kMouthContact) region = HeadRegion::kMouthInside;
      if (r <= kMouthVermilion) model.region[map.mouth[r][p]] = region;
    }
  }
  for (int side = 0; side < 2; ++side) {
    for (int r = 0; r < kLidRings - 1; ++r) {
      for (int p = 0; p < kLidRing; ++p) {
        const bool is_upper = p <= kLidOuter || p >= kLidInner;
        const HeadRegion upper = side == 0 ? HeadRegion::kUpperLidLeft : HeadRegion::kUpperLidRight;
        const HeadRegion lower = side == 0 ? HeadRegion::kLowerLidLeft : HeadRegion::kLowerLidRight;
        model.region[map.eyes[side].rings[r][p]] = is_upper ? upper : lower;
      }
    }
  }
}

// Everything that is reached from the innermost mouth ring without crossing it is inside the mouth; likewise the eye
// sockets.
void flood(const FaceMap& map, const std::vector<int>& border, const std::vector<int>& outside, HeadRegion region,
           HeadModel& model) {
  std::vector<bool> seen(model.mesh.positions.size(), false);
  for (const int v : border) seen[v] = true;
  for (const int v : outside) seen[v] = true;
  std::vector<int> queue = border;
  while (!queue.empty()) {
    const int v = queue.back();
    queue.pop_back();
    for (const int n : map.neighbours[v]) {
      if (seen[n]) continue;
      seen[n] = true;
      model.region[n] = region;
      queue.push_back(n);
    }
  }
}

void label_parts(const Assembly& assembly, HeadModel& model) {
  for (int v = 0; v < model.vertex_count(); ++v) {
    switch (assembly.vertex_part[v]) {
      case HeadPart::kSkin:
        break;
      case HeadPart::kEyeLeft:
      case HeadPart::kEyeRight:
        model.region[v] = HeadRegion::kEyes;
        break;
      case HeadPart::kTeethUpper:
      case HeadPart::kTeethLower:
      case HeadPart::kGums:
        model.region[v] = HeadRegion::kTeeth;
        break;
      case HeadPart::kTongue:
        model.region[v] = HeadRegion::kTongue;
        break;
      case HeadPart::kLashes:
        model.region[v] = HeadRegion::kLashes;
        break;
      case HeadPart::kBrows:
        model.region[v] = HeadRegion::kBrows;
        break;
    }
  }
}

// The biting edge: at each of some places along the front of the arch, the tooth vertex that reaches furthest towards
// the other jaw, of those near the front surface.
std::vector<int> biting_edge(const Assembly& assembly, const HeadModel& model, HeadPart part, float direction) {
  constexpr float kHalfWidth = 0.014f;  // metres: incisors and canines
  constexpr int kPlaces = 15;
  std::vector<int> edge;
  for (int i = 0; i < kPlaces; ++i) {
    const float x = kHalfWidth * (2.0f * static_cast<float>(i) / (kPlaces - 1) - 1);
    int best = -1;
    for (int v = 0; v < model.vertex_count(); ++v) {
      if (assembly.vertex_part[v] != part) continue;
      const Vec3& p = model.mesh.positions[v];
      if (std::abs(p.x() - x) > 1.2f * kHalfWidth / (kPlaces - 1)) continue;
      if (best < 0 || direction * p.y() > direction * model.mesh.positions[best].y()) best = v;
    }
    if (best >= 0 && (edge.empty() || edge.back() != best)) edge.push_back(best);
  }
  return edge;
}

// Neck and head shares: MakeHuman's bones, smoothed over the skin so that no seam shows.
void set_skin_weights(const Source& source, const Assembly& assembly, const FaceMap& map, HeadModel& model) {
  const std::vector<float> neck = source.bone_share({"neck01"});  // with all that hangs on it: the head too
  const std::vector<float> upper = source.bone_share({"neck03"});
  const std::size_t n = model.mesh.positions.size();
  std::vector<std::array<float, 2>> shares(n, {1.0f, 1.0f});
  for (std::size_t v = 0; v < n; ++v) {
    if (assembly.vertex_part[v] != HeadPart::kSkin) continue;
    const int b = assembly.elements[v].body[0];
    shares[v] = {neck[b], std::min(neck[b], upper[b])};
  }
  constexpr int kRounds = 30;
  for (int round = 0; round < kRounds; ++round) {
    const auto before = shares;
    for (std::size_t v = 0; v < n; ++v) {
      const auto& around = map.neighbours[v];
      const HeadRegion region = model.region[v];
      if (around.empty() ||
          (region != HeadRegion::kNeck && region != HeadRegion::kShoulders && region != HeadRegion::kFace))
        continue;
      for (int k = 0; k < 2; ++k) {
        float mean = 0;
        for (const int w : around) mean += before[w][k];
        shares[v][k] = 0.5f * before[v][k] + 0.5f * mean / static_cast<float>(around.size());
      }
    }
  }
  // What lies above the jaw is skull, whole and rigid; nothing may be left at 0.999.
  for (auto& [neck_share, head_share] : shares) {
    const auto snap = [](float x) { return smooth_step(0.02f, 0.95f, x); };
    neck_share = snap(neck_share);
    head_share = std::min(neck_share, snap(head_share));
  }
  model.skin_weights = std::move(shares);
}

}  // namespace

void label_regions(const Source& source, const Assembly& assembly, const FaceMap& map, HeadModel& model) {
  model.region.assign(model.mesh.positions.size(), HeadRegion::kFace);
  label_skin(map, model);
  const auto ring = [](const auto& r) { return std::vector<int>(r.begin(), r.end()); };
  flood(map, ring(map.mouth[0]), ring(map.mouth[1]), HeadRegion::kMouthInside, model);
  for (int side = 0; side < 2; ++side) {
    flood(map, ring(map.eyes[side].rings[0]), ring(map.eyes[side].rings[1]),
          side == 0 ? HeadRegion::kUpperLidLeft : HeadRegion::kUpperLidRight, model);
  }
  label_rings(map, model);
  label_parts(assembly, model);
  model.contours.lips = lip_pairs(map);
  model.contours.lids_left = lid_pairs(map, 0);
  model.contours.lids_right = lid_pairs(map, 1);
  model.contours.upper_teeth = biting_edge(assembly, model, HeadPart::kTeethUpper, -1);
  model.contours.lower_teeth = biting_edge(assembly, model, HeadPart::kTeethLower, 1);
  model.contours.mouth_corners = {map.mouth[kMouthVermilion][26], map.mouth[kMouthVermilion][12]};
  set_skin_weights(source, assembly, map, model);
}

}  // namespace mien::makehuman
