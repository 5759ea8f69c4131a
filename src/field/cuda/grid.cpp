// The hash grid and volume rendering on a GPU: memory and launches.
#include <algorithm>

#include "field/cuda/room.h"

namespace mien {

using namespace field::cuda;

struct CudaHashGrid::Impl {
  HashGrid grid;
  CudaHashGridOptions options;
  CudaMemory sums, largest;

  GridJob job(const float* points, DeviceCount count, std::int64_t stride) const {
    GridJob q = {};
    q.grid.levels = static_cast<int>(grid.levels().size());
    q.grid.features = grid.options().features;
    for (int l = 0; l < q.grid.levels; ++l) {
      const HashGridLevel& level = grid.levels()[l];
      q.grid.level[l] = {level.resolution, level.hashed, level.entries, level.first};
    }
    q.count = count_of(count);
    q.points = points;
    q.stride = stride > 0 ? stride : grid.outputs();
    return q;
  }
  std::size_t entry_bytes() const { return std::min(4, grid.options().features) * sizeof(float); }
};

CudaHashGrid::CudaHashGrid(const HashGridOptions& grid, const CudaHashGridOptions& options) {
  require_cuda();
  impl_ = std::make_unique<Impl>(Impl{HashGrid(grid), options, {}, {}});
  impl_->largest.reserve(sizeof(std::uint32_t), "the largest gradient");
}
CudaHashGrid::~CudaHashGrid() = default;
CudaHashGrid::CudaHashGrid(CudaHashGrid&&) noexcept = default;
CudaHashGrid& CudaHashGrid::operator=(CudaHashGrid&&) noexcept = default;

const HashGrid& CudaHashGrid::grid() const {
  return impl_->grid;
}

void CudaHashGrid::encode(const float* table, const float* points, DeviceCount count, float* out,
                          std::int64_t out_stride, CudaStream stream) {
  require_aligned(table, impl_->entry_bytes(), "the hash grid's table");
  GridJob q = impl_->job(points, count, out_stride);
  q.table = table;
  q.out = out;
  field::cuda::encode(q, stream);
  enqueued("hash grid");
}

void CudaHashGrid::backward(const float* table, const float* points, const float* d_out, DeviceCount count,
                            float* d_table, float* d_points, std::int64_t out_stride, CudaStream stream) {
  if (count.bound == 0) return;
  GridJob q = impl_->job(points, count, out_stride);
  q.table = table;
  q.d_out = d_out;
  q.d_table = d_table;
  q.d_points = d_points;
  if (d_points != nullptr) {
    require_aligned(table, impl_->entry_bytes(), "the hash grid's table");
    point_gradients(q, stream);
  }
  if (d_table != nullptr) {
    require_aligned(d_table, impl_->entry_bytes(), "the gradient of the hash grid's table");
    const std::int64_t parameters = impl_->grid.parameters();
    if (impl_->options.deterministic) {
      const std::size_t bytes = parameters * sizeof(long long);
      if (make_room(impl_->sums, bytes, "sums of the hash grid's gradients", stream))
        cuda_check(cudaMemsetAsync(impl_->sums.data(), 0, impl_->sums.bytes(), stream), "clearing sums");
      auto* largest = static_cast<std::uint32_t*>(impl_->largest.data());
      cuda_check(cudaMemsetAsync(largest, 0, sizeof(*largest), stream), "clearing sums");
      find_largest(d_out, impl_->grid.outputs(), q.stride, q.count, largest, stream);
      q.largest = largest;
      q.sums = static_cast<long long*>(impl_->sums.data());
    }
    table_gradients(q, stream);
    if (q.sums != nullptr) add_sums(q.sums, q.largest, parameters, d_table, stream);
  }
  enqueued("hash grid, backward");
}

namespace {

CompositeJob composite_job(const CompositeInput<float>& in, const CompositeOutput<float>& out) {
  CompositeJob q = {};
  q.rays = in.rays;
  q.first = in.first;
  q.count = in.count;
  q.t = in.t;
  q.dt = in.dt;
  q.density = in.density;
  q.colour = in.colour;
  q.rgb = out.rgb;
  q.depth = out.depth;
  q.opacity = out.opacity;
  q.weights = out.weights;
  return q;
}

}  // namespace

void cuda_composite(const CompositeInput<float>& input, const CompositeOutput<float>& output, CudaStream stream) {
  require_cuda();
  composite(composite_job(input, output), stream);
  enqueued("volume rendering");
}

void cuda_composite_backward(const CompositeInput<float>& input, const CompositeOutput<float>& output,
                             const CompositeGradients<float>& gradients, CudaStream stream) {
  require_cuda();
  CompositeJob q = composite_job(input, output);
  q.d_rgb = gradients.d_rgb;
  q.d_depth = gradients.d_depth;
  q.d_opacity = gradients.d_opacity;
  q.d_weights = gradients.d_weights;
  q.d_density = gradients.d_density;
  q.d_colour = gradients.d_colour;
  composite_back(q, stream);
  enqueued("volume rendering, backward");
}

}  // namespace mien
