#include "speech/training/adamw.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mien/base/safetensors.h"

namespace mien {

AdamW::AdamW(Named parameters) : parameters_(std::move(parameters)) {
  for (const auto& [name, parameter] : parameters_) {
    first_.push_back(at::zeros_like(parameter));
    second_.push_back(at::zeros_like(parameter));
  }
}

void AdamW::zero_grad() {
  for (auto& [name, parameter] : parameters_) {
    if (parameter.grad().defined()) parameter.mutable_grad().reset();
  }
}

std::vector<at::Tensor> AdamW::gradients() const {
  std::vector<at::Tensor> out;
  for (const auto& [name, parameter] : parameters_) {
    if (parameter.grad().defined()) out.push_back(parameter.grad());
  }
  return out;
}

void AdamW::update(double rate, int step) {
  const at::NoGradGuard no_grad;
  constexpr double kBeta1 = 0.9, kBeta2 = 0.98, kDecay = 0.01, kEpsilon = 1e-8, kMostNorm = 2;
  std::vector<at::Tensor> norms;
  for (const auto& [name, parameter] : parameters_) {
    if (parameter.grad().defined()) norms.push_back(parameter.grad().norm());
  }
  const at::Tensor scale = (kMostNorm / (at::stack(norms).norm() + 1e-6)).clamp_max(1.0);
  const double correct1 = 1 - std::pow(kBeta1, step + 1);
  const double correct2 = 1 - std::pow(kBeta2, step + 1);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& parameter = parameters_[i].second;
    if (!parameter.grad().defined()) continue;
    const at::Tensor gradient = parameter.grad() * scale;
    first_[i].mul_(kBeta1).add_(gradient, 1 - kBeta1);
    second_[i].mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
    parameter.mul_(1 - rate * kDecay);
    parameter.addcdiv_(first_[i], (second_[i] / correct2).sqrt().add_(kEpsilon), -rate / correct1);
  }
}

std::vector<at::Tensor> AdamW::state() const {
  std::vector<at::Tensor> out;
  for (const auto& [name, parameter] : parameters_) out.push_back(parameter);
  out.insert(out.end(), first_.begin(), first_.end());
  out.insert(out.end(), second_.begin(), second_.end());
  return out;
}

std::string AdamW::broken() const {
  for (const auto& [name, parameter] : parameters_) {
    if (!parameter.isfinite().all().item<bool>()) return name;
  }
  return "";
}

void AdamW::save(SafetensorsWriter& out) const {
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    const at::Tensor value = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
    out.add(name, value.sizes().vec(), {value.data_ptr<float>(), static_cast<std::size_t>(value.numel())});
  };
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    add("parameter." + parameters_[i].first, parameters_[i].second);
    add("first." + parameters_[i].first, first_[i]);
    add("second." + parameters_[i].first, second_[i]);
  }
}

void AdamW::load(const SafetensorsFile& file) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto read = [&](const char* kind, at::Tensor& into) {
      const std::vector<float> values = file.floats(kind + parameters_[i].first, into.sizes().vec());
      into.copy_(at::from_blob(const_cast<float*>(values.data()), into.sizes(), at::kFloat));
    };
    read("parameter.", parameters_[i].second);
    read("first.", first_[i]);
    read("second.", second_[i]);
  }
}

double AdamW::schedule(double progress) {
  return std::min(1.0, progress / 0.03 + 0.02) * (0.01 + 0.495 * (1 + std::cos(std::numbers::pi * progress)));
}

}  // namespace mien
