// The Gaussian rasteriser on an NVIDIA GPU: the conventions and results of SplatRasterizer (gaussians.h), with all
// arrays in device memory and all work enqueued on a stream. In a build or on a machine without CUDA the constructor
// throws kMissingFeature; cuda_missing() (cuda/cuda.h) says so beforehand.
#pragma once

#include <cstdint>
#include <memory>

#include "mien/cuda/cuda.h"
#include "mien/splat/gaussians.h"

namespace mien {

// The stages of a frame, for profiling: seven of forward(), three of backward().
constexpr const char* kCudaSplatStages[] = {
    "clear", "project",   "pair large",         "allocate",     "scatter",
    "sort",  "composite", "composite backward", "gather large", "project backward"};

struct CudaSplatOptions {
  // Room for (Gaussian, 8x8-pixel tile) pairs that a rasteriser starts with, per Gaussian. Measured on the shipped
  // avatar at 512x512: about 4.
  float pairs_per_gaussian = 8;
  std::int64_t least_pairs = 1 << 16;
  // For profiling: only the first so many of kCudaSplatStages are enqueued.
  int stages = 10;
};

// How the last frame went. Read on the device after the frame: see CudaSplatRasterizer::report().
struct CudaSplatReport {
  std::int64_t pairs = 0;     // (Gaussian, tile) pairs that the frame needed
  std::int64_t capacity = 0;  // and those there was room for
  int visible = 0;            // Gaussians that touch the picture
  int batches = 0;            // of 32 list entries, that reached some pixel; counted only with keep_for_backward
  bool overflowed() const { return pairs > capacity; }
};

// Owns the working memory, which grows when a larger input comes and is then reused: once warm, forward() and
// backward() allocate nothing, do not wait for the device, and can be recorded into a CUDA graph (cuda/cuda.h). One
// object serves one stream at a time and one thread. Both directions give the same bits every time (no floating-point
// atomics).
//
// How much room the tile lists need is known only on the device. A frame that needs more leaves tiles out and says so
// in report(); grow_if_overflowed() makes room, after which the frame is drawn again:
//
//   do rasterizer.forward(input, camera, options, rgb, alpha, true, stream);
//   while (rasterizer.grow_if_overflowed(stream));
class CudaSplatRasterizer {
 public:
  explicit CudaSplatRasterizer(const CudaSplatOptions& options = {});
  ~CudaSplatRasterizer();
  CudaSplatRasterizer(CudaSplatRasterizer&&) noexcept;
  CudaSplatRasterizer& operator=(CudaSplatRasterizer&&) noexcept;

  // Makes room beforehand: needed before recording a graph, unless a frame of this size has been drawn already.
  // Waits for the device when memory must grow. Throws kIo when the GPU's memory does not suffice.
  void reserve(int gaussians, int width, int height, bool keep_for_backward, std::int64_t pairs = 0);

  // Device pointers throughout: input as in SplatInput (quats and sh 16-byte aligned), rgb [H,W,3], alpha [H,W].
  // Throws kBadArgument for an argument out of range, misaligned, or memory that would have to grow during recording.
  void forward(const SplatInput& input, const Camera& camera, const SplatOptions& options, float* rgb, float* alpha,
               bool keep_for_backward, CudaStream stream = nullptr);

  // For the last forward(..., true) with the same input on the same stream. Device pointers; d_rgb [H,W,3]; d_alpha
  // [H,W] or nullptr. Gradients are added to `gradients`, or overwrite them if not `add`. After a frame that overflowed
  // nothing is added (overwriting gives zeros).
  void backward(const SplatInput& input, const Camera& camera, const SplatOptions& options, const float* d_rgb,
                const float* d_alpha, const SplatGradients& gradients, CudaStream stream = nullptr, bool add = true);

  // The same for kernels on the stream, without waiting: how many pairs the last frame wanted, in device memory, and
  // how many there is room for. After such a frame with more than that nothing was drawn whole. Valid until the next
  // forward() or reserve().
  const unsigned long long* wanted_pairs() const;
  std::int64_t capacity() const;

  // Waits for the stream.
  CudaSplatReport report(CudaStream stream) const;
  // Waits for the stream. If the last frame overflowed, makes room for it and half as much again and returns true: draw
  // again. Throws kIo when the GPU's memory does not suffice, kUnsupported beyond 2^31 pairs.
  bool grow_if_overflowed(CudaStream stream);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
