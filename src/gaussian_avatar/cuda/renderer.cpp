#include <cuda_runtime_api.h>

#include <cmath>
#include <optional>

#include "cuda/check.h"
#include "gaussian_avatar/cuda/device_head.h"
#include "gaussian_avatar/cuda/device_networks.h"
#include "gaussian_avatar/cuda/pose.h"
#include "mien/base/error.h"
#include "mien/gaussian_avatar/cuda.h"
#include "mien/splat/cuda.h"

namespace mien {
namespace {

std::vector<float> flat(const std::vector<Vec3>& points) {
  std::vector<float> out;
  out.reserve(points.size() * 3);
  for (const Vec3& p : points) out.insert(out.end(), {p.x(), p.y(), p.z()});
  return out;
}

}  // namespace

struct CudaAvatarPose::Impl {
  CudaArray<std::int32_t> faces, ring_begin, ring;
  CudaArray<float> inverse_frames, areas, canonical, means;
  CudaArray<int4> anchors;
  CudaArray<float4> weights, frames;
  avatar_cuda::Rest rest = {};
};

CudaAvatarPose::CudaAvatarPose(const GaussianAvatar& avatar) {
  if (!cuda_missing().empty()) throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU");
  const auto count = static_cast<std::size_t>(avatar.gaussians.count());
  const auto vertices = static_cast<int>(avatar.head.mesh.positions.size());
  MIEN_CHECK(avatar.anchors.size() == count, "anchors {} gaussians {}", avatar.anchors.size(), count);
  impl_ = std::make_unique<Impl>();
  Impl& s = *impl_;
  const SurfaceFrames surface(avatar.head);
  std::vector<std::int32_t> faces;
  for (const Index3& t : avatar.head.mesh.faces) faces.insert(faces.end(), {t[0], t[1], t[2]});
  std::vector<float> inverse;
  for (const Mat3& m : surface.inverse_frames())
    for (int k = 0; k < 9; ++k) inverse.push_back(m(k / 3, k % 3));
  std::vector<int4> anchors;
  std::vector<float4> weights;
  for (const GaussianAnchor& a : avatar.anchors) {
    for (int k = 0; k < kAnchorCount; ++k)
      if (a.weight[k] != 0 && (a.vertex[k] < 0 || a.vertex[k] >= vertices))
        throw Error(ErrorCode::kBadFile, fmt::format("avatar: an anchor at vertex {} of {}", a.vertex[k], vertices),
                    "the file is damaged; make the avatar again");
    anchors.push_back({a.vertex[0], a.vertex[1], a.vertex[2], a.vertex[3]});
    weights.push_back({a.weight[0], a.weight[1], a.weight[2], a.weight[3]});
  }
  s.faces = faces;
  s.inverse_frames = inverse;
  s.areas = surface.areas();
  s.ring_begin = surface.ring_begin();
  s.ring = surface.ring();
  s.canonical = flat(avatar.head.mesh.positions);
  s.means = avatar.gaussians.means;
  s.anchors = anchors;
  s.weights = weights;
  s.frames.resize(static_cast<std::size_t>(vertices) * 3);
  s.rest = {vertices,       static_cast<int>(count), s.faces.data(),  s.inverse_frames.data(),
            s.areas.data(), s.ring_begin.data(),     s.ring.data(),   s.canonical.data(),
            s.means.data(), s.anchors.data(),        s.weights.data()};
}
CudaAvatarPose::~CudaAvatarPose() = default;
CudaAvatarPose::CudaAvatarPose(CudaAvatarPose&&) noexcept = default;
CudaAvatarPose& CudaAvatarPose::operator=(CudaAvatarPose&&) noexcept = default;

void CudaAvatarPose::enqueue(const float* vertices, float* means, float* deformation, CudaStream stream,
                             const float* canonical) const {
  avatar_cuda::Rest rest = impl_->rest;
  if (canonical != nullptr) rest.means = canonical;
  avatar_cuda::vertex_frames(rest, vertices, impl_->frames.data(), stream);
  avatar_cuda::pose_gaussians(rest, impl_->frames.data(), means, deformation, stream);
  cuda_check(cudaGetLastError(), "posing Gaussians");
}
int CudaAvatarPose::vertex_count() const {
  return impl_->rest.vertices;
}
int CudaAvatarPose::gaussian_count() const {
  return impl_->rest.gaussians;
}

struct CudaGaussianRenderer::Impl {
  explicit Impl(const GaussianAvatar& a)
      : avatar(&a), head(a.head), pose(a), means(a.gaussians.means.size()), deformation(a.gaussians.means.size() * 3) {
    const Gaussians& g = a.gaussians;
    std::vector<float> values = g.log_scales;
    for (float& v : values) v = std::exp(v);
    scales = values;
    values = g.opacity_logits;
    for (float& v : values) v = 1.0f / (1.0f + std::exp(-v));
    opacities = values;
    quats = g.quats;
    sh = g.sh;
    vertices.resize(a.head.mesh.positions.size() * 3);
    if (a.modes.count() > 0) take_modes(a);
    if (!a.g2anet.empty()) take_networks(a);
  }
  void take_modes(const GaussianAvatar& a) {
    const ColourModes& m = a.modes;
    MIEN_CHECK(m.colour.size() == m.gaussian.size() * m.names.size() * 3, "modes {} colours {} Gaussians {}",
               m.names.size(), m.colour.size(), m.gaussian.size());
    std::vector<float> base;
    for (const std::int32_t i : m.gaussian) {
      MIEN_CHECK(i >= 0 && i < a.gaussians.count(), "a colour mode of Gaussian {} of {}", i, a.gaussians.count());
      const float* first = &a.gaussians.sh[static_cast<std::size_t>(i) * kShCoefficients * 3];
      base.insert(base.end(), first, first + 3);
    }
    mode_gaussian = m.gaussian;
    mode_colour = m.colour;
    mode_base = base;
    activations.resize(m.names.size());
    modes = {static_cast<int>(m.gaussian.size()), m.count(), mode_gaussian.data(), mode_colour.data(),
             mode_base.data()};
  }
  void take_networks(const GaussianAvatar& a) {
    const Gaussians& g = a.gaussians;
    networks.emplace(a, false);
    weights = join_weights(a.g2anet);
    felt.resize(static_cast<std::size_t>(felt_count(a.g2anet)));
    geometry = a.g2anet.options.geometry();
    if (geometry) moved.resize(vertices.size() + 3);
    rest_sh = g.sh;
    rest_quats = g.quats;
    rest_logits = g.opacity_logits;
    rest_opacities = opacities.host();
    rest_means = g.means;
    if (networks->shifts()) shifted = g.means;
    drawn = {rest_sh.data(), rest_quats.data(), rest_logits.data(), rest_means.data(),
             sh.data(),      quats.data(),      opacities.data(),   networks->shifts() ? shifted.data() : nullptr};
  }
  // From the host's memory, which must stay until the stream has been waited for.
  static void copy(const CudaArray<float>& to, const std::vector<float>& from, const char* what, CudaStream stream) {
    cuda_check(cudaMemcpyAsync(to.data(), from.data(), from.size() * sizeof(float), cudaMemcpyHostToDevice, stream),
               what);
  }
  // As at rest, where an earlier moment changed it.
  void restore(CudaStream stream) {
    const auto put_back = [stream](const CudaArray<float>& to, const CudaArray<float>& from) {
      cuda_check(cudaMemcpyAsync(to.data(), from.data(), to.size() * sizeof(float), cudaMemcpyDeviceToDevice, stream),
                 "putting Gaussians back");
    };
    put_back(sh, rest_sh);
    put_back(quats, rest_quats);
    put_back(opacities, rest_opacities);
    if (networks->shifts()) put_back(shifted, rest_means);
  }
  // Means, colours, rotations and opacities of the moment.
  void set_looks(const MotionFrame& frame, CudaStream stream) {
    const bool speaks = networks && g2a_speaks_of(avatar->g2anet, frame);
    if (networks && !speaks) restore(stream);
    if (speaks) {
      host_felt = felt_of(avatar->g2anet, frame);
      copy(felt, host_felt, "copying what the networks feel", stream);
      networks->run(weights.data(), drawn, moved.data(), felt.data(), stream);
    }
    if (modes.gaussians > 0 && geometry) {
      host_activations = avatar->modes.activations(frame.expression);
      copy(activations, host_activations, "copying activations", stream);
      avatar_cuda::set_mode_colours(modes, activations.data(), sh.data(), stream);
    }
    if (speaks) networks->conclude(drawn, stream);
  }
  const GaussianAvatar* avatar;
  DeviceHead head;
  CudaAvatarPose pose;
  CudaSplatRasterizer rasterizer;
  CudaArray<float> scales, opacities, quats, sh, vertices, means, deformation;
  CudaArray<std::int32_t> mode_gaussian;
  CudaArray<float> mode_colour, mode_base, activations;
  avatar_cuda::Modes modes = {};
  std::optional<DeviceNetworks> networks;
  CudaArray<float> weights, felt, moved, rest_sh, rest_quats, rest_logits, rest_opacities, rest_means, shifted;
  avatar_cuda::NetworkGaussians drawn = {};
  bool geometry = true;         // the face moves: always without networks
  CudaArray<float> rgb, alpha;  // for pictures that go to the host
  CudaArray<std::uint8_t> picture;
  std::vector<float> host_activations, host_felt;
  MotionFrame moment;       // the last one drawn
  std::vector<Vec3> posed;  // its vertices, once asked for
};

CudaGaussianRenderer::CudaGaussianRenderer(const GaussianAvatar& avatar) : impl_(std::make_unique<Impl>(avatar)) {}
CudaGaussianRenderer::~CudaGaussianRenderer() = default;
CudaGaussianRenderer::CudaGaussianRenderer(CudaGaussianRenderer&&) noexcept = default;
CudaGaussianRenderer& CudaGaussianRenderer::operator=(CudaGaussianRenderer&&) noexcept = default;

void CudaGaussianRenderer::render(const MotionFrame& frame, const Camera& camera, const SplatOptions& options,
                                  float* rgb, float* alpha, CudaStream stream) {
  Impl& s = *impl_;
  s.moment = frame;
  s.posed.clear();
  s.head.enqueue(frame, s.geometry, s.vertices.data(), s.networks && s.geometry ? s.moved.data() : nullptr, stream);
  s.set_looks(frame, stream);
  const bool shifts = s.networks && s.networks->shifts();
  s.pose.enqueue(s.vertices.data(), s.means.data(), s.deformation.data(), stream, shifts ? s.shifted.data() : nullptr);
  SplatInput input;
  input.count = s.pose.gaussian_count();
  input.means = s.means.data();
  input.quats = s.quats.data();
  input.scales = s.scales.data();
  input.opacities = s.opacities.data();
  input.sh = s.sh.data();
  input.deformation = s.deformation.data();
  do s.rasterizer.forward(input, camera, options, rgb, alpha, false, stream);
  while (s.rasterizer.grow_if_overflowed(stream));  // waits
}

const std::vector<Vec3>& CudaGaussianRenderer::vertices() const {
  Impl& s = *impl_;
  if (s.posed.empty()) {  // seldom asked for: the device's own stay there
    const HeadModel& head = s.avatar->head;
    const MotionFrame& frame = s.moment;
    head.deform(frame.expression.data(), s.geometry ? static_cast<int>(frame.expression.size()) : 0,
                frame.offsets.empty() || !s.geometry ? nullptr : frame.offsets.data(), s.posed);
    head.pose(frame.pose, s.posed);
  }
  return s.posed;
}

void CudaGaussianRenderer::render_to_host(const MotionFrame& frame, const Camera& camera, const SplatOptions& options,
                                          float* rgb, float* alpha) {
  Impl& s = *impl_;
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  s.rgb.resize(pixels * 3);
  s.alpha.resize(pixels);
  render(frame, camera, options, s.rgb.data(), s.alpha.data());
  cuda_download(rgb, s.rgb.data(), pixels * 3 * sizeof(float));
  cuda_download(alpha, s.alpha.data(), pixels * sizeof(float));
}

void CudaGaussianRenderer::paint(const MotionFrame& frame, const Camera& camera, const std::array<float, 3>& top,
                                 const std::array<float, 3>& bottom, std::uint8_t* picture) {
  Impl& s = *impl_;
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  s.rgb.resize(pixels * 3);
  s.alpha.resize(pixels);
  s.picture.resize(pixels * 3);
  render(frame, camera, splat_options(*s.avatar), s.rgb.data(), s.alpha.data());
  avatar_cuda::finish_picture({camera.width,
                               camera.height,
                               s.rgb.data(),
                               s.alpha.data(),
                               {top[0], top[1], top[2]},
                               {bottom[0], bottom[1], bottom[2]},
                               s.picture.data()},
                              nullptr);
  cuda_check(cudaGetLastError(), "finishing a picture");
  cuda_download(picture, s.picture.data(), pixels * 3);
}

}  // namespace mien
