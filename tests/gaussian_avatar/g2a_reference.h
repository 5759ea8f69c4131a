// G2ANet a second time, in double and as plainly as it can be written: what the fast versions must agree with.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "mien/base/random.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "simple_head.h"

namespace mien {

struct G2aReference {
  std::vector<double> sh;       // [N,48] added
  std::vector<double> quats;    // [N,4] turned
  std::vector<double> opacity;  // [N] added to the logit
  std::vector<double> shift;    // [N,3] metres, added to the mean
};

using DoubleWeights = std::vector<std::vector<double>>;  // weight and bias of every layer, FeatureNet's first

inline DoubleWeights double_weights(const G2aNet& net) {
  DoubleWeights out;
  for (const auto* stack : {&net.feature, &net.rotation}) {
    for (const G2aLayer& layer : *stack) {
      out.emplace_back(layer.weight.begin(), layer.weight.end());
      out.emplace_back(layer.bias.begin(), layer.bias.end());
    }
  }
  return out;
}

inline std::vector<double> run_reference(const std::vector<G2aLayer>& shapes, const DoubleWeights& weights,
                                         std::size_t first, std::vector<double> x) {
  for (std::size_t l = 0; l < shapes.size(); ++l) {
    std::vector<double> y = weights[first + 2 * l + 1];
    for (int o = 0; o < shapes[l].outputs; ++o) {
      for (int i = 0; i < shapes[l].inputs; ++i) y[o] += weights[first + 2 * l][o * shapes[l].inputs + i] * x[i];
      if (l + 1 < shapes.size()) y[o] = std::max(0.1 * y[o], y[o]);
    }
    x = y;
  }
  return x;
}

inline G2aReference reference_g2a(const GaussianAvatar& avatar, const DoubleWeights& weights,
                                  const std::vector<Vec3>& unposed, const MotionFrame& frame) {
  const G2aNet& net = avatar.g2anet;
  const Gaussians& g = avatar.gaussians;
  const std::size_t n = static_cast<std::size_t>(g.count());
  G2aReference out{std::vector<double>(n * 48, 0.0),
                   {g.quats.begin(), g.quats.end()},
                   std::vector<double>(n, 0.0),
                   std::vector<double>(n * 3, 0.0)};
  const std::vector<float> places = g2a_places(avatar);
  const std::size_t row = places.size() / net.gaussian.size();
  Eigen::Vector3d mean = Eigen::Vector3d::Zero();
  int faces = 0;
  for (int v = 0; v < avatar.head.vertex_count(); ++v) {
    const HeadRegion r = avatar.head.region[v];
    if (r == HeadRegion::kScalp || r == HeadRegion::kShoulders || r == HeadRegion::kNeck || r == HeadRegion::kEars)
      continue;
    mean += (unposed[v] - avatar.head.mesh.positions[v]).cast<double>();
    ++faces;
  }
  mean /= faces;
  for (std::size_t k = 0; k < net.gaussian.size(); ++k) {
    const auto i = static_cast<std::size_t>(net.gaussian[k]);
    Eigen::Vector3d moved = -mean;
    for (int a = 0; a < kAnchorCount; ++a) {
      const int v = avatar.anchors[i].vertex[a];
      moved += (avatar.anchors[i].weight[a] * (unposed[v] - avatar.head.mesh.positions[v])).cast<double>();
    }
    std::vector<double> rest;
    for (int e = 0; e < kEmotionCount; ++e)
      rest.push_back(net.options.emotion ? frame.emotion[e] - (e == 0 ? 1.0 : 0.0) : 0);
    if (net.options.sound > 0) rest.insert(rest.end(), frame.sound.begin(), frame.sound.end());
    rest.insert(rest.end(), places.begin() + static_cast<std::ptrdiff_t>(k * row),
                places.begin() + static_cast<std::ptrdiff_t>((k + 1) * row));
    for (int c = 0; c < 3 && net.options.sound == 0; ++c) rest.push_back(100 * moved[c]);
    if (!net.feature.empty()) {
      std::vector<double> x(&g.sh[i * 48], &g.sh[i * 48] + 48);
      x.insert(x.end(), rest.begin(), rest.end());
      const std::vector<double> y = run_reference(net.feature, weights, 0, x);
      for (int c = 0; c < 12; ++c) out.sh[i * 48 + c] = y[c];
      if (net.options.dynamic_opacity) out.opacity[i] = y[12];
    }
    Eigen::Quaterniond q(g.quats[i * 4], g.quats[i * 4 + 1], g.quats[i * 4 + 2], g.quats[i * 4 + 3]);
    const double length = q.norm() * (q.w() < 0 ? -1 : 1);
    std::vector<double> x = {q.w() / length, q.x() / length, q.y() / length, q.z() / length};
    x.insert(x.end(), rest.begin(), rest.end());
    const std::vector<double> r = run_reference(net.rotation, weights, 2 * net.feature.size(), x);
    const Eigen::Quaterniond turn = q * Eigen::Quaterniond(1, r[0] / 2, r[1] / 2, r[2] / 2);
    const double turned[4] = {turn.w(), turn.x(), turn.y(), turn.z()};
    std::copy(turned, turned + 4, &out.quats[i * 4]);
    for (int c = 0; c < 3 && net.options.sound > 0; ++c) out.shift[i * 3 + c] = r[3 + c] / 100;
  }
  return out;
}

// Gaussians on the simple head's triangles, all round it; those in front follow networks whose weights are all random.
inline GaussianAvatar avatar_with_networks(int count, const G2aOptions& options, float last = 0.3f) {
  GaussianAvatar avatar;
  avatar.head = simple_head();
  Random random(11);
  Gaussians& g = avatar.gaussians;
  for (int i = 0; i < count; ++i) {
    const Index3& t = avatar.head.mesh.faces[random.below(static_cast<std::uint32_t>(avatar.head.mesh.faces.size()))];
    const float u = random.uniform(0.1f, 0.5f), v = random.uniform(0.1f, 0.4f);
    avatar.anchors.push_back({{t[0], t[1], t[2], t[0]}, {1 - u - v, u, v, 0}});
    Vec3 at = Vec3::Zero();
    for (int k = 0; k < 3; ++k) at += avatar.anchors.back().weight[k] * avatar.head.mesh.positions[t[k]];
    for (int k = 0; k < 3; ++k) g.means.push_back(at[k]);
    for (int k = 0; k < 4; ++k) g.quats.push_back(random.uniform(-1, 1));
    for (int k = 0; k < 3; ++k) g.log_scales.push_back(std::log(random.uniform(0.004f, 0.014f)));
    g.opacity_logits.push_back(random.uniform(-1, 1));
    for (int k = 0; k < kShCoefficients * 3; ++k) g.sh.push_back(random.uniform(-0.1f, k < 3 ? 0.6f : 0.1f));
  }
  avatar.g2anet = make_g2anet(avatar, options, 5);
  for (auto* stack : {&avatar.g2anet.feature, &avatar.g2anet.rotation}) {
    for (G2aLayer& layer : *stack) {
      for (float& b : layer.bias) b = 0.1f * random.normal();
      for (float& w : layer.weight) w += 0.05f * random.normal();  // the emotion's too
    }
    if (stack->empty()) continue;
    for (float& w : stack->back().weight) w = last * random.normal() / 6;
    for (float& b : stack->back().bias) b = last * random.normal();
  }
  return avatar;
}

inline MotionFrame moved_face(int sound = 0) {
  MotionFrame frame;
  frame.expression = {0.7f, 0.2f};
  frame.emotion = {0.2f, 0, 0, 0, 0, 0.5f, 0, 0.3f};
  frame.pose.root = Quat(Eigen::AngleAxisf(0.3f, Vec3::UnitY()));
  for (int s = 0; s < sound; ++s) frame.sound.push_back(std::sin(1.0f + 2.3f * static_cast<float>(s)));
  return frame;
}

}  // namespace mien
