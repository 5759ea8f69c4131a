// Owns the working memory of the CUDA rasteriser and enqueues its stages.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>

#include "cuda/check.h"
#include "mien/base/error.h"
#include "mien/splat/cuda.h"
#include "splat/cuda/frame.h"
#include "splat/view.h"

namespace mien {
namespace {

using namespace splat::cuda;

constexpr std::int64_t kMostPairs = (std::int64_t{1} << 31) - 1;

int multiprocessors() {
  int device = 0, count = 0;
  cuda_check(cudaGetDevice(&device), "current device");
  cuda_check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "properties of the device");
  return count;
}

void check_alignment(const void* pointer, const char* name) {
  if (reinterpret_cast<std::uintptr_t>(pointer) % 16 != 0)
    throw Error(ErrorCode::kBadArgument, fmt::format("splat: {} at {} is not aligned", name, pointer),
                "start it at a multiple of 16 bytes");
}

// Cuts one block of memory into arrays. Without a block it only counts.
class Carver {
 public:
  explicit Carver(void* base) : base_(static_cast<char*>(base)) {}
  template <typename T>
  void take(T*& out, std::int64_t count) {
    out = base_ != nullptr ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + 255) / 256 * 256;
  }
  std::size_t used() const { return used_; }

 private:
  char* base_;
  std::size_t used_ = 0;
};

}  // namespace

struct CudaSplatRasterizer::Impl {
  CudaSplatOptions options;
  int multiprocessors = 0;
  CudaMemory memory;
  Frame frame = {};
  // What the memory is laid out for.
  int gaussians = -1, tiles = -1;
  std::int64_t pairs = 0;
  bool keep = false;
  bool kept = false;  // the last frame may be followed by backward()
  bool drawn = false;

  std::size_t lay_out(void* base);
  void make_room(int for_gaussians, int for_tiles, std::int64_t for_pairs, bool for_keep, CudaStream stream);
  void start(const SplatInput& input, const Camera& camera, const SplatOptions& splat_options);
  Status status(CudaStream stream) const;
};

std::size_t CudaSplatRasterizer::Impl::lay_out(void* base) {
  Workspace& w = frame.w;
  w = {};
  Carver carver(base);
  const std::int64_t n = gaussians, t = tiles;
  carver.take(w.status, 1);
  carver.take(w.tiles, t);
  carver.take(w.records, 3 * n);
  carver.take(w.boxes, n);
  carver.take(w.masks, n);
  carver.take(w.rows, n);
  carver.take(w.large, n);
  carver.take(w.pairs, pairs);
  carver.take(w.keys, pairs);
  carver.take(w.spare, pairs);
  carver.take(w.ids, pairs);
  w.capacity = static_cast<std::uint32_t>(pairs);
  w.multiprocessors = multiprocessors;
  if (keep) {
    carver.take(w.finals, t * kPixels);
    carver.take(w.stops, t * kTileWarps);
    carver.take(w.kept, (pairs / kBatch + 1) * kPixels);
    carver.take(w.batches, pairs / kBatch + t);
    carver.take(w.drawn, pairs);
    carver.take(w.sums, pairs * kRowFloats);
    carver.take(w.totals, n * kRowFloats);
  }
  return carver.used();
}

// Grows, never shrinks. Sizes have some slack so that a slightly larger input does not grow it again.
void CudaSplatRasterizer::Impl::make_room(int for_gaussians, int for_tiles, std::int64_t for_pairs, bool for_keep,
                                          CudaStream stream) {
  const auto wish =
      static_cast<std::int64_t>(std::ceil(options.pairs_per_gaussian * static_cast<float>(for_gaussians)));
  for_pairs = std::min(std::max({for_pairs, wish, options.least_pairs, pairs}), kMostPairs);
  if (for_gaussians <= gaussians && for_tiles <= tiles && for_pairs <= pairs && (keep || !for_keep)) return;
  if (cuda_recording(stream))
    throw Error(ErrorCode::kBadArgument, "splat: memory would have to grow while a graph is recorded",
                "call reserve(), or draw such a frame, before recording");
  Impl wanted;
  wanted.gaussians = std::max(for_gaussians, gaussians);
  wanted.tiles = std::max(for_tiles, tiles);
  wanted.pairs = for_pairs;
  wanted.keep = keep || for_keep;
  const std::size_t bytes = wanted.lay_out(nullptr);
  kept = drawn = keep = false;  // should the memory not suffice, nothing is left
  gaussians = tiles = -1;
  pairs = 0;
  memory.reserve(
      bytes,
      fmt::format("{} Gaussians, {} tiles and {} pairs of both", wanted.gaussians, wanted.tiles, wanted.pairs).c_str());
  gaussians = wanted.gaussians;
  tiles = wanted.tiles;
  pairs = wanted.pairs;
  keep = wanted.keep;
  lay_out(memory.data());
}

void CudaSplatRasterizer::Impl::start(const SplatInput& input, const Camera& camera,
                                      const SplatOptions& splat_options) {
  check_alignment(input.quats, "quats");
  check_alignment(input.sh, "sh");
  frame.cloud = splat::make_cloud(input);
  frame.view = splat::make_view(camera, splat_options, kSide);
}

