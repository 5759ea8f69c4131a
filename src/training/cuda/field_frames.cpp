#include "training/cuda/field_frames.h"

#include <cuda_runtime_api.h>
#include <omp.h>

#include <algorithm>

#include "cuda/check.h"
#include "mien/base/error.h"

namespace mien {
namespace {

std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

}  // namespace

CudaFieldFrames::CudaFieldFrames(const FieldPlan& plan, const SampleReader& reader, std::size_t most_bytes,
                                 CudaStream stream)
    : plan_(plan), reader_(reader), most_bytes_(most_bytes), stream_(stream) {}

std::int64_t CudaFieldFrames::index_of(const SampleKey& key) {
  return (static_cast<std::int64_t>(key.sequence) << 42) | (static_cast<std::int64_t>(key.view) << 32) | key.frame;
}

void CudaFieldFrames::announce(const SampleKey& key) {
  const std::int64_t index = index_of(key);
  if (there_.contains(index) || coming_.contains(index)) return;
  coming_.emplace(index, std::async(std::launch::async, [this, key] {
                    omp_set_num_threads(1);  // of this thread: the others are busy with their own frames
                    Prepared out;
                    out.frame = plan_.frame(key);
                    out.picture = reader_.picture(key);
                    return out;
                  }));
}

void CudaFieldFrames::drop_oldest(std::int64_t step) {
  const auto oldest = std::min_element(there_.begin(), there_.end(),
                                       [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
  if (oldest == there_.end() || oldest->second.used >= step) return;
  cuda_synchronize(stream_);
  bytes_ -= oldest->second.memory.bytes();
  there_.erase(oldest);
}

const FieldDeviceFrame& CudaFieldFrames::get(const SampleKey& key, std::int64_t step) {
  const std::int64_t index = index_of(key);
  const auto found = there_.find(index);
  if (found != there_.end()) {
    found->second.used = step;
    return found->second;
  }
  announce(key);
  const auto arriving = coming_.find(index);
  Prepared ready = arriving->second.get();
  coming_.erase(arriving);
  const Camera& camera = ready.frame.camera;
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  if (ready.picture->rgb.pixels.size() != 3 * pixels || ready.picture->matte.pixels.size() != pixels)
    throw Error(ErrorCode::kBadFile,
                fmt::format("sequence {}, frame {}: picture, matte and camera differ in size",
                            reader_.capture().sequences[static_cast<std::size_t>(key.sequence)].id, key.frame),
                "check the capture with: mien capture check");
  const std::size_t vertices = ready.frame.posed.size() * sizeof(Vec3);
  while (bytes_ > most_bytes_ && there_.size() > 1) {
    const std::size_t before = there_.size();
    drop_oldest(step);
    if (there_.size() == before) break;
  }
  FieldDeviceFrame& frame = there_[index];
  frame.memory.reserve(aligned(3 * pixels) + aligned(pixels) + aligned(vertices), "pictures to train on");
  bytes_ += frame.memory.bytes();
  auto* at = static_cast<std::uint8_t*>(frame.memory.data());
  const auto put = [&](const void* data, std::size_t bytes) {
    std::uint8_t* to = at;
    cuda_check(cudaMemcpyAsync(to, data, bytes, cudaMemcpyHostToDevice, stream_), "uploading a picture");
    at += aligned(bytes);
    return to;
  };
  // The data is pageable: it has been taken when the call returns.
  frame.picture.rgb = put(ready.picture->rgb.pixels.data(), 3 * pixels);
  frame.picture.matte = put(ready.picture->matte.pixels.data(), pixels);
  frame.posed = reinterpret_cast<const float*>(put(ready.frame.posed.data(), vertices));
  const std::array<float, 3>& behind = reader_.background(key);
  std::copy(behind.begin(), behind.end(), frame.picture.background);
  frame.picture.width = camera.width;
  frame.picture.height = camera.height;
  frame.picture.sequence = key.sequence;
  frame.picture.choice = ready.frame.choice;
  frame.low = frame.high = ready.frame.posed.front();
  for (const Vec3& p : ready.frame.posed) {
    frame.low = frame.low.cwiseMin(p);
    frame.high = frame.high.cwiseMax(p);
  }
  frame.frame = std::move(ready.frame);
  frame.frame.posed.clear();
  frame.frame.posed.shrink_to_fit();
  frame.used = step;
  return frame;
}

}  // namespace mien
