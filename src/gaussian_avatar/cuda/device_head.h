// A head model in device memory, moved there.
#pragma once

#include <vector>

#include "gaussian_avatar/cuda/head.h"
#include "mien/cuda/cuda.h"
#include "mien/head/head_motion.h"

namespace mien {

class DeviceHead {
 public:
  // The head need not outlive the object.
  explicit DeviceHead(const HeadModel& head);

  // posed [V,3] and, if not null, moved [V+1,3] (see carried_vertices()): device memory. `face`: whether expression and
  // offsets move the head, or the pose only. Not to be recorded into a graph: it copies from the host.
  void enqueue(const MotionFrame& frame, bool face, float* posed, float* moved, CudaStream stream);

 private:
  std::array<Vec3, kHeadJointCount> joints_;
  std::vector<HeadRegion> region_;
  std::vector<Vec3> carried_;  // [E] how far each expression carries face and mouth on average, metres
  CudaArray<float> canonical_, expression_, offsets_;
  CudaArray<std::uint8_t> eye_;
  CudaArray<float2> shares_;
  CudaArray<avatar_cuda::Active> active_;
  avatar_cuda::Head head_ = {};
  std::vector<avatar_cuda::Active> host_active_;
};

}  // namespace mien
