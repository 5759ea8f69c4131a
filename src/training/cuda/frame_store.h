// The pictures of a capture in GPU memory, each with the posed head of its moment: read and posed on threads of their
// own, uploaded when first needed, kept while there is room.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "mien/cuda/cuda.h"
#include "training/feature_weights.h"
#include "training/training_samples.h"

namespace mien {

struct DeviceFrame {
  Camera camera;
  std::array<float, 3> background = {};       // of the stored picture
  std::vector<WeightedRectangle> rectangles;  // of the loss
  bool spoken_of = false;                     // by networks: see g2a_speaks_of()
  const std::uint8_t* rgb = nullptr;          // [H,W,3] device memory from here on
  const std::uint8_t* matte = nullptr;        // [H,W]
  const float* vertices = nullptr;            // [V,3] posed
  const float* activations = nullptr;         // [M] of the colour modes
  const float* moved = nullptr;               // [V+1,3] see carried_vertices(); where networks see geometry
  const float* felt = nullptr;                // see felt_of(); where there are networks
};

// Not thread-safe. All uploads go through one stream, so that a frame that leaves is not overwritten too early.
class CudaFrameStore {
 public:
  // All must outlive the store. `most_bytes` of GPU memory for frames; at least a few frames are kept.
  CudaFrameStore(const GaussianAvatar& avatar, const GaussianTrainOptions& options, const SampleReader& reader,
                 std::size_t most_bytes, CudaStream stream);
  ~CudaFrameStore();

  void announce(const SampleKey& key);  // starts to read it, unless it is there
  // Valid until so many other frames have been asked for that it had to leave: at least one.
  const DeviceFrame& get(const SampleKey& key);
  int most_frames() const { return most_; }

 private:
  struct Prepared;
  struct Slot {
    std::int64_t key = -1;
    DeviceFrame frame;
    unsigned char* memory = nullptr;
  };
  std::int64_t index_of(const SampleKey& key) const;
  Prepared prepare(const SampleKey& key);
  bool add_slab();
  Slot& free_slot();

  const HeadModel* head_;
  const ColourModes* modes_;
  const G2aNet* networks_;  // null without; its options never change
  const GaussianTrainOptions* options_;
  const SampleReader* reader_;
  CudaStream stream_;
  std::size_t bytes_a_frame_ = 0;
  int most_ = 0;
  std::vector<CudaMemory> slabs_;
  std::vector<Slot> slots_;
  std::size_t next_ = 0;                       // the slot that is taken next when all are full
  std::map<std::int64_t, std::size_t> place_;  // key to slot
  std::mutex mutex_;
  std::vector<std::unique_ptr<SurfaceFrames>> idle_;      // one for each thread that poses
  std::map<std::int64_t, std::future<Prepared>> coming_;  // last: its threads use the others
};

}  // namespace mien
