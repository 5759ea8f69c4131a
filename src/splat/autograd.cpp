#include "mien/splat/autograd.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <mutex>
#include <string>
#include <vector>

#include "mien/base/error.h"

namespace mien {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Rasterisers not in use. Their scratch memory is large, so they are lent out rather than built for every picture.
struct DifferentiableSplat::Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<SplatRasterizer>> idle;

  std::unique_ptr<SplatRasterizer> take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::make_unique<SplatRasterizer>();
    auto out = std::move(idle.back());
    idle.pop_back();
    return out;
  }
  void give_back(std::unique_ptr<SplatRasterizer> rasterizer) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(rasterizer));
  }

  // One picture's loan; lives in the graph.
  struct Loan : torch::CustomClassHolder {
    std::shared_ptr<Pool> pool;
    std::unique_ptr<SplatRasterizer> rasterizer;
    Camera camera;
    SplatOptions options;
    int sh_degree = 3;
    at::Tensor deformation;  // or undefined
    ~Loan() override { pool->give_back(std::move(rasterizer)); }
  };
};

namespace {

SplatInput make_input(const variable_list& t, const at::Tensor& deformation, int sh_degree) {
  return {static_cast<int>(t[3].size(0)),
          t[0].data_ptr<float>(),
          t[1].data_ptr<float>(),
          t[2].data_ptr<float>(),
          t[3].data_ptr<float>(),
          t[4].data_ptr<float>(),
          deformation.defined() ? deformation.data_ptr<float>() : nullptr,
          sh_degree};
}

at::Tensor checked(const at::Tensor& t, const char* name, std::vector<std::int64_t> shape) {
  if (!t.defined() || t.scalar_type() != at::kFloat || !t.device().is_cpu() || t.sizes() != at::IntArrayRef(shape))
    throw Error(ErrorCode::kBadArgument,
                fmt::format("splat: {} is {} {}", name, t.defined() ? std::string(t.toString()) : "undefined",
                            t.defined() ? c10::str(t.sizes()) : ""),
                fmt::format("give float32 on the CPU of shape {}", c10::str(at::IntArrayRef(shape))));
  return t.contiguous();
}

}  // namespace

struct SplatFunction : torch::autograd::Function<SplatFunction> {
  using Loan = DifferentiableSplat::Pool::Loan;

  static variable_list forward(AutogradContext* context, const Variable& means, const Variable& quats,
                               const Variable& scales, const Variable& opacities, const Variable& sh,
                               const c10::intrusive_ptr<torch::CustomClassHolder>& state) {
    auto* loan = static_cast<Loan*>(state.get());
    const variable_list inputs = {means, quats, scales, opacities, sh};
    context->save_for_backward(inputs);
    context->saved_data["loan"] = c10::IValue::make_capsule(state);
    const Camera& camera = loan->camera;
    at::Tensor rgb = at::empty({camera.height, camera.width, 3}, means.options());
    at::Tensor alpha = at::empty({camera.height, camera.width}, means.options());
    loan->rasterizer->forward(make_input(inputs, loan->deformation, loan->sh_degree), camera, loan->options,
                              rgb.data_ptr<float>(), alpha.data_ptr<float>(), true);
    return {rgb, alpha};
  }

  static variable_list backward(AutogradContext* context, variable_list d) {
    const auto capsule = context->saved_data["loan"].toCapsule();
    auto* loan = static_cast<Loan*>(capsule.get());
    const variable_list inputs = context->get_saved_variables();
    const Camera& camera = loan->camera;
    const at::Tensor d_rgb =
        d[0].defined() ? d[0].contiguous() : at::zeros({camera.height, camera.width, 3}, at::kFloat);
    const at::Tensor d_alpha = d[1].defined() ? d[1].contiguous() : at::Tensor();
    variable_list out;
    for (int i = 0; i < 5; ++i) out.push_back(at::zeros_like(inputs[i]));
    loan->rasterizer->backward(make_input(inputs, loan->deformation, loan->sh_degree), camera, loan->options,
                               d_rgb.data_ptr<float>(), d_alpha.defined() ? d_alpha.data_ptr<float>() : nullptr,
                               {out[0].data_ptr<float>(), out[1].data_ptr<float>(), out[2].data_ptr<float>(),
                                out[3].data_ptr<float>(), out[4].data_ptr<float>(), nullptr});
    out.emplace_back();  // nothing for the loan
    return out;
  }
};

DifferentiableSplat::DifferentiableSplat() : pool_(std::make_shared<Pool>()) {}
DifferentiableSplat::~DifferentiableSplat() = default;
DifferentiableSplat::DifferentiableSplat(DifferentiableSplat&&) noexcept = default;
DifferentiableSplat& DifferentiableSplat::operator=(DifferentiableSplat&&) noexcept = default;

std::pair<at::Tensor, at::Tensor> DifferentiableSplat::operator()(const at::Tensor& means, const at::Tensor& quats,
                                                                  const at::Tensor& scales, const at::Tensor& opacities,
                                                                  const at::Tensor& sh, const Camera& camera,
                                                                  const SplatOptions& options, int sh_degree,
                                                                  const at::Tensor* deformation) {
  const std::int64_t n = opacities.defined() ? opacities.numel() : 0;
  const auto m = checked(means, "means", {n, 3}), q = checked(quats, "quats", {n, 4});
  const auto s = checked(scales, "scales", {n, 3}), o = checked(opacities, "opacities", {n});
  const auto h = checked(sh, "sh", {n, kShCoefficients, 3});
  auto loan = c10::make_intrusive<Pool::Loan>();
  loan->pool = pool_;
  loan->rasterizer = pool_->take();
  loan->camera = camera;
  loan->options = options;
  loan->sh_degree = sh_degree;
  if (deformation != nullptr) loan->deformation = checked(*deformation, "deformation", {n, 3, 3}).detach();
  const auto out = SplatFunction::apply(m, q, s, o, h, c10::intrusive_ptr<torch::CustomClassHolder>(loan));
  return {out[0], out[1]};
}

}  // namespace mien
