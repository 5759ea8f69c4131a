// What S2GNet is asked to get right, in millimetres on the face.
#pragma once

#include <ATen/core/Tensor.h>

#include "speech/training/speech_pack.h"

namespace mien {

struct MotionLossOptions {
  double weights = 10;  // Huber on expression weights
  double lips = 1;      // Huber on lip vertices, millimetres
  double lids = 0.3;
  double gap = 1;      // Huber on the inner lip gaps
  double closure = 8;  // extra factor of the gap term where the true gap is below `closure_mm`
  double closure_mm = 1.5;
  double bite = 0.5;    // Huber on the lower lip against the upper teeth
  double contact = 12;  // extra factor of the bite term where they touch: the nearest point closer than `contact_mm`
  double contact_mm = 2.0;
  double velocity = 1;  // of lip vertices, millimetres a frame
  double acceleration = 0.5;
};

struct MotionLoss {
  at::Tensor total;    // scalar with gradient
  double lip_mm = 0;   // mean lip vertex error
  double gap_mm = 0;   // mean absolute error of the inner lip gaps where they should be closed
  double bite_mm = 0;  // mean error of the lower lip's edge where it should touch the teeth
};

// The pack's linear lip geometry on a device.
class LipLoss {
 public:
  LipLoss(const LipGeometry& lips, int expressions, const at::Tensor& device_of);
  // predicted, truth [B, K, E]; known [B, K] (1 or 0); channels [B, K, E] (1 or 0) says which weights the truth knows,
  // undefined = all. What is not known neither costs anything nor has a gradient.
  MotionLoss operator()(const at::Tensor& predicted, const at::Tensor& truth, const at::Tensor& known,
                        const MotionLossOptions& options, const at::Tensor& channels = {}) const;
  // Mean lip vertex error of each frame [B, K], millimetres; no gradient.
  at::Tensor lip_errors(const at::Tensor& predicted, const at::Tensor& truth, const at::Tensor& channels = {}) const;

 private:
  at::Tensor basis_;       // [E, 3 V] millimetres
  at::Tensor gap_rest_;    // [G] millimetres
  at::Tensor gap_basis_;   // [E, G]
  at::Tensor bite_rest_;   // [3 B] millimetres
  at::Tensor bite_basis_;  // [E, 3 B]
  std::int64_t lips_ = 0;  // values of `basis_` that are lips, the rest are lids
};

}  // namespace mien
