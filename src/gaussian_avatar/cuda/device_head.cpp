#include "gaussian_avatar/cuda/device_head.h"

#include <cuda_runtime_api.h>

#include <algorithm>

#include "cuda/check.h"
#include "mien/base/error.h"
#include "mien/gaussian_avatar/initialise.h"

namespace mien {

using namespace avatar_cuda;

namespace {

static_assert(sizeof(Vec3) == 3 * sizeof(float));

CudaArray<float> upload(const std::vector<Vec3>& points) {
  CudaArray<float> out(points.size() * 3);
  cuda_upload(out.data(), points.data(), points.size() * sizeof(Vec3));
  return out;
}

// Of what is neither skull nor shoulders.
Vec3 mean_over_face(const std::vector<HeadRegion>& region, const Vec3* moved) {
  Eigen::Vector3d sum = Eigen::Vector3d::Zero();
  int moving = 0;
  for (std::size_t v = 0; v < region.size(); ++v) {
    if (is_rigid_region(region[v])) continue;
    sum += moved[v].cast<double>();
    ++moving;
  }
  return (sum / std::max(moving, 1)).cast<float>();
}

void set_matrix(float* out, const Mat3& m) {
  for (int k = 0; k < 9; ++k) out[k] = m(k / 3, k % 3);
}

Turn turn(const Mat3& matrix, const Vec3& centre) {
  Turn out = {};
  set_matrix(out.matrix, matrix);
  std::copy_n(centre.data(), 3, out.centre);
  return out;
}

float4 quaternion(const Quat& q) {
  return {q.x(), q.y(), q.z(), q.w()};
}

Mat3 gaze_rotation(const std::array<float, 2>& gaze) {
  return (Eigen::AngleAxisf(gaze[0], Vec3::UnitY()) * Eigen::AngleAxisf(-gaze[1], Vec3::UnitX())).toRotationMatrix();
}

}  // namespace

DeviceHead::DeviceHead(const HeadModel& head)
    : joints_(head.joints),
      region_(head.region),
      canonical_(upload(head.mesh.positions)),
      expression_(upload(head.expression)) {
  const auto vertices = static_cast<std::size_t>(head.vertex_count());
  const Vec3 &left = joints_[static_cast<int>(HeadJoint::kEyeLeft)],
             &right = joints_[static_cast<int>(HeadJoint::kEyeRight)];
  std::vector<std::uint8_t> eye;
  std::vector<float2> shares;
  for (std::size_t v = 0; v < vertices; ++v) {
    const Vec3& rest = head.mesh.positions[v];
    const bool is_left = (rest - left).squaredNorm() < (rest - right).squaredNorm();
    eye.push_back(region_[v] != HeadRegion::kEyes ? 0 : is_left ? 1 : 2);
    shares.push_back({head.skin_weights[v][0], head.skin_weights[v][1]});
  }
  eye_ = eye;
  shares_ = shares;
  for (int e = 0; e < head.expression_count(); ++e)
    carried_.push_back(mean_over_face(region_, &head.expression[static_cast<std::size_t>(e) * vertices]));
  active_.resize(std::max<std::size_t>(1, carried_.size()));
  head_ = {static_cast<int>(vertices), canonical_.data(), expression_.data(), eye_.data(), shares_.data()};
}

void DeviceHead::enqueue(const MotionFrame& frame, bool face, float* posed, float* moved, CudaStream stream) {
  MIEN_CHECK(frame.expression.size() <= carried_.size(), "{} weights for {} expressions", frame.expression.size(),
             carried_.size());
  HeadMoment moment = {};
  Vec3 carried = Vec3::Zero();
  host_active_.clear();
  for (std::size_t e = 0; e < frame.expression.size() && face; ++e) {
    const float weight = frame.expression[e];
    if (weight == 0) continue;
    host_active_.push_back({static_cast<int>(e), weight});
    carried += weight * carried_[e];
  }
  const auto copy = [stream](void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), "copying a moment");
  };
  copy(active_.data(), host_active_.data(), host_active_.size() * sizeof(Active));
  moment.active_count = static_cast<int>(host_active_.size());
  moment.active = active_.data();
  if (!frame.offsets.empty() && face) {
    MIEN_CHECK(frame.offsets.size() == region_.size(), "{} offsets for {} vertices", frame.offsets.size(),
               region_.size());
    carried += mean_over_face(region_, frame.offsets.data());
    offsets_.resize(frame.offsets.size() * 3);
    copy(offsets_.data(), frame.offsets.data(), frame.offsets.size() * sizeof(Vec3));
    moment.offsets = offsets_.data();
  }
  const HeadPose& pose = frame.pose;
  const auto joint = [this](HeadJoint j) -> const Vec3& { return joints_[static_cast<std::size_t>(j)]; };
  moment.eyes[0] = turn(gaze_rotation(pose.gaze_left), joint(HeadJoint::kEyeLeft));
  moment.eyes[1] = turn(gaze_rotation(pose.gaze_right), joint(HeadJoint::kEyeRight));
  moment.head = turn(pose.head.toRotationMatrix(), joint(HeadJoint::kHead));
  moment.neck = turn(pose.neck.toRotationMatrix(), joint(HeadJoint::kNeck));
  moment.head_quaternion = quaternion(pose.head);
  moment.neck_quaternion = quaternion(pose.neck);
  set_matrix(moment.root, pose.root.toRotationMatrix());
  std::copy_n(pose.translation.data(), 3, moment.translation);
  carried *= 100;  // centimetres
  std::copy_n(carried.data(), 3, moment.carried);
  move_head(head_, moment, posed, moved, stream);
}

}  // namespace mien
