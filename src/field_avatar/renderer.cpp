#include "mien/field_avatar/renderer.h"

#include <algorithm>
#include <numeric>

#include "field_avatar/cuda/field_renderer.h"
#include "mien/base/error.h"
#include "mien/field/composite.h"
#include "moment.h"

namespace mien {
namespace {

constexpr std::int64_t kRaysAtOnce = 8192;  // bounds memory

}  // namespace

struct FieldRenderer::Impl {
  const FieldAvatar* avatar;
  CanonicalHead canonical;
  FieldMoment moment;
  FieldNetwork<float> network;
  FieldParameters<float> worn;  // with the latents of the present mixture
  std::vector<Vec3> vertices;
  GatheredSamples samples;
  std::vector<float> density, colour;
  std::unique_ptr<CudaFieldRenderer> cuda;

  Impl(const FieldAvatar& a, bool on_gpu)
      : avatar(&a),
        canonical(a.head),
        moment(canonical, a.settings.limit),
        network(field_shape(a)),
        worn(a.parameters) {
    const auto cells = static_cast<std::size_t>(a.settings.occupancy) * a.settings.occupancy * a.settings.occupancy;
    MIEN_CHECK(a.reach.size() == canonical.faces().size() && a.occupied.size() == (cells + 31) / 32,
               "reach of {} faces, {} words of cells", a.reach.size(), a.occupied.size());
    if (on_gpu) cuda = std::make_unique<CudaFieldRenderer>(a);
    wear(std::array<float, 1>{1});
  }
  void wear(std::span<const float> weights) {
    worn.latents = mix_latents(*avatar, weights);
    if (cuda) cuda->wear(worn.latents);
  }
  void render(const MotionFrame& frame, const Camera& camera, float* rgb, float* alpha, float* depth);
  void render_some(const Camera& camera, std::span<const std::int64_t> pixels, float* rgb, float* alpha, float* depth);
};

void FieldRenderer::Impl::render(const MotionFrame& frame, const Camera& camera, float* rgb, float* alpha,
                                 float* depth) {
  const HeadModel& head = avatar->head;
  head.deform(frame.expression.data(), static_cast<int>(frame.expression.size()),
              frame.offsets.empty() ? nullptr : frame.offsets.data(), vertices);
  head.pose(frame.pose, vertices);
  if (cuda) {
    cuda->render(vertices, field_condition(head, frame), camera, rgb, alpha, depth);
    return;
  }
  moment.update(vertices, avatar->reach);
  samples.seen.condition = field_condition(head, frame);
  samples.seen.groups = 1;
  const std::int64_t pixels = std::int64_t{camera.width} * camera.height;
  std::vector<std::int64_t> some;
  for (std::int64_t first = 0; first < pixels; first += kRaysAtOnce) {
    some.resize(static_cast<std::size_t>(std::min(kRaysAtOnce, pixels - first)));
    std::iota(some.begin(), some.end(), first);
    render_some(camera, some, rgb + first * 3, alpha + first, depth == nullptr ? nullptr : depth + first);
  }
}

void FieldRenderer::Impl::render_some(const Camera& camera, std::span<const std::int64_t> pixels, float* rgb,
                                      float* alpha, float* depth) {
  FieldRays rays;
  moment.aim(camera, pixels, rays);
  samples.clear();
  const FieldSettings& s = avatar->settings;
  moment.gather(rays, avatar->reach, {avatar->occupied.data(), s.occupancy},
                {.step = s.step, .limit = s.limit, .rows_are_vertices = network.shape().rows > 1}, samples);
  network.forward(worn, samples.seen, density, colour);
  std::vector<float> depths(pixels.size());
  composite_rays<float>({static_cast<std::int64_t>(pixels.size()), samples.rays.first.data(), samples.rays.count.data(),
                         samples.rays.t.data(), samples.rays.dt.data(), density.data(), colour.data()},
                        {rgb, depths.data(), alpha, nullptr});
  if (depth == nullptr) return;
  for (std::size_t i = 0; i < depths.size(); ++i) depth[i] = alpha[i] > 1e-4f ? depths[i] / alpha[i] : 0;
}

FieldRenderer::FieldRenderer(const FieldAvatar& avatar, Device device) {
  impl_ = std::make_unique<Impl>(avatar, use_cuda(device));
}
FieldRenderer::~FieldRenderer() = default;
FieldRenderer::FieldRenderer(FieldRenderer&&) noexcept = default;
FieldRenderer& FieldRenderer::operator=(FieldRenderer&&) noexcept = default;

void FieldRenderer::wear(std::span<const float> weights) {
  impl_->wear(weights);
}
void FieldRenderer::render(const MotionFrame& frame, const Camera& camera, float* rgb, float* alpha, float* depth) {
  impl_->render(frame, camera, rgb, alpha, depth);
}
const std::vector<Vec3>& FieldRenderer::vertices() const {
  return impl_->vertices;
}
bool FieldRenderer::cuda() const {
  return impl_->cuda != nullptr;
}

}  // namespace mien
