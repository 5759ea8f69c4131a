#include "motion/training/losses.h"

#include <ATen/ATen.h>

namespace mien {
namespace {

at::Tensor to_device(const std::vector<float>& values, at::IntArrayRef shape, const at::Tensor& like) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).clone().to(like.device());
}

// Huber with the given threshold, mean over the last axis -> [B, K].
at::Tensor huber(const at::Tensor& difference, double delta) {
  const at::Tensor size = difference.abs();
  return at::where(size < delta, 0.5 / delta * size * size, size - 0.5 * delta).mean(-1);
}

at::Tensor masked_mean(const at::Tensor& value, const at::Tensor& mask) {
  return (value * mask).sum() / mask.sum().clamp_min(1.0);
}

at::Tensor step_difference(const at::Tensor& x) {
  return x.narrow(1, 1, x.size(1) - 1) - x.narrow(1, 0, x.size(1) - 1);
}

at::Tensor step_product(const at::Tensor& x) {
  return x.narrow(1, 1, x.size(1) - 1) * x.narrow(1, 0, x.size(1) - 1);
}

}  // namespace

LipLoss::LipLoss(const LipGeometry& lips, int expressions, const at::Tensor& device_of)
    : basis_(to_device(lips.basis, {expressions, 3 * lips.vertices}, device_of) * 1000.0),
      gap_rest_(to_device(lips.gap_rest, {lips.gaps}, device_of) * 1000.0),
      gap_basis_(to_device(lips.gap_basis, {expressions, lips.gaps}, device_of) * 1000.0),
      bite_rest_(to_device(lips.bite_rest, {3 * lips.bites}, device_of) * 1000.0),
      bite_basis_(to_device(lips.bite_basis, {expressions, 3 * lips.bites}, device_of) * 1000.0),
      lips_(3 * lips.lip_vertices) {}

MotionLoss LipLoss::operator()(const at::Tensor& predicted, const at::Tensor& truth, const at::Tensor& known,
                               const MotionLossOptions& o, const at::Tensor& channels) const {
  at::Tensor difference = predicted - truth;
  if (channels.defined()) difference = difference * channels;
  at::Tensor weights = huber(difference, 0.1);
  // The mean over what is known.
  if (channels.defined()) weights = weights / channels.mean(-1).clamp_min(1e-3);
  const at::Tensor moved = at::matmul(difference, basis_);  // [B, K, 3 V]
  const at::Tensor lips = moved.narrow(2, 0, lips_);
  const at::Tensor lids = moved.narrow(2, lips_, moved.size(2) - lips_);
  const at::Tensor true_gap = gap_rest_ + at::matmul(truth, gap_basis_);
  const at::Tensor gap_error = at::matmul(difference, gap_basis_);
  const at::Tensor closed = (true_gap < o.closure_mm).to(at::kFloat);
  at::Tensor total = o.weights * masked_mean(weights, known) + o.lips * masked_mean(huber(lips, 1.0), known);
  if (lids.size(2) > 0) total = total + o.lids * masked_mean(huber(lids, 1.0), known);
  total = total + o.gap * masked_mean(huber(gap_error * (1.0 + o.closure * closed).sqrt(), 1.0), known);
  double bite_mm = 0;
  if (bite_rest_.numel() > 0) {
    const std::int64_t bites = bite_rest_.numel() / 3;
    const std::vector<std::int64_t> points = {bites, 3};
    const at::Tensor error = at::matmul(difference, bite_basis_);
    const at::Tensor distance = (bite_rest_ + at::matmul(truth, bite_basis_)).unflatten(2, points).norm(2, -1);
    const at::Tensor touching = (std::get<0>(distance.min(-1)) < o.contact_mm).to(at::kFloat);  // [B, K]
    total = total + o.bite * masked_mean(huber(error, 1.0) * (1.0 + o.contact * touching), known);
    bite_mm = masked_mean(error.detach().unflatten(2, points).norm(2, -1).mean(-1), touching * known).item<double>();
  }
  const at::Tensor velocity = step_difference(lips);
  const at::Tensor known_velocity = step_product(known);
  total = total + o.velocity * masked_mean(huber(velocity, 0.5), known_velocity);
  total = total + o.acceleration * masked_mean(huber(step_difference(velocity), 0.5), step_product(known_velocity));
  const at::Tensor lip_size = lips.detach().unflatten(2, at::IntArrayRef{lips_ / 3, 3}).norm(2, -1).mean(-1);
  const at::Tensor closed_known = closed * known.unsqueeze(-1);
  return {total, masked_mean(lip_size, known).item<double>(),
          ((gap_error.detach().abs() * closed_known).sum() / closed_known.sum().clamp_min(1.0)).item<double>(),
          bite_mm};
}

at::Tensor LipLoss::lip_errors(const at::Tensor& predicted, const at::Tensor& truth, const at::Tensor& channels) const {
  at::Tensor difference = (predicted - truth).detach();
  if (channels.defined()) difference = difference * channels;
  const at::Tensor lips = at::matmul(difference, basis_.narrow(1, 0, lips_));
  return lips.unflatten(2, at::IntArrayRef{lips_ / 3, 3}).norm(2, -1).mean(-1);
}

}  // namespace mien
