// Small networks on a GPU: memory and launches.
#include <algorithm>

#include "field/cuda/room.h"

namespace mien {

using namespace field::cuda;

struct CudaMlp::Impl {
  MlpShape shape;
  CudaMlpOptions options;
  int forward_blocks = 0, backward_blocks = 0;  // that the device holds at once
  CudaMemory group_bias, group_sums, partial, largest;

  bool first_bias() const { return shape.bias || shape.shared > 0; }

  void make_group_room(int groups, bool back, CudaStream stream) {
    const std::size_t values = static_cast<std::size_t>(std::max(1, groups)) * kWidth;
    make_room(group_bias, values * sizeof(float), "biases of groups", stream);
    if (!back) return;
    make_room(group_sums, values * sizeof(long long), "sums of groups", stream);
    make_room(partial, static_cast<std::size_t>(backward_blocks) * network_partials(net()) * sizeof(float),
              "sums of a network's gradients", stream);
  }
  NetworkShape net() const { return {shape.inputs, shape.shared, shape.outputs, shape.hidden, shape.bias}; }

  NetworkJob job(const float* weights, const MlpBatch<float>& batch, DeviceCount count) const {
    if (batch.groups < 1 || (shape.shared > 0 && batch.shared == nullptr))
      throw Error(ErrorCode::kBadArgument,
                  fmt::format("network: {} groups for {} shared inputs", batch.groups, shape.shared));
    NetworkJob q = {};
    q.shape = net();
    q.count = count_of(count);
    q.weights = weights;
    q.x = batch.x;
    q.x_stride = batch.x_stride > 0 ? batch.x_stride : shape.inputs;
    q.shared = batch.shared;
    q.groups = batch.groups;
    q.group = batch.group;
    if (first_bias()) q.group_bias = static_cast<float*>(group_bias.data());
    return q;
  }
};

CudaMlp::CudaMlp(const MlpShape& shape, const CudaMlpOptions& options) {
  shape.check();
  require_cuda();
  if (shape.width != kWidth || shape.outputs > 32)
    throw Error(ErrorCode::kUnsupported,
                fmt::format("network: width {} and {} outputs on a GPU", shape.width, shape.outputs),
                "give a width of 64 and at most 32 outputs, or run on the CPU");
  impl_ = std::make_unique<Impl>();
  impl_->shape = shape;
  impl_->options = options;
  int device = 0, multiprocessors = 0;
  cuda_check(cudaGetDevice(&device), "current device");
  cuda_check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device), "multiprocessors");
  impl_->forward_blocks = multiprocessors * network_blocks(impl_->net(), false);
  impl_->backward_blocks = multiprocessors * network_blocks(impl_->net(), true);
  if (impl_->forward_blocks == 0 || impl_->backward_blocks == 0) {
    cudaGetLastError();
    throw Error(ErrorCode::kUnsupported,
                fmt::format("network: {} inputs and {} hidden layers are too much for this GPU's shared memory",
                            shape.inputs, shape.hidden),
                "take fewer, or run on the CPU");
  }
  impl_->largest.reserve(sizeof(std::uint32_t), "the largest gradient");
}
CudaMlp::~CudaMlp() = default;
CudaMlp::CudaMlp(CudaMlp&&) noexcept = default;
CudaMlp& CudaMlp::operator=(CudaMlp&&) noexcept = default;

const MlpShape& CudaMlp::shape() const {
  return impl_->shape;
}

void CudaMlp::reserve(int groups) {
  impl_->make_group_room(groups, true, nullptr);
}

void CudaMlp::forward(const float* weights, const MlpBatch<float>& batch, DeviceCount count, float* y,
                      std::int64_t y_stride, CudaStream stream) {
  impl_->make_group_room(batch.groups, false, stream);
  NetworkJob q = impl_->job(weights, batch, count);
  q.y = y;
  q.y_stride = y_stride > 0 ? y_stride : impl_->shape.outputs;
  q.blocks = impl_->forward_blocks;
  group_biases(q, stream);
  network_forward(q, stream);
  enqueued("network");
}

void CudaMlp::backward(const float* weights, const MlpBatch<float>& batch, DeviceCount count, const float* d_y,
                       const MlpGradients<float>& gradients, std::int64_t d_y_stride, CudaStream stream) {
  if (count.bound == 0) return;
  impl_->make_group_room(batch.groups, true, stream);
  NetworkJob q = impl_->job(weights, batch, count);
  q.d_y = d_y;
  q.y_stride = d_y_stride > 0 ? d_y_stride : impl_->shape.outputs;
  q.loss_scale = impl_->options.loss_scale;
  q.d_x = gradients.x;
  q.d_x_stride = gradients.x_stride > 0 ? gradients.x_stride : impl_->shape.inputs;
  q.d_weights = gradients.weights;
  q.d_shared = gradients.shared;
  q.partial = static_cast<float*>(impl_->partial.data());
  q.blocks = std::min(impl_->backward_blocks, blocks_for(count.bound, kTile));
  auto* largest = static_cast<std::uint32_t*>(impl_->largest.data());
  q.largest = largest;
  if (q.loss_scale == 0) {
    cuda_check(cudaMemsetAsync(largest, 0, sizeof(*largest), stream), "clearing sums");
    find_largest(d_y, impl_->shape.outputs, q.y_stride, q.count, largest, stream);
  }
  if (impl_->first_bias()) {
    q.group_sums = static_cast<long long*>(impl_->group_sums.data());
    cuda_check(
        cudaMemsetAsync(q.group_sums, 0, static_cast<std::size_t>(q.groups) * kWidth * sizeof(long long), stream),
        "clearing sums");
  }
  group_biases(q, stream);
  network_backward(q, stream);
  sum_network(q, stream);
  enqueued("network, backward");
}

}  // namespace mien
