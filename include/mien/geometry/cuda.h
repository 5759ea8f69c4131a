// The mesh rasteriser of raster.h on an NVIDIA GPU: the same samples, by the same code (geometry/triangle.h). Needs no
// CUDA header; in a build without CUDA the constructor throws kMissingFeature.
#pragma once

#include <memory>

#include "mien/cuda/cuda.h"
#include "mien/geometry/raster.h"

namespace mien {

// Device memory that a picture goes to: [height, width] in samples, as in RasterBuffer.
struct CudaRasterTarget {
  float* depth = nullptr;        // camera z, metres; +infinity where nothing is
  std::int32_t* face = nullptr;  // -1 where nothing is
  float* barycentric = nullptr;  // [height, width, 2]; may be nullptr
};

// Not thread-safe: one object a stream. The same bits every time.
class CudaMeshRasterizer {
 public:
  // Faces [F,3] of `vertices` vertices; indices outside are a kInternal error. Throws kMissingFeature without a GPU.
  CudaMeshRasterizer(std::span<const Index3> faces, int vertices);
  ~CudaMeshRasterizer();
  CudaMeshRasterizer(CudaMeshRasterizer&&) noexcept;
  CudaMeshRasterizer& operator=(CudaMeshRasterizer&&) noexcept;

  // Enqueues; does not wait. `positions` [V,3] on the device (world, metres). RasterOptions::barycentrics is ignored:
  // the target says what is wanted. Throws as rasterise(). Memory is kept for the largest picture so far; inside a
  // graph that is being recorded it must be large enough already.
  void rasterise(const float* positions, const Camera& camera, const RasterOptions& options,
                 const CudaRasterTarget& target, CudaStream stream);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// From and to host memory, in one go; for tests, tools and one-off pictures.
void rasterise_cuda(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
                    const RasterOptions& options, RasterBuffer& out);

}  // namespace mien
