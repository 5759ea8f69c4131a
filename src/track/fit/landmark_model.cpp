#include "track/fit/landmark_model.h"

#include "mien/base/error.h"
#include "mien/track/sighting.h"

namespace mien::fit {

const std::array<LandmarkPair, 9> kLipPairs = {
    {{191, 95}, {80, 88}, {81, 178}, {82, 87}, {13, 14}, {312, 317}, {311, 402}, {310, 318}, {415, 324}}};
const std::array<std::array<LandmarkPair, 7>, 2> kLidPairs = {
    {{{{398, 382}, {384, 381}, {385, 380}, {386, 374}, {387, 373}, {388, 390}, {466, 249}}},
     {{{173, 155}, {157, 154}, {158, 153}, {159, 145}, {160, 144}, {161, 163}, {246, 7}}}}};
const std::array<std::array<int, 5>, 2> kIris = {{{473, 474, 475, 476, 477}, {468, 469, 470, 471, 472}}};

LandmarkModel::LandmarkModel(const HeadModel& model, const LandmarkResponse* response) {
  if (static_cast<int>(model.landmarks.size()) != kSightedPoints || model.expression_count() < kArkitCount) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("head model \"{}\" has {} landmarks and {} expressions; {} and at least {} are needed",
                            model.id, model.landmarks.size(), model.expression_count(), kSightedPoints, kArkitCount),
                "use a head built by `mien head build`");
  }
  constexpr int n = kSightedPoints;
  const std::size_t vertices = model.mesh.positions.size();
  const auto gather = [&](const Vec3* field, auto&& out) {
    for (int i = 0; i < n; ++i) {
      const SurfacePoint& point = model.landmarks[static_cast<std::size_t>(i)];
      const Index3& face = model.mesh.faces[static_cast<std::size_t>(point.face)];
      Eigen::Vector3d sum = Eigen::Vector3d::Zero();
      for (int k = 0; k < 3; ++k) sum += double{point.barycentric[k]} * field[face[k]].cast<double>();
      out.segment(3 * i, 3) = sum;
    }
  };
  rest.resize(3 * n);
  gather(model.mesh.positions.data(), rest);
  identity.resize(3 * n, model.identity_count());
  for (int i = 0; i < model.identity_count(); ++i) {
    gather(model.identity.data() + static_cast<std::size_t>(i) * vertices, identity.col(i));
  }
  expression.resize(3 * n, kArkitCount);
  for (int e = 0; e < kArkitCount; ++e) {
    gather(model.expression.data() + static_cast<std::size_t>(e) * vertices, expression.col(e));
  }
  if (response != nullptr) {
    rest += response->offset;
    expression += response->expression;
  }
  for (int side = 0; side < 2; ++side) {
    const auto s = static_cast<std::size_t>(side);
    const auto joint = static_cast<std::size_t>(side == 0 ? HeadJoint::kEyeLeft : HeadJoint::kEyeRight);
    eye[s] = model.joints[joint].cast<double>();
    eye_identity[s].resize(3, model.identity_count());
    for (int i = 0; i < model.identity_count(); ++i) {
      eye_identity[s].col(i) = model.joint_identity[static_cast<std::size_t>(i)][joint].cast<double>();
    }
  }
}

Eigen::VectorXd landmark_weights() {
  Eigen::VectorXd weights = Eigen::VectorXd::Ones(kSightedPoints);
  // The face's outline: where the face seems to end, not a place on the skin.
  constexpr std::array kOval = {10,  338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288,
                                397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
                                172, 58,  132, 93,  234, 127, 162, 21,  54,  103, 67,  109};
  for (const int i : kOval) weights[i] = 0.35;
  constexpr std::array kLips = {61,  185, 40,  39, 37, 0,   267, 269, 270, 409, 291,
                                146, 91,  181, 84, 17, 314, 405, 321, 375, 78,  308};
  for (const int i : kLips) weights[i] = 4;
  for (const LandmarkPair& pair : kLipPairs) weights[pair[0]] = weights[pair[1]] = 4;
  for (const auto& eye : kLidPairs) {
    for (const LandmarkPair& pair : eye) weights[pair[0]] = weights[pair[1]] = 1.5;
  }
  constexpr std::array kCorners = {33, 133, 263, 362};
  for (const int i : kCorners) weights[i] = 1.5;
  for (int i = kMeshPoints; i < kSightedPoints; ++i) weights[i] = 0;  // the irises have a solve of their own
  return weights;
}

}  // namespace mien::fit