Status CudaSplatRasterizer::Impl::status(CudaStream stream) const {
  Status out = {};
  if (!drawn) return out;
  cuda_check(cudaMemcpyAsync(&out, frame.w.status, sizeof out, cudaMemcpyDeviceToHost, stream), "reading the report");
  cuda_check(cudaStreamSynchronize(stream), "drawing Gaussians");
  return out;
}

CudaSplatRasterizer::CudaSplatRasterizer(const CudaSplatOptions& options) : impl_(std::make_unique<Impl>()) {
  if (!cuda_missing().empty()) throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU");
  impl_->options = options;
  impl_->multiprocessors = multiprocessors();
}
CudaSplatRasterizer::~CudaSplatRasterizer() = default;
CudaSplatRasterizer::CudaSplatRasterizer(CudaSplatRasterizer&&) noexcept = default;
CudaSplatRasterizer& CudaSplatRasterizer::operator=(CudaSplatRasterizer&&) noexcept = default;

void CudaSplatRasterizer::reserve(int gaussians, int width, int height, bool keep_for_backward, std::int64_t pairs) {
  if (gaussians < 0 || width < 1 || height < 1 || pairs < 0 || pairs > kMostPairs)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("splat: room for {} Gaussians at {}x{} and {} pairs", gaussians, width, height, pairs),
                "give positive sizes and fewer than 2^31 pairs");
  impl_->make_room(gaussians, ((width + kSide - 1) / kSide) * ((height + kSide - 1) / kSide), pairs, keep_for_backward,
                   nullptr);
}

void CudaSplatRasterizer::forward(const SplatInput& input, const Camera& camera, const SplatOptions& options,
                                  float* rgb, float* alpha, bool keep_for_backward, CudaStream stream) {
  Impl& s = *impl_;
  s.start(input, camera, options);
  s.make_room(input.count, s.frame.view.tiles_x * s.frame.view.tiles_y, 0, keep_for_backward, stream);
  Frame frame = s.frame;
  if (!keep_for_backward) {
    frame.w.finals = nullptr;
    frame.w.drawn = nullptr;
  }
  const Workspace& w = frame.w;
  const int tiles = frame.view.tiles_x * frame.view.tiles_y;
  const auto counters = reinterpret_cast<char*>(w.tiles + tiles) - reinterpret_cast<char*>(w.status);
  cuda_check(cudaMemsetAsync(w.status, 0, static_cast<std::size_t>(counters), stream), "clearing counters");
  const int stages = s.options.stages;
  if (stages > 1) project(frame, stream);
  if (stages > 2) pair_large(frame, stream);
  if (stages > 3) allocate(frame, stream);
  if (stages > 4) scatter(frame, stream);
  if (stages > 5) sort(frame, stream);
  if (stages > 6) composite(frame, rgb, alpha, stream);
  cuda_check(cudaGetLastError(), "drawing Gaussians");
  s.kept = keep_for_backward;
  s.drawn = true;
}

void CudaSplatRasterizer::backward(const SplatInput& input, const Camera& camera, const SplatOptions& options,
                                   const float* d_rgb, const float* d_alpha, const SplatGradients& gradients,
                                   CudaStream stream, bool add) {
  Impl& s = *impl_;
  const splat::View& view = s.frame.view;
  if (!s.kept || s.frame.cloud.count != input.count || view.width != camera.width || view.height != camera.height)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("splat: backward for {} Gaussians at {}x{} does not follow a forward of the same",
                            input.count, camera.width, camera.height),
                "call forward with keep_for_backward on the same input first");
  check_alignment(gradients.sh, "the gradient of sh");
  s.start(input, camera, options);
  const Gradients out = {gradients.means,
                         gradients.quats,
                         gradients.scales,
                         gradients.opacities,
                         gradients.sh,
                         gradients.mean2d_norm,
                         add};
  if (s.options.stages > 7) composite_backward(s.frame, d_rgb, d_alpha, stream);
  if (s.options.stages > 8) gather_large(s.frame, stream);
  if (s.options.stages > 9) project_backward(s.frame, out, stream);
  cuda_check(cudaGetLastError(), "gradients of Gaussians");
}

const unsigned long long* CudaSplatRasterizer::wanted_pairs() const {
  return &impl_->frame.w.status->rows;
}
std::int64_t CudaSplatRasterizer::capacity() const {
  return impl_->pairs;
}

CudaSplatReport CudaSplatRasterizer::report(CudaStream stream) const {
  const Status status = impl_->status(stream);
  return {static_cast<std::int64_t>(status.rows), impl_->pairs, static_cast<int>(status.visible),
          static_cast<int>(status.batches)};
}

bool CudaSplatRasterizer::grow_if_overflowed(CudaStream stream) {
  const CudaSplatReport last = report(stream);
  if (!last.overflowed()) return false;
  if (last.pairs > kMostPairs)
    throw Error(ErrorCode::kUnsupported,
                fmt::format("splat: {} pairs of Gaussian and tile, {} at most", last.pairs, kMostPairs),
                "use a smaller picture, or fewer or smaller Gaussians");
  impl_->make_room(impl_->gaussians, impl_->tiles, std::min(last.pairs + last.pairs / 2, kMostPairs), impl_->keep,
                   stream);
  return true;
}

}  // namespace mien
