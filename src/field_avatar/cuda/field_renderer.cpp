#include "field_avatar/cuda/field_renderer.h"

#include <algorithm>

#include "field_avatar/cuda/field_pass.h"
#include "mien/base/error.h"

namespace mien {
namespace {

constexpr std::int64_t kRays = 1 << 16;  // at once: bounds memory
constexpr std::int64_t kMarched = 64;    // samples a ray that there is room for at first,
constexpr std::int64_t kKept = 24;       // and of those that are kept
constexpr int kMostTries = 4;

const FieldAvatar& usable(const FieldAvatar& avatar) {
  if (!cuda_missing().empty())
    throw Error(ErrorCode::kMissingFeature, "drawing on a GPU: " + cuda_missing(), "use --device cpu");
  return avatar;
}

}  // namespace

struct CudaFieldRenderer::Impl {
  OwnedCudaStream stream;
  FieldSettings settings;
  CudaFieldPass pass;
  CudaOccupancy occupied;
  CudaArray<float> table, density, offset, colour, latents, posed, rgb, depth, opacity;
  std::vector<float> host_depth;

  explicit Impl(const FieldAvatar& avatar)
      : settings(avatar.settings),
        pass(avatar, {.most_moments = 1, .rays = kRays, .marched = kRays * kMarched, .kept = kRays * kKept}, stream),
        occupied({.resolution = avatar.settings.occupancy}),
        table(avatar.parameters.table),
        density(avatar.parameters.density),
        offset(avatar.parameters.offset),
        colour(avatar.parameters.colour),
        rgb(kRays * 3),
        depth(kRays),
        opacity(kRays) {
    Occupancy host({.resolution = avatar.settings.occupancy});
    std::vector<std::uint8_t> cells(static_cast<std::size_t>(host.cells()));
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = (avatar.occupied[i / 32] >> (i % 32)) & 1u;
    host.mark(cells);
    occupied.upload(host);
  }
};

CudaFieldRenderer::CudaFieldRenderer(const FieldAvatar& avatar) : impl_(std::make_unique<Impl>(usable(avatar))) {}
CudaFieldRenderer::~CudaFieldRenderer() = default;

void CudaFieldRenderer::wear(const std::vector<float>& latents) {
  cuda_synchronize(impl_->stream);
  impl_->latents = latents;
}

void CudaFieldRenderer::render(const std::vector<Vec3>& posed, const std::vector<float>& condition,
                               const Camera& camera, float* rgb, float* alpha, float* depth) {
  Impl& m = *impl_;
  FieldView view;
  view.camera = camera;
  view.low = view.high = posed.front();
  for (const Vec3& p : posed) {
    view.low = view.low.cwiseMin(p);
    view.high = view.high.cwiseMax(p);
  }
  m.posed.resize(posed.size() * 3);
  cuda_upload(m.posed.data(), posed.data(), posed.size() * sizeof(Vec3));
  view.posed = m.posed.data();
  m.pass.set_moments({view}, condition);
  const DeviceFieldParameters parameters = {m.table.data(), m.density.data(), m.offset.data(), m.colour.data(),
                                            m.latents.data()};
  const std::int64_t pixels = std::int64_t{camera.width} * camera.height;
  for (std::int64_t first = 0; first < pixels; first += kRays) {
    const auto count = static_cast<std::size_t>(std::min(kRays, pixels - first));
    m.pass.aim(static_cast<int>(count), nullptr, first);
    for (int i = 0; i < kMostTries; ++i) {
      m.pass.gather(m.occupied.view(), {.step = m.settings.step}, m.latents.data());
      if (m.pass.had_room()) break;
    }
    m.pass.forward(parameters);
    m.pass.composite(m.rgb.data(), m.depth.data(), m.opacity.data());
    cuda_synchronize(m.stream);
    cuda_download(rgb + first * 3, m.rgb.data(), count * 3 * sizeof(float));
    cuda_download(alpha + first, m.opacity.data(), count * sizeof(float));
    if (depth == nullptr) continue;
    cuda_download(depth + first, m.depth.data(), count * sizeof(float));
    for (std::int64_t i = first; i < first + static_cast<std::int64_t>(count); ++i)
      depth[i] = alpha[i] > 1e-4f ? depth[i] / alpha[i] : 0;
  }
}

}  // namespace mien
