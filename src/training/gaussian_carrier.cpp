#include "gaussian_carrier.h"

#include <algorithm>
#include <map>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/gaussian_avatar/initialise.h"

namespace mien {
namespace {

constexpr float kFaint = -2.2f;  // logit of an opacity of a tenth

}  // namespace

GaussianCarrier::GaussianCarrier(const GaussianAvatar& avatar) : avatar_(avatar), networks_(avatar) {
  const G2aNet& net = avatar.g2anet;
  MIEN_CHECK(!net.empty() && !net.options.geometry(), "networks {}, {} features", !net.empty(), net.options.sound);
  const Gaussians& g = avatar.gaussians;
  const HeadModel& head = avatar.head;
  std::map<HeadRegion, std::vector<std::int32_t>> by_region;
  for (const std::int32_t i : net.gaussian) {
    if (g.opacity_logits[i] >= kFaint) by_region[head.region[avatar.anchors[i].vertex[0]]].push_back(i);
  }
  carriers_.resize(head.mesh.positions.size());
  parallel_for(head.vertex_count(), 64, [&](std::int64_t v) {
    const auto found = by_region.find(head.region[v]);
    if (is_rigid_region(head.region[v]) || found == by_region.end()) return;
    std::vector<std::pair<float, std::int32_t>> near;
    for (const std::int32_t i : found->second) {
      const Vec3 mean = Eigen::Map<const Vec3>(&g.means[static_cast<std::size_t>(i) * 3]);
      near.emplace_back((mean - head.mesh.positions[v]).squaredNorm(), i);
    }
    const auto count = std::min<std::size_t>(kCarriers, near.size());
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(count), near.end());
    for (std::size_t k = 0; k < count; ++k) carriers_[v].push_back(near[k].second);
  });
}

MotionFrame GaussianCarrier::carry(const MotionFrame& frame) {
  const Gaussians& g = avatar_.gaussians;
  MotionFrame out = frame;
  out.expression.clear();
  out.offsets.assign(carriers_.size(), Vec3::Zero());
  if (!g2a_speaks_of(avatar_.g2anet, frame)) return out;
  sh_ = g.sh;
  quats_ = g.quats;
  opacities_ = g.opacity_logits;
  means_ = g.means;
  networks_.apply({}, frame, sh_.data(), quats_.data(), opacities_.data(), means_.data());
  for (std::size_t v = 0; v < carriers_.size(); ++v) {
    if (carriers_[v].empty()) continue;
    Vec3 sum = Vec3::Zero();
    for (const std::int32_t i : carriers_[v]) {
      const auto at = static_cast<std::size_t>(i) * 3;
      sum += Eigen::Map<const Vec3>(&means_[at]) - Eigen::Map<const Vec3>(&g.means[at]);
    }
    out.offsets[v] = sum / static_cast<float>(carriers_[v].size());
  }
  return out;
}

const std::vector<Vec3>& GaussianCarrier::vertices(const MotionFrame& frame) {
  const MotionFrame carried = carry(frame);
  avatar_.head.deform(nullptr, 0, carried.offsets.data(), vertices_);
  avatar_.head.pose(carried.pose, vertices_);
  return vertices_;
}

}  // namespace mien
