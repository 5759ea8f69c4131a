#include "mien/gaussian_avatar/g2anet.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/gaussian_avatar/initialise.h"

namespace mien {
namespace {

constexpr float kPi = 3.14159265f;
constexpr float kCentimetres = 100;
constexpr int kFeatureLayers = 4, kRotationLayers = 2;

std::vector<G2aLayer> layers(const char* name, int inputs, int width, int outputs, int count) {
  std::vector<G2aLayer> stack;
  for (int l = 0; l < count; ++l) {
    G2aLayer layer;
    layer.name = fmt::format("{}.{}", name, l);
    layer.inputs = l == 0 ? inputs : width;
    layer.outputs = l == count - 1 ? outputs : width;
    layer.weight.assign(static_cast<std::size_t>(layer.inputs) * layer.outputs, 0.0f);
    layer.bias.assign(static_cast<std::size_t>(layer.outputs), 0.0f);
    stack.push_back(std::move(layer));
  }
  return stack;
}

// `emotion`: the first of the inputs that start without weight.
void randomise(std::vector<G2aLayer>& stack, Random& random, int emotion) {
  for (std::size_t l = 0; l + 1 < stack.size(); ++l) {
    const float deviation = std::sqrt(2.0f / static_cast<float>(stack[l].inputs));
    for (float& w : stack[l].weight) w = deviation * random.normal();
  }
  for (int o = 0; !stack.empty() && o < stack[0].outputs; ++o) {
    std::fill_n(&stack[0].weight[static_cast<std::size_t>(o) * stack[0].inputs + emotion], kEmotionCount, 0.0f);
  }
}

}  // namespace

EmotionVector g2a_emotion(const EmotionVector& emotion) {
  EmotionVector out = emotion;
  out[static_cast<std::size_t>(Emotion::kNeutral)] -= 1;
  return out;
}

int g2a_place_count(const G2aOptions& options) {
  return 2 + 4 * options.frequencies + kG2aPartCount;
}

bool g2a_speaks_of(const G2aNet& net, const MotionFrame& frame) {
  if (net.empty()) return false;
  if (net.options.geometry()) return true;
  if (frame.sound.empty()) return false;
  if (static_cast<int>(frame.sound.size()) != net.options.sound) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("a frame with {} features of the sound for networks that hear {} ({})", frame.sound.size(),
                            net.options.sound, net.hears),
                "make the frame's features as the avatar's training made them");
  }
  return true;
}

void make_g2a_layers(G2aNet& net) {
  const G2aOptions& o = net.options;
  if (o.width < 1 || o.width > 256 || o.frequencies < 0 || o.frequencies > 12) {
    throw Error(ErrorCode::kBadArgument, fmt::format("G2ANet {} wide with {} frequencies", o.width, o.frequencies),
                "use a width of 1 to 256 and 0 to 12 frequencies");
  }
  if (o.dynamic_opacity && !o.feature_net) {
    throw Error(ErrorCode::kBadArgument, "a dynamic opacity without FeatureNet, which gives it",
                "leave one of the two options out");
  }
  if (o.sound < 0 || o.sound > kG2aMostSound) {
    throw Error(ErrorCode::kBadArgument, fmt::format("G2ANet with {} features of the sound", o.sound),
                fmt::format("use 0 (geometry) to {}", kG2aMostSound));
  }
  const int rest = kEmotionCount + o.sound + g2a_place_count(o) + g2a_displacement_count(o);
  net.feature.clear();
  if (o.feature_net) {
    net.feature = layers("feature", kG2aFeatureCanonical + rest, o.width, kG2aColours + (o.dynamic_opacity ? 1 : 0),
                         kFeatureLayers);
  }
  net.rotation = layers("rotation", kG2aRotationCanonical + rest, o.width, g2a_rotation_outputs(o), kRotationLayers);
}

G2aNet make_g2anet(const GaussianAvatar& avatar, const G2aOptions& options, std::uint64_t seed) {
  G2aNet net;
  net.options = options;
  make_g2a_layers(net);
  Random random(seed, 29);
  randomise(net.feature, random, kG2aFeatureCanonical);
  randomise(net.rotation, random, kG2aRotationCanonical);
  net.gaussian = facial_gaussians(avatar);
  return net;
}

