// The pictures of a capture in GPU memory with the posed head of their moment, for field training: read and posed on
// threads of their own, uploaded when first needed, kept while there is room.
#pragma once

#include <future>
#include <map>

#include "mien/cuda/cuda.h"
#include "training/cuda/field_kernels.h"
#include "training/field_plan.h"

namespace mien {

struct FieldDeviceFrame {
  FieldFrame frame;  // its `posed` is empty
  Vec3 low, high;    // box round the posed head
  training_cuda::FieldPicture picture = {};
  const float* posed = nullptr;  // [V,3] device memory
  std::int64_t used = 0;         // in which step last
  CudaMemory memory;
};

// Not thread-safe.
class CudaFieldFrames {
 public:
  // Both must outlive the object. `most_bytes` of GPU memory, but for the frames of a few steps.
  CudaFieldFrames(const FieldPlan& plan, const SampleReader& reader, std::size_t most_bytes, CudaStream stream);
  void announce(const SampleKey& key);  // starts to read it, unless it is there
  // Valid while `step` is the present one.
  const FieldDeviceFrame& get(const SampleKey& key, std::int64_t step);

 private:
  struct Prepared {
    FieldFrame frame;
    std::shared_ptr<const CaptureFrame> picture;
  };
  static std::int64_t index_of(const SampleKey& key);
  void drop_oldest(std::int64_t step);

  const FieldPlan& plan_;
  const SampleReader& reader_;
  std::size_t most_bytes_, bytes_ = 0;
  CudaStream stream_;
  std::map<std::int64_t, FieldDeviceFrame> there_;
  std::map<std::int64_t, std::future<Prepared>> coming_;
};

}  // namespace mien
