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
  return person;
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