std::vector<float> g2a_places(const GaussianAvatar& avatar) {
  const G2aNet& net = avatar.g2anet;
  const TriangleMesh& mesh = avatar.head.mesh;
  std::map<std::array<std::int32_t, 3>, std::size_t> face_of;
  for (std::size_t f = 0; f < mesh.faces.size(); ++f) {
    const Index3& t = mesh.faces[f];
    face_of.emplace(std::array<std::int32_t, 3>{t[0], t[1], t[2]}, f);
  }
  const auto row = static_cast<std::size_t>(g2a_place_count(net.options));
  std::vector<float> places(net.gaussian.size() * row, 0.0f);
  for (std::size_t k = 0; k < net.gaussian.size(); ++k) {
    const auto i = static_cast<std::size_t>(net.gaussian[k]);
    const GaussianAnchor& anchor = avatar.anchors[i];
    Vec3 at = Vec3::Zero();  // on the surface: the Gaussian itself moves about while training
    for (int c = 0; c < 3; ++c) at += anchor.weight[c] * mesh.positions[static_cast<std::size_t>(anchor.vertex[c])];
    Vec2 uv(std::atan2(at.x(), at.z()) / (2 * kPi) + 0.5f, at.y() * 4 + 0.5f);
    float* place = &places[k * row];
    const auto found = face_of.find({anchor.vertex[0], anchor.vertex[1], anchor.vertex[2]});
    if (found != face_of.end()) {
      const std::size_t f = found->second;
      if (!mesh.face_uv.empty()) {
        uv = Vec2::Zero();
        for (int c = 0; c < 3; ++c) uv += anchor.weight[c] * mesh.uv[static_cast<std::size_t>(mesh.face_uv[f][c])];
      }
      place[row - kG2aPartCount + static_cast<std::size_t>(avatar.head.face_part[f])] = 1;
    }
    *place++ = uv.x();
    *place++ = uv.y();
    for (int band = 0; band < net.options.frequencies; ++band) {
      const float scale = kPi * static_cast<float>(1 << band);
      for (const float u : {uv.x(), uv.y()}) {
        *place++ = std::sin(scale * u);
        *place++ = std::cos(scale * u);
      }
    }
  }
  return places;
}

void g2a_displacements(const GaussianAvatar& avatar, const std::vector<Vec3>& unposed, std::vector<float>& out) {
  const std::vector<std::int32_t>& gaussian = avatar.g2anet.gaussian;
  const std::vector<Vec3>& canonical = avatar.head.mesh.positions;
  const auto count = static_cast<std::int64_t>(gaussian.size());
  out.resize(gaussian.size() * 3);
  parallel_for(count, 2048, [&](std::int64_t k) {
    const GaussianAnchor& anchor = avatar.anchors[static_cast<std::size_t>(gaussian[k])];
    Vec3 sum = Vec3::Zero();
    for (int a = 0; a < kAnchorCount; ++a) {
      if (anchor.weight[a] == 0) continue;
      sum += anchor.weight[a] * (unposed[anchor.vertex[a]] - canonical[anchor.vertex[a]]);
    }
    Eigen::Map<Vec3>{&out[k * 3]} = kCentimetres * sum;
  });
  // Over vertices and one after the other: the same whichever Gaussians are left, and for any number of threads.
  Eigen::Vector3d sum = Eigen::Vector3d::Zero();
  int moving = 0;
  for (int v = 0; v < avatar.head.vertex_count(); ++v) {
    if (is_rigid_region(avatar.head.region[v])) continue;
    sum += (unposed[v] - canonical[v]).cast<double>();
    ++moving;
  }
  const Vec3 shift = (kCentimetres * sum / std::max(moving, 1)).cast<float>();
  for (std::int64_t k = 0; k < count; ++k) {
    for (int c = 0; c < 3; ++c) out[k * 3 + c] -= shift[c];
  }
}

std::array<float, 4> unit_quaternion(const float* q) {
  const float length = std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  const float scale = (q[0] < 0 ? -1.0f : 1.0f) / std::max(length, 1e-12f);
  return {scale * q[0], scale * q[1], scale * q[2], scale * q[3]};
}

std::array<float, 4> turn_quaternion(const float* q, const float* r) {
  const float w = q[0], x = q[1], y = q[2], z = q[3];
  return {w - 0.5f * (x * r[0] + y * r[1] + z * r[2]), x + 0.5f * (w * r[0] + y * r[2] - z * r[1]),
          y + 0.5f * (w * r[1] + z * r[0] - x * r[2]), z + 0.5f * (w * r[2] + x * r[1] - y * r[0])};
}

}  // namespace mien
