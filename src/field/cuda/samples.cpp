// Lists of samples and the occupancy grid on a GPU: memory and launches.
#include <limits>

#include "field/cuda/room.h"

namespace mien {

using namespace field::cuda;

struct CudaRaySamples::Impl {
  CudaMemory rays, samples, blocks;
  DeviceSamples lists;

  void reserve(std::int64_t ray_count, std::int64_t capacity, CudaStream stream) {
    if (ray_count < 0 || capacity < 0 || ray_count > std::numeric_limits<std::int32_t>::max() ||
        capacity > std::numeric_limits<std::int32_t>::max())
      throw Error(ErrorCode::kUnsupported, fmt::format("rays: {} with {} samples", ray_count, capacity),
                  "take fewer than 2^31 at once");
    constexpr std::size_t kWord = sizeof(std::uint32_t);
    make_room(rays, (2 * ray_count + 2) * kWord, "lists of rays", stream);
    make_room(samples, 4 * capacity * kWord, "lists of samples", stream);
    make_room(blocks, (blocks_for(ray_count, kRayBlock) + 1) * kWord, "sums of rays", stream);
    auto* words = static_cast<std::uint32_t*>(rays.data());
    auto* values = static_cast<float*>(samples.data());
    lists.capacity = capacity;
    lists.total = words;
    place_rays(ray_count);
    lists.t = values;
    lists.dt = values + capacity;
    lists.ray = reinterpret_cast<std::uint32_t*>(values + 2 * capacity);
    lists.from = lists.ray + capacity;
  }
  void place_rays(std::int64_t ray_count) {
    lists.rays = ray_count;
    lists.first = lists.total + 2;
    lists.count = lists.first + ray_count;
  }
  // For so many rays, with the room for samples that there is.
  Lists work(std::int64_t ray_count, CudaStream stream) {
    if (lists.total == nullptr || ray_count > most_rays()) reserve(ray_count, lists.capacity, stream);
    place_rays(ray_count);
    return view(lists);
  }
  std::int64_t most_rays() const {
    return std::min(static_cast<std::int64_t>(rays.bytes() / sizeof(std::uint32_t) - 2) / 2,
                    static_cast<std::int64_t>(blocks.bytes() / sizeof(std::uint32_t) - 1) * kRayBlock);
  }
  Lists view(const DeviceSamples& s) const {
    return {s.rays, s.capacity, s.first, s.count, s.t,
            s.dt,   s.ray,      s.from,  s.total, static_cast<std::uint32_t*>(blocks.data())};
  }
};

CudaRaySamples::CudaRaySamples() {
  require_cuda();
  impl_ = std::make_unique<Impl>();
}
CudaRaySamples::~CudaRaySamples() = default;
CudaRaySamples::CudaRaySamples(CudaRaySamples&&) noexcept = default;
CudaRaySamples& CudaRaySamples::operator=(CudaRaySamples&&) noexcept = default;

void CudaRaySamples::reserve(std::int64_t rays, std::int64_t capacity) {
  impl_->reserve(rays, capacity, nullptr);
}

const DeviceSamples& CudaRaySamples::samples() const {
  return impl_->lists;
}

std::int64_t CudaRaySamples::wanted(CudaStream stream) const {
  if (impl_->lists.total == nullptr) return 0;
  std::uint32_t wanted = 0;
  cuda_synchronize(stream);
  cuda_download(&wanted, impl_->lists.total + 1, sizeof(wanted));
  return wanted;
}

void CudaRaySamples::march(const OccupancyView& view, const RayBatch& rays, const MarchOptions& options,
                           CudaStream stream) {
  if (!(options.step > 0) || options.most < 0 || rays.rays < 0 ||
      rays.rays * static_cast<std::int64_t>(options.most) > std::numeric_limits<std::uint32_t>::max())
    throw Error(ErrorCode::kBadArgument,
                fmt::format("rays: {} with a step of {} and at most {} samples", rays.rays, options.step, options.most),
                "give a positive step, and fewer than 2^32 samples at most");
  MarchJob q = {};
  q.view = view;
  q.origins = rays.origins;
  q.directions = rays.directions;
  q.spans = rays.spans;
  q.march = {options.step, options.jitter, options.most};
  q.seed = field_hash(options.seed);
  q.lists = impl_->work(rays.rays, stream);
  field::cuda::march(q, stream);
  enqueued("march of rays");
}

void CudaRaySamples::compact(const DeviceSamples& in, const std::uint8_t* keep, CudaStream stream) {
  MIEN_CHECK(in.total != nullptr && in.total != impl_->lists.total, "samples compacted in place, or never marched");
  CompactJob q = {};
  q.lists = impl_->work(in.rays, stream);
  q.in = impl_->view(in);
  q.keep = keep;
  field::cuda::compact(q, stream);
  enqueued("leaving out samples");
}

struct CudaOccupancy::Impl {
  OccupancyOptions options;
  std::int64_t cells = 0;
  CudaMemory density, bits, blocks, partial;
  std::size_t bits_bytes() const { return static_cast<std::size_t>((cells + 31) / 32) * sizeof(std::uint32_t); }
  std::size_t blocks_bytes() const {
    const std::size_t b = occupancy_blocks(options.resolution);
    return (b * b * b + 31) / 32 * sizeof(std::uint32_t);
  }
};

CudaOccupancy::CudaOccupancy(const OccupancyOptions& options) {
  require_cuda();
  const Occupancy empty(options);
  impl_ = std::make_unique<Impl>();
  impl_->options = options;
  impl_->cells = empty.cells();
  impl_->density.reserve(empty.cells() * sizeof(float), "densities of an occupancy grid");
  impl_->bits.reserve(impl_->bits_bytes(), "bits of an occupancy grid");
  impl_->blocks.reserve(impl_->blocks_bytes(), "bits of an occupancy grid");
  impl_->partial.reserve(kMeanBlocks * sizeof(double), "sums of an occupancy grid");
  upload(empty);
}
CudaOccupancy::~CudaOccupancy() = default;
CudaOccupancy::CudaOccupancy(CudaOccupancy&&) noexcept = default;
CudaOccupancy& CudaOccupancy::operator=(CudaOccupancy&&) noexcept = default;

const OccupancyOptions& CudaOccupancy::options() const {
  return impl_->options;
}
OccupancyView CudaOccupancy::view() const {
  return {static_cast<const std::uint32_t*>(impl_->bits.data()), impl_->options.resolution,
          static_cast<const std::uint32_t*>(impl_->blocks.data())};
}
std::int64_t CudaOccupancy::cells() const {
  return impl_->cells;
}
const float* CudaOccupancy::density() const {
  return static_cast<const float*>(impl_->density.data());
}

void CudaOccupancy::upload(const Occupancy& from) {
  MIEN_CHECK(from.cells() == impl_->cells, "{} cells for {}", from.cells(), impl_->cells);
  cuda_upload(impl_->density.data(), from.density().data(), from.density().size_bytes());
  cuda_upload(impl_->bits.data(), from.bits().data(), impl_->bits_bytes());
  cuda_upload(impl_->blocks.data(), from.view().blocks, impl_->blocks_bytes());
}

void CudaOccupancy::download(Occupancy& to) const {
  MIEN_CHECK(to.cells() == impl_->cells, "{} cells for {}", to.cells(), impl_->cells);
  std::vector<float> values(impl_->cells);
  cuda_check(cudaDeviceSynchronize(), "waiting for the device");
  cuda_download(values.data(), density(), values.size() * sizeof(float));
  std::vector<std::uint32_t> words(impl_->bits_bytes() / sizeof(std::uint32_t));
  cuda_download(words.data(), impl_->bits.data(), impl_->bits_bytes());
  std::vector<std::uint8_t> marks(impl_->cells);
  for (std::size_t i = 0; i < marks.size(); ++i) marks[i] = words[i / 32] >> (i % 32) & 1u;
  to.restore(values);
  to.mark(marks);
}

void CudaOccupancy::sample(std::int64_t count, std::uint32_t seed, std::uint32_t* cell, float* points,
                           CudaStream stream) {
  sample_cells(view(), count, seed, cell, points, stream);
  enqueued("points in cells");
}

void CudaOccupancy::update(std::int64_t count, const std::uint32_t* cell, const float* density, CudaStream stream) {
  update_occupancy({impl_->options.resolution, impl_->options.decay, impl_->options.threshold,
                    static_cast<float*>(impl_->density.data()), static_cast<std::uint32_t*>(impl_->bits.data()),
                    static_cast<std::uint32_t*>(impl_->blocks.data()), static_cast<double*>(impl_->partial.data())},
                   count, cell, density, stream);
  enqueued("update of occupancy");
}

}  // namespace mien
