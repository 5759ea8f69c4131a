#include "mien/splat/autograd.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/custom_function.h>
#ifdef MIEN_TORCH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

#include <mutex>
#include <string>
#include <vector>

#include "mien/base/error.h"
#include "mien/splat/cuda.h"

namespace mien {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

namespace {

// The stream on which LibTorch has its work done, for a tensor's device.
CudaStream current_stream(c10::Device device) {
#ifdef MIEN_TORCH_CUDA
  return c10::cuda::getCurrentCUDAStream(device.index()).stream();
#else
  throw Error(ErrorCode::kMissingFeature,
              fmt::format("splat: tensors on {}, but this build cannot reach it", device.str()),
              "build with nvcc and a CUDA LibTorch, or move the tensors to the CPU");
#endif
}

// One of the two rasterisers, for one device.
struct Engine {
  c10::Device device = at::kCPU;
  std::unique_ptr<SplatRasterizer> cpu;
  std::unique_ptr<CudaSplatRasterizer> cuda;
  CudaStream stream = nullptr;  // of its last work

  explicit Engine(c10::Device on) : device(on) {
    if (on.is_cuda())
      cuda = std::make_unique<CudaSplatRasterizer>();
    else
      cpu = std::make_unique<SplatRasterizer>();
  }
  // The stream to work on now; work that an earlier picture left on another one is waited for.
  CudaStream enter() {
    const CudaStream now = current_stream(device);
    if (now != stream && stream != nullptr) cuda_synchronize(stream);
    return stream = now;
  }
};

}  // namespace

// Rasterisers not in use. Their scratch memory is large, so they are lent out rather than built for every picture.
struct DifferentiableSplat::Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<Engine>> idle;

  std::unique_ptr<Engine> take(c10::Device device) {
    const std::lock_guard lock(mutex);
    for (auto& engine : idle) {
      if (engine->device != device) continue;
      auto out = std::move(engine);
      engine = std::move(idle.back());
      idle.pop_back();
      return out;
    }
    return std::make_unique<Engine>(device);
  }
  void give_back(std::unique_ptr<Engine> engine) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(engine));
  }

  // One picture's loan; lives in the graph.
  struct Loan : torch::CustomClassHolder {
    std::shared_ptr<Pool> pool;
    std::unique_ptr<Engine> engine;
    Camera camera;
    SplatOptions options;
    int sh_degree = 3;
    at::Tensor deformation;  // or undefined
    ~Loan() override {
      if (engine) pool->give_back(std::move(engine));
    }
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

// Contiguous, and on a GPU aligned for reads of 16 bytes, which a slice of a tensor need not be.
at::Tensor checked(const at::Tensor& t, const char* name, std::vector<std::int64_t> shape, c10::Device device) {
  if (!t.defined() || t.scalar_type() != at::kFloat || t.device() != device || t.sizes() != at::IntArrayRef(shape))
    throw Error(ErrorCode::kBadArgument,
                fmt::format("splat: {} is {} {}", name, t.defined() ? std::string(t.toString()) : "undefined",
                            t.defined() ? c10::str(t.sizes(), " on ", t.device()) : ""),
                fmt::format("give float32 of shape {} on {}", c10::str(at::IntArrayRef(shape)), c10::str(device)));
  const at::Tensor out = t.contiguous();
  return device.is_cuda() && reinterpret_cast<std::uintptr_t>(out.data_ptr()) % 16 != 0 ? out.clone() : out;
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
    const SplatInput input = make_input(inputs, loan->deformation, loan->sh_degree);
    Engine& engine = *loan->engine;
    const c10::DeviceGuard guard(engine.device);
    float *rgb_data = rgb.data_ptr<float>(), *alpha_data = alpha.data_ptr<float>();
    if (engine.cpu) {
      engine.cpu->forward(input, camera, loan->options, rgb_data, alpha_data, true);
      return {rgb, alpha};
    }
    const CudaStream stream = engine.enter();
    do engine.cuda->forward(input, camera, loan->options, rgb_data, alpha_data, true, stream);
    while (!cuda_recording(stream) && engine.cuda->grow_if_overflowed(stream));
    return {rgb, alpha};
  }

  static variable_list backward(AutogradContext* context, variable_list d) {
    const auto capsule = context->saved_data["loan"].toCapsule();
    auto* loan = static_cast<Loan*>(capsule.get());
    const variable_list inputs = context->get_saved_variables();
    const Camera& camera = loan->camera;
    Engine& engine = *loan->engine;
    const c10::DeviceGuard guard(engine.device);
    const at::Tensor d_rgb =
        d[0].defined() ? d[0].contiguous() : at::zeros({camera.height, camera.width, 3}, inputs[0].options());
    const at::Tensor d_alpha = d[1].defined() ? d[1].contiguous() : at::Tensor();
    const float* d_alpha_data = d_alpha.defined() ? d_alpha.data_ptr<float>() : nullptr;
    const SplatInput input = make_input(inputs, loan->deformation, loan->sh_degree);
    variable_list out;
    for (int i = 0; i < 5; ++i) out.push_back(engine.cpu ? at::zeros_like(inputs[i]) : at::empty_like(inputs[i]));
    const SplatGradients gradients = {out[0].data_ptr<float>(), out[1].data_ptr<float>(), out[2].data_ptr<float>(),
                                      out[3].data_ptr<float>(), out[4].data_ptr<float>(), nullptr};
    if (engine.cpu)
      engine.cpu->backward(input, camera, loan->options, d_rgb.data_ptr<float>(), d_alpha_data, gradients);
    else
      engine.cuda->backward(input, camera, loan->options, d_rgb.data_ptr<float>(), d_alpha_data, gradients,
                            engine.enter(), false);
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
  const c10::Device device = opacities.defined() ? opacities.device() : c10::Device(at::kCPU);
  if (device.is_cuda()) current_stream(device);  // throws where there is none
  const c10::DeviceGuard guard(device);
  const auto m = checked(means, "means", {n, 3}, device), q = checked(quats, "quats", {n, 4}, device);
  const auto s = checked(scales, "scales", {n, 3}, device), o = checked(opacities, "opacities", {n}, device);
  const auto h = checked(sh, "sh", {n, kShCoefficients, 3}, device);
  auto loan = c10::make_intrusive<Pool::Loan>();
  loan->pool = pool_;
  loan->engine = pool_->take(device);
  loan->camera = camera;
  loan->options = options;
  loan->sh_degree = sh_degree;
  if (deformation != nullptr) loan->deformation = checked(*deformation, "deformation", {n, 3, 3}, device).detach();
  const auto out = SplatFunction::apply(m, q, s, o, h, c10::intrusive_ptr<torch::CustomClassHolder>(loan));
  return {out[0], out[1]};
}

}  // namespace mien
