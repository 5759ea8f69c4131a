#include "share_training.h"

#include <span>

#include "mien/base/error.h"
#include "mien/base/hash.h"

namespace mien {
namespace {

// All parameters of an avatar, `Avatar` const or not.
template <typename Avatar, typename Visit>
void each_array(Avatar& avatar, const Visit& visit) {
  auto& g = avatar.gaussians;
  for (auto* array : {&g.means, &g.quats, &g.log_scales, &g.opacity_logits, &g.sh}) visit(*array);
  visit(avatar.modes.colour);
  for (auto* stack : {&avatar.g2anet.feature, &avatar.g2anet.rotation}) {
    for (auto& layer : *stack) {
      visit(layer.weight);
      visit(layer.bias);
    }
  }
  auto& looks = avatar.looks;
  for (auto& features : looks.features) visit(features);
  for (auto* stack : {&looks.colour, &looks.density}) {
    for (auto& layer : *stack) {
      visit(layer.weight);
      visit(layer.bias);
    }
  }
}

std::uint64_t hash_of(const std::vector<float>& values, std::uint64_t hash) {
  return fnv1a({reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(float)}, hash);
}

}  // namespace

void share_avatar(const RankGroup& ranks, GaussianAvatar& avatar) {
  if (!ranks.several()) return;
  each_array(avatar, [&](std::vector<float>& values) { ranks.share(values); });
  std::vector<std::int32_t> vertices;
  std::vector<float> weights;
  for (const GaussianAnchor& anchor : avatar.anchors) {
    vertices.insert(vertices.end(), anchor.vertex.begin(), anchor.vertex.end());
    weights.insert(weights.end(), anchor.weight.begin(), anchor.weight.end());
  }
  ranks.share(vertices);
  ranks.share(weights);
  avatar.anchors.resize(vertices.size() / kAnchorCount);
  for (std::size_t i = 0; i < vertices.size(); ++i) {
    avatar.anchors[i / kAnchorCount].vertex[i % kAnchorCount] = vertices[i];
    avatar.anchors[i / kAnchorCount].weight[i % kAnchorCount] = weights[i];
  }
  ranks.share(avatar.modes.gaussian);
  ranks.share(avatar.g2anet.gaussian);
}

void share_moments(const RankGroup& ranks, std::vector<ParameterGroup>& groups) {
  for (ParameterGroup& group : groups) {
    ranks.share(group.state.first);
    ranks.share(group.state.second);
    group.state.steps = static_cast<std::int64_t>(ranks.share(static_cast<double>(group.state.steps)));
  }
}

void average_training(const RankGroup& ranks, GaussianAvatar& avatar, std::vector<ParameterGroup>& groups) {
  std::vector<std::span<float>> arrays;
  each_array(avatar, [&](std::vector<float>& values) { arrays.emplace_back(values); });
  for (ParameterGroup& group : groups) {
    arrays.emplace_back(group.state.first);
    arrays.emplace_back(group.state.second);
  }
  ranks.average(arrays);
}

void check_same_training(const RankGroup& ranks, const GaussianAvatar& avatar,
                         const std::vector<ParameterGroup>& groups, int step) {
  if (!ranks.several()) return;
  std::uint64_t hash = kFnvStart;
  each_array(avatar, [&](const std::vector<float>& values) { hash = hash_of(values, hash); });
  for (const ParameterGroup& group : groups) hash = hash_of(group.state.second, hash_of(group.state.first, hash));
  ranks.must_agree(hash, fmt::format("step {}: the parameters are not those of the first rank", step),
                   "run the same build on processors of one kind; the last checkpoint is good");
}

}  // namespace mien
