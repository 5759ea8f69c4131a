#include "mien/head/head_model.h"

#include "head/pose_math.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {

const std::array<const char*, kArkitCount> kArkitNames = {
    "eyeBlinkLeft",      "eyeLookDownLeft",    "eyeLookInLeft",
    "eyeLookOutLeft",    "eyeLookUpLeft",      "eyeSquintLeft",
    "eyeWideLeft",       "eyeBlinkRight",      "eyeLookDownRight",
    "eyeLookInRight",    "eyeLookOutRight",    "eyeLookUpRight",
    "eyeSquintRight",    "eyeWideRight",       "jawForward",
    "jawLeft",           "jawRight",           "jawOpen",
    "mouthClose",        "mouthFunnel",        "mouthPucker",
    "mouthLeft",         "mouthRight",         "mouthSmileLeft",
    "mouthSmileRight",   "mouthFrownLeft",     "mouthFrownRight",
    "mouthDimpleLeft",   "mouthDimpleRight",   "mouthStretchLeft",
    "mouthStretchRight", "mouthRollLower",     "mouthRollUpper",
    "mouthShrugLower",   "mouthShrugUpper",    "mouthPressLeft",
    "mouthPressRight",   "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft",  "mouthUpperUpRight",  "browDownLeft",
    "browDownRight",     "browInnerUp",        "browOuterUpLeft",
    "browOuterUpRight",  "cheekPuff",          "cheekSquintLeft",
    "cheekSquintRight",  "noseSneerLeft",      "noseSneerRight",
    "tongueOut"};

int arkit_index(const std::string& name) {
  for (int i = 0; i < kArkitCount; ++i) {
    if (name == kArkitNames[i]) return i;
  }
  return -1;
}

void HeadModel::deform(const float* weights, int weight_count, const Vec3* offsets, std::vector<Vec3>& out) const {
  MIEN_CHECK(weight_count <= expression_count(), "{} weights for {} expressions", weight_count, expression_count());
  out = mesh.positions;
  const std::size_t vertices = out.size();
  for (int e = 0; e < weight_count; ++e) {
    const float w = weights[e];
    if (w == 0) continue;
    const Vec3* mode = expression.data() + e * vertices;
    for (std::size_t v = 0; v < vertices; ++v) out[v] += w * mode[v];
  }
  if (offsets != nullptr) {
    for (std::size_t v = 0; v < vertices; ++v) out[v] += offsets[v];
  }
}

void HeadModel::pose(const HeadPose& pose, std::vector<Vec3>& vertices) const {
  MIEN_CHECK(vertices.size() == mesh.positions.size(), "{} vertices for a head of {}", vertices.size(),
             mesh.positions.size());
  const Poser poser(*this, pose);
  const Vec3& left = joints[static_cast<int>(HeadJoint::kEyeLeft)];
  const Vec3& right = joints[static_cast<int>(HeadJoint::kEyeRight)];
  parallel_for(static_cast<std::int64_t>(vertices.size()), 1 << 13, [&](std::int64_t i) {
    Vec3 v = vertices[i];
    if (region[i] == HeadRegion::kEyes) {
      const Vec3& rest = mesh.positions[i];
      v = poser.turn_eye(v, (rest - left).squaredNorm() < (rest - right).squaredNorm());
    }
    vertices[i] = poser(v, skin_weights[i]);
  });
}

}  // namespace mien
