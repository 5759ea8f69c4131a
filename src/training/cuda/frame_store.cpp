#include "training/cuda/frame_store.h"

#include <cuda_runtime_api.h>
#include <omp.h>

#include <algorithm>
#include <utility>

#include "cuda/check.h"
#include "gaussian_avatar/cuda/device_networks.h"
#include "mien/base/error.h"

namespace mien {
namespace {

constexpr int kSlab = 32;        // frames that get their memory together
constexpr int kLeastFrames = 4;  // that are kept however little memory there is

std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

}  // namespace

// What the threads make of a picture.
struct CudaFrameStore::Prepared {
  DeviceFrame frame;
  std::shared_ptr<const CaptureFrame> picture;
  std::vector<Vec3> vertices;
  std::vector<float> activations, moved, felt;
};

CudaFrameStore::CudaFrameStore(const GaussianAvatar& avatar, const GaussianTrainOptions& options,
                               const SampleReader& reader, std::size_t most_bytes, CudaStream stream)
    : head_(&avatar.head),
      modes_(&avatar.modes),
      networks_(avatar.g2anet.empty() ? nullptr : &avatar.g2anet),
      options_(&options),
      reader_(&reader),
      stream_(stream) {
  std::size_t pixels = 0;
  for (const CaptureCamera& camera : reader.capture().cameras)
    pixels = std::max(pixels, static_cast<std::size_t>(camera.camera.width) * camera.camera.height);
  const auto vertices = static_cast<std::size_t>(head_->vertex_count());
  bytes_a_frame_ = aligned(pixels * 3) + aligned(pixels) + aligned(vertices * sizeof(Vec3)) +
                   aligned((modes_->names.size() + 1) * sizeof(float));
  if (networks_ != nullptr) {
    bytes_a_frame_ += aligned(static_cast<std::size_t>(felt_count(*networks_)) * sizeof(float));
    if (networks_->options.geometry()) bytes_a_frame_ += aligned((vertices + 1) * sizeof(Vec3));
  }
  const auto fit = static_cast<std::int64_t>(most_bytes / bytes_a_frame_);
  most_ =
      static_cast<int>(std::clamp<std::int64_t>(fit, kLeastFrames, static_cast<std::int64_t>(reader.keys().size())));
  slots_.reserve(static_cast<std::size_t>(most_));
}
CudaFrameStore::~CudaFrameStore() = default;

std::int64_t CudaFrameStore::index_of(const SampleKey& key) const {
  return (static_cast<std::int64_t>(key.sequence) << 42) | (static_cast<std::int64_t>(key.view) << 32) | key.frame;
}

CudaFrameStore::Prepared CudaFrameStore::prepare(const SampleKey& key) {
  omp_set_num_threads(1);  // of this thread: the others are busy with their own pictures
  std::unique_ptr<SurfaceFrames> surface;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      surface = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (surface == nullptr) surface = std::make_unique<SurfaceFrames>(*head_);
  const MotionFrame& motion = reader_->motion(key);
  const bool geometry = networks_ == nullptr || networks_->options.geometry();
  surface->update(motion, geometry);
  Prepared out;
  out.picture = reader_->picture(key);
  out.frame.camera = reader_->camera(key);
  out.frame.background = reader_->background(key);
  out.frame.rectangles = feature_rectangles(*head_, *surface, out.frame.camera, *options_);
  out.vertices = surface->vertices();
  out.activations = modes_->activations(motion.expression);
  if (!geometry) std::fill(out.activations.begin(), out.activations.end(), 0.0f);
  if (networks_ != nullptr) {
    out.frame.spoken_of = g2a_speaks_of(*networks_, motion);
    out.felt = felt_of(*networks_, motion);
    if (geometry) out.moved = carried_vertices(*head_, surface->unposed());
  }
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(surface));
  return out;
}

void CudaFrameStore::announce(const SampleKey& key) {
  const std::int64_t index = index_of(key);
  if (place_.contains(index) || coming_.contains(index)) return;
  coming_.emplace(index, std::async(std::launch::async, [this, key] { return prepare(key); }));
}

// Memory for the next frames. Where there is none left, those that are there take turns.
bool CudaFrameStore::add_slab() {
  const auto frames = static_cast<std::size_t>(std::min<int>(kSlab, most_ - static_cast<int>(slots_.size())));
  CudaMemory slab;
  try {
    slab.reserve(frames * bytes_a_frame_, "pictures to train on");
  } catch (const Error&) {
    if (slots_.size() < kLeastFrames) throw;
    most_ = static_cast<int>(slots_.size());
    return false;
  }
  slabs_.push_back(std::move(slab));
  return true;
}

CudaFrameStore::Slot& CudaFrameStore::free_slot() {
  const std::size_t in_slab = slots_.size() % kSlab;
  if (static_cast<int>(slots_.size()) < most_ && (in_slab != 0 || add_slab())) {
    slots_.emplace_back().memory = static_cast<unsigned char*>(slabs_.back().data()) + in_slab * bytes_a_frame_;
    return slots_.back();
  }
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  place_.erase(slot.key);
  return slot;
}

const DeviceFrame& CudaFrameStore::get(const SampleKey& key) {
  const std::int64_t index = index_of(key);
  const auto found = place_.find(index);
  if (found != place_.end()) return slots_[found->second].frame;
  announce(key);
  const auto arriving = coming_.find(index);
  Prepared ready = arriving->second.get();
  coming_.erase(arriving);
  const std::size_t pixels = static_cast<std::size_t>(ready.frame.camera.width) * ready.frame.camera.height;
  if (ready.picture->rgb.pixels.size() != 3 * pixels || ready.picture->matte.pixels.size() != pixels)
    throw Error(ErrorCode::kBadFile,
                fmt::format("sequence {}, frame {}: a picture of {}x{}, a matte of {}x{}, a camera of {}x{}",
                            reader_->capture().sequences[key.sequence].id, key.frame, ready.picture->rgb.width,
                            ready.picture->rgb.height, ready.picture->matte.width, ready.picture->matte.height,
                            ready.frame.camera.width, ready.frame.camera.height),
                "check the capture with: mien capture check");
  Slot& slot = free_slot();
  slot.key = index;
  slot.frame = std::move(ready.frame);
  unsigned char* at = slot.memory;
  const auto put = [&](const void* data, std::size_t bytes) {
    if (bytes > 0) cuda_check(cudaMemcpyAsync(at, data, bytes, cudaMemcpyHostToDevice, stream_), "uploading a picture");
    return std::exchange(at, at + aligned(bytes));
  };
  slot.frame.rgb = put(ready.picture->rgb.pixels.data(), 3 * pixels);
  slot.frame.matte = put(ready.picture->matte.pixels.data(), pixels);
  const auto put_floats = [&](const void* data, std::size_t count) {
    return reinterpret_cast<const float*>(put(data, count * sizeof(float)));
  };
  slot.frame.vertices = put_floats(ready.vertices.data(), ready.vertices.size() * 3);
  slot.frame.activations = put_floats(ready.activations.data(), ready.activations.size());
  slot.frame.moved = put_floats(ready.moved.data(), ready.moved.size());
  slot.frame.felt = put_floats(ready.felt.data(), ready.felt.size());
  // The data is pageable: it has been taken when the call returns.
  place_[index] = static_cast<std::size_t>(&slot - slots_.data());
  return slot.frame;
}

}  // namespace mien
