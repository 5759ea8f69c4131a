// The radiance field's operations on an NVIDIA GPU: conventions and results of hash_grid.h, mlp.h, occupancy.h and
// composite.h, with all arrays in device memory and all work enqueued on a stream. Nothing waits for the device unless
// it says so. In a build or on a machine without CUDA the constructors throw kMissingFeature; cuda_missing()
// (cuda/cuda.h) says so beforehand. An object serves one stream and one thread at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "mien/cuda/cuda.h"
#include "mien/field/composite.h"
#include "mien/field/hash_grid.h"
#include "mien/field/mlp.h"
#include "mien/field/occupancy.h"

namespace mien {

// How many items to work on: `bound`, or fewer where `actual` (in device memory) says so. How many samples rays have is
// known on the device only, so launches are for the bound.
struct DeviceCount {
  std::int64_t bound = 0;
  const std::uint32_t* actual = nullptr;
};

struct CudaHashGridOptions {
  // Gradients of the table are summed as 64-bit whole numbers, in which the order does not matter, instead of by
  // floating-point atomics: the same bits every time. bench_field prints what it costs.
  bool deterministic = true;
};

class CudaHashGrid {
 public:
  explicit CudaHashGrid(const HashGridOptions& grid = {}, const CudaHashGridOptions& options = {});
  ~CudaHashGrid();
  CudaHashGrid(CudaHashGrid&&) noexcept;
  CudaHashGrid& operator=(CudaHashGrid&&) noexcept;
  const HashGrid& grid() const;

  void encode(const float* table, const float* points, DeviceCount count, float* out, std::int64_t out_stride = 0,
              CudaStream stream = nullptr);
  // Adds to d_table (unless nullptr), overwrites d_points (unless nullptr).
  void backward(const float* table, const float* points, const float* d_out, DeviceCount count, float* d_table,
                float* d_points, std::int64_t out_stride = 0, CudaStream stream = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct CudaMlpOptions {
  // Gradients are multiplied by this before they become half precision, and divided after. 0: by a power of two found
  // from the largest of d_y, on the device.
  float loss_scale = 0;
};

// Width 64 and at most 32 outputs. Each network is one kernel forward and one back (with a small one to sum up), on
// tensor cores: weights and activations in half precision, sums in float. Gradients are summed in a fixed order.
class CudaMlp {
 public:
  explicit CudaMlp(const MlpShape& shape, const CudaMlpOptions& options = {});
  ~CudaMlp();
  CudaMlp(CudaMlp&&) noexcept;
  CudaMlp& operator=(CudaMlp&&) noexcept;
  const MlpShape& shape() const;

  // `batch` as for the CPU but for its count, which is `count`. Memory grows with the number of groups only.
  void reserve(int groups);
  void forward(const float* weights, const MlpBatch<float>& batch, DeviceCount count, float* y,
               std::int64_t y_stride = 0, CudaStream stream = nullptr);
  void backward(const float* weights, const MlpBatch<float>& batch, DeviceCount count, const float* d_y,
                const MlpGradients<float>& gradients, std::int64_t d_y_stride = 0, CudaStream stream = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Packed samples in device memory, with room for a bound.
struct DeviceSamples {
  std::int64_t rays = 0;
  std::uint32_t* first = nullptr;  // [R]
  std::uint32_t* count = nullptr;  // [R]
  std::int64_t capacity = 0;
  float* t = nullptr;             // [capacity]
  float* dt = nullptr;            // [capacity]
  std::uint32_t* ray = nullptr;   // [capacity]
  std::uint32_t* from = nullptr;  // [capacity] after compact(): which sample it was
  // [2]: samples there are, at most the capacity; samples that were wanted. Where more were wanted than there is room
  // for, the rays that found none have no samples: the host may look between frames and make more room.
  std::uint32_t* total = nullptr;
  DeviceCount size() const { return {capacity, total}; }
};

class CudaRaySamples {
 public:
  CudaRaySamples();
  ~CudaRaySamples();
  CudaRaySamples(CudaRaySamples&&) noexcept;
  CudaRaySamples& operator=(CudaRaySamples&&) noexcept;

  // Makes room; waits when memory must grow. Needed before recording a graph.
  void reserve(std::int64_t rays, std::int64_t capacity);
  const DeviceSamples& samples() const;          // of the last march() or compact()
  std::int64_t wanted(CudaStream stream) const;  // waits for the stream

  void march(const OccupancyView& view, const RayBatch& rays, const MarchOptions& options, CudaStream stream = nullptr);
  // From `in`, which belongs to another object: those with keep [capacity] != 0.
  void compact(const DeviceSamples& in, const std::uint8_t* keep, CudaStream stream = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class CudaOccupancy {
 public:
  explicit CudaOccupancy(const OccupancyOptions& options = {});
  ~CudaOccupancy();
  CudaOccupancy(CudaOccupancy&&) noexcept;
  CudaOccupancy& operator=(CudaOccupancy&&) noexcept;
  const OccupancyOptions& options() const;
  OccupancyView view() const;  // of device memory, valid as long as the object
  std::int64_t cells() const;
  const float* density() const;  // [R^3] in device memory

  void upload(const Occupancy& from);  // same resolution; waits
  void download(Occupancy& to) const;  // same resolution; waits

  void sample(std::int64_t count, std::uint32_t seed, std::uint32_t* cell, float* points, CudaStream stream = nullptr);
  void update(std::int64_t count, const std::uint32_t* cell, const float* density, CudaStream stream = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Device pointers throughout.
void cuda_composite(const CompositeInput<float>& input, const CompositeOutput<float>& output,
                    CudaStream stream = nullptr);
void cuda_composite_backward(const CompositeInput<float>& input, const CompositeOutput<float>& output,
                             const CompositeGradients<float>& gradients, CudaStream stream = nullptr);

}  // namespace mien
