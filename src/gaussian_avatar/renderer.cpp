#include "mien/gaussian_avatar/renderer.h"

#include <algorithm>

#include "mien/base/parallel.h"

namespace mien {

Image8 over_backdrop(const float* rgb, const float* alpha, int width, int height, const Backdrop& backdrop) {
  Image8 picture(width, height, 3);
  parallel_for(height, 16, [&](std::int64_t y) {
    const float t = (static_cast<float>(y) + 0.5f) / static_cast<float>(height);
    for (int x = 0; x < width; ++x) {
      const std::size_t i = static_cast<std::size_t>(y) * width + x;
      const float rest = 1 - alpha[i];
      for (int c = 0; c < 3; ++c) {
        const float background = (1 - t) * backdrop.top[c] + t * backdrop.bottom[c];
        const float value = std::clamp(rgb[i * 3 + c] + rest * background, 0.0f, 1.0f);
        picture.pixels[i * 3 + c] = static_cast<std::uint8_t>(value * 255.0f + 0.5f);
      }
    }
  });
  return picture;
}

AvatarRenderer::AvatarRenderer(const GaussianAvatar& avatar, Device device) : avatar_(&avatar) {
  if (use_cuda(device))
    cuda_.emplace(avatar);
  else
    cpu_.emplace(avatar);
}

const std::vector<Vec3>& AvatarRenderer::vertices() const {
  return cuda_ ? cuda_->vertices() : cpu_->surface().vertices();
}

void AvatarRenderer::render(const MotionFrame& frame, const Camera& camera, const SplatOptions& options, float* rgb,
                            float* alpha) {
  if (cuda_)
    cuda_->render_to_host(frame, camera, options, rgb, alpha);
  else
    cpu_->render(frame, camera, options, rgb, alpha);
}

Image8 AvatarRenderer::paint(const MotionFrame& frame, const Camera& camera, const Backdrop& backdrop) {
  if (cuda_) {
    Image8 picture(camera.width, camera.height, 3);
    cuda_->paint(frame, camera, backdrop.top, backdrop.bottom, picture.pixels.data());
    return picture;
  }
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  rgb_.resize(pixels * 3);
  alpha_.resize(pixels);
  cpu_->render(frame, camera, splat_options(*avatar_), rgb_.data(), alpha_.data());
  return over_backdrop(rgb_.data(), alpha_.data(), camera.width, camera.height, backdrop);
}

}  // namespace mien
