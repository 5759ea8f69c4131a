#include "motion/tuning/tuning_loss.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>

#include "mien/head/phone.h"
#include "motion/training/losses.h"

namespace mien {
namespace {

constexpr float kLipWeight = 6, kLidWeight = 2;  // of other vertices'

const char* phone_kind(int phone) {
  if (phone < 0) return "unknown";
  const std::string name = kPhoneNames[phone];
  if (name == "SIL") return "silence";
  if (name == "P" || name == "B" || name == "M") return "bilabial";
  if (name == "F" || name == "V") return "labiodental";
  return "other";
}

// [K] millimetres: what weights and offsets do to the lips together, against the truth.
at::Tensor lip_errors(const MotionPairs& pairs, const S2GOutput& output, const PairTensors& truth,
                      const at::Tensor& known_weights, at::Device device) {
  const std::int64_t lips = pairs.lips.lip_vertices;
  const at::Tensor difference = (output.weights[0] - truth.weights.to(device)) * known_weights[0];
  const at::Tensor basis =
      tensor_of(pairs.lips.basis, {static_cast<std::int64_t>(pairs.expression_names.size()), 3 * pairs.lips.vertices})
          .narrow(1, 0, 3 * lips)
          .to(device) *
      1000.0;
  at::Tensor moved = at::matmul(difference, basis).reshape({-1, lips, 3});
  if (output.offsets.defined()) {
    const at::Tensor offsets = (output.offsets[0] - truth.offsets.to(device)).reshape({moved.size(0), -1, 3});
    for (std::int64_t v = 0; v < lips; ++v) {
      const std::int32_t at = pairs.lip_moving[v];
      if (at >= 0) moved.select(1, v).add_(offsets.select(1, at));
    }
  }
  return moved.norm(2, -1).mean(-1);
}

}  // namespace

OffsetLoss::OffsetLoss(const MotionPairs& pairs, at::Device device) {
  std::vector<float> weight(pairs.moving.size(), 1.0f);
  for (std::size_t i = 0; i < pairs.lip_moving.size(); ++i) {
    const bool lip = static_cast<int>(i) < pairs.lips.lip_vertices;
    if (pairs.lip_moving[i] >= 0) weight[pairs.lip_moving[i]] = lip ? kLipWeight : kLidWeight;
  }
  float sum = 0;
  for (const float w : weight) sum += w;
  for (float& w : weight) w /= 3 * sum;
  weight_ = tensor_of(weight, {static_cast<std::int64_t>(weight.size())}).repeat_interleave(3).to(device);
}

at::Tensor OffsetLoss::operator()(const at::Tensor& predicted, const at::Tensor& truth, const at::Tensor& known) const {
  const auto cost = [&](const at::Tensor& difference, const at::Tensor& mask, double delta) {
    const at::Tensor size = difference.abs();
    const at::Tensor each = at::where(size < delta, 0.5 / delta * size * size, size - 0.5 * delta);
    return (at::matmul(each, weight_) * mask).sum() / mask.sum().clamp_min(1.0);
  };
  const auto change = [](const at::Tensor& x) { return x.narrow(1, 1, x.size(1) - 1) - x.narrow(1, 0, x.size(1) - 1); };
  const auto both = [](const at::Tensor& x) { return x.narrow(1, 1, x.size(1) - 1) * x.narrow(1, 0, x.size(1) - 1); };
  const at::Tensor difference = predicted - truth;
  const at::Tensor velocity = change(difference);
  const at::Tensor known_velocity = both(known);
  const MotionLossOptions o;
  return 3.0 * (cost(difference, known, 1.0) + o.velocity * cost(velocity, known_velocity, 0.5) +
                o.acceleration * cost(change(velocity), both(known_velocity), 0.5));
}

LipErrors measure_lips(const MotionPairs& pairs, const std::vector<PairTensors>& data, S2GModule& s2g,
                       const at::Tensor& person, const at::Tensor& known_weights, at::Device device) {
  const at::NoGradGuard no_grad;
  s2g->eval();
  const bool held_out = pairs.held_out();
  std::map<std::string, std::pair<double, std::int64_t>> kinds;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (held_out && !pairs.pairs[i].test) continue;
    const S2GOutput output =
        s2g->run_stacked(data[i].stacked.unsqueeze(0).to(device), data[i].emotion.unsqueeze(0).to(device), person);
    const at::Tensor errors = lip_errors(pairs, output, data[i], known_weights, device).to(at::kCPU).contiguous();
    for (int k = 0; k < pairs.pairs[i].frames; ++k) {
      if (!pairs.pairs[i].seen_at(k)) continue;
      for (const char* kind : {"all", phone_kind(pairs.pairs[i].phones[k])}) {
        kinds[kind].first += errors.data_ptr<float>()[k];
        ++kinds[kind].second;
      }
    }
  }
  LipErrors out;
  for (const auto& [kind, sum] : kinds) {
    const double mean = sum.first / static_cast<double>(sum.second);
    if (kind == "all") {
      out.all = mean;
    } else {
      out.by_phones[kind] = mean;
    }
  }
  return out;
}

}  // namespace mien
