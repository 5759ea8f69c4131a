#include "training_pictures.h"

#include <algorithm>

#include "mien/head/measures.h"

namespace mien {
namespace {

constexpr float kWideOpen = 10;  // mm between the lips that count as a fully open mouth

}  // namespace

std::vector<SampleKey> canonical_keys(const SampleReader& reader) {
  std::vector<SampleKey> keys;
  for (const SampleKey& key : reader.keys()) {
    if (key.sequence == reader.keys().front().sequence && key.frame == 0) keys.push_back(key);
  }
  return keys;
}

std::vector<CanonicalView> canonical_views(const SampleReader& reader, const std::vector<SampleKey>& keys) {
  std::vector<CanonicalView> views;
  for (const SampleKey& key : keys) {
    TrainingSample sample = reader.read(key);
    CanonicalView view;
    view.camera = sample.camera;
    view.rgb = ImageF(sample.camera.width, sample.camera.height, 3);
    view.rgb.pixels = std::move(sample.rgb);
    view.matte = ImageF(sample.camera.width, sample.camera.height, 1);
    view.matte.pixels = std::move(sample.matte);
    views.push_back(std::move(view));
  }
  return views;
}

namespace {

constexpr std::size_t kLookedAt = 80;  // pictures of each appearance that poses are chosen from
constexpr float kGapWeight = 0.01f;    // radians that a millimetre between the lips counts as

// How pictures show the head: where the camera stands as the head sees it, and how far the mouth is open.
class PoseOf {
 public:
  explicit PoseOf(const SampleReader& reader)
      : reader_(reader), head_(reader.capture().load_head_model()), frames_(head_) {
    const auto nose = std::find(head_.region.begin(), head_.region.end(), HeadRegion::kNose);
    if (nose != head_.region.end()) middle_ = static_cast<std::size_t>(nose - head_.region.begin());
  }
  Vec3 operator()(const SampleKey& key) {
    frames_.update(reader_.motion(key));
    const Vec3 eye = reader_.camera(key).centre() - frames_.vertices()[middle_];
    const Vec3 seen = (frames_.deformation()[middle_].inverse() * eye).normalized();
    const float gap = head_.contours.lips.empty() ? 0.0f : mouth_opening_mm(head_, frames_.unposed());
    return {std::atan2(seen.x(), seen.z()), std::asin(std::clamp(seen.y(), -1.0f, 1.0f)), kGapWeight * gap};
  }

 private:
  const SampleReader& reader_;
  HeadModel head_;
  SurfaceFrames frames_;
  std::size_t middle_ = 0;
};

}  // namespace

std::vector<SampleKey> spread_poses(const SampleReader& reader) {
  PoseOf pose_of(reader);
  std::vector<std::vector<SampleKey>> worn(std::max<std::size_t>(1, reader.appearances().size()));
  for (const SampleKey& key : reader.keys()) worn[static_cast<std::size_t>(reader.appearance(key))].push_back(key);
  std::vector<SampleKey> out;
  for (const std::vector<SampleKey>& all : worn) {
    std::vector<SampleKey> keys;
    std::vector<Vec3> poses;
    const std::size_t stride = std::max<std::size_t>(1, all.size() / kLookedAt);
    for (std::size_t k = 0; k < all.size(); k += stride) {
      keys.push_back(all[k]);
      poses.push_back(pose_of(all[k]));
    }
    // Farthest-point sampling, from the plainest on.
    std::vector<float> distance;
    for (const Vec3& p : poses) distance.push_back(-p.norm());
    for (std::size_t n = 0; n < std::min<std::size_t>(kSpreadPoses, keys.size()); ++n) {
      const auto best = static_cast<std::size_t>(std::max_element(distance.begin(), distance.end()) - distance.begin());
      out.push_back(keys[best]);
      for (std::size_t k = 0; k < keys.size(); ++k) {
        const float d = (poses[k] - poses[best]).norm();
        distance[k] = n == 0 ? d : std::min(distance[k], d);
      }
    }
  }
  return out;
}

std::vector<MonocularMoment> monocular_moments(const SampleReader& reader, const std::vector<SampleKey>& keys) {
  std::vector<MonocularMoment> moments;
  for (const SampleKey& key : keys)
    moments.push_back({reader.motion(key), std::move(canonical_views(reader, {key}).front()), reader.appearance(key)});
  return moments;
}

MouthOpenings::MouthOpenings(const SampleReader& reader) {
  const HeadModel head = reader.capture().load_head_model();
  if (head.contours.lips.empty()) return;
  std::vector<Vec3> vertices;
  for (const SampleKey& key : reader.keys()) {
    float& gap = gaps_.try_emplace({key.sequence, key.frame}, -1.0f).first->second;
    if (gap >= 0) continue;
    const MotionFrame& motion = reader.motion(key);
    head.deform(motion.expression.data(), static_cast<int>(motion.expression.size()),
                motion.offsets.empty() ? nullptr : motion.offsets.data(), vertices);
    gap = mouth_opening_mm(head, vertices);
  }
}

float MouthOpenings::at(const SampleKey& key) const {
  const auto found = gaps_.find({key.sequence, key.frame});
  return found == gaps_.end() ? 0.0f : found->second;
}

std::vector<CanonicalMoment> MouthOpenings::widest(const SampleReader& reader, int count) const {
  std::map<int, std::pair<float, int>> best;  // by sequence
  for (const auto& [place, gap] : gaps_) {
    const auto [at, fresh] = best.try_emplace(place.first, gap, place.second);
    if (!fresh && gap > at->second.first) at->second = {gap, place.second};
  }
  std::vector<std::pair<float, std::pair<int, int>>> order;
  for (const auto& [sequence, frame] : best) order.push_back({-frame.first, {sequence, frame.second}});
  std::sort(order.begin(), order.end());
  std::vector<CanonicalMoment> moments;
  for (int i = 0; i < std::min<int>(count, static_cast<int>(order.size())); ++i) {
    std::vector<SampleKey> keys;
    for (const SampleKey& key : reader.keys()) {
      if (std::pair(key.sequence, key.frame) == order[i].second) keys.push_back(key);
    }
    moments.push_back({reader.motion(keys.front()), canonical_views(reader, keys)});
  }
  return moments;
}

SampleChoice::SampleChoice(const SampleReader& reader, const MouthOpenings& openings, float bias) {
  double total = 0;
  const std::vector<double> weights = balanced_weights(reader.capture(), reader.keys());
  for (std::size_t k = 0; k < weights.size(); ++k) {
    total += weights[k] * (1 + bias * std::clamp(openings.at(reader.keys()[k]) / kWideOpen, 0.0f, 1.0f));
    sums_.push_back(total);
  }
}

std::size_t SampleChoice::pick(float uniform) const {
  const auto at = std::upper_bound(sums_.begin(), sums_.end(), uniform * sums_.back());
  return std::min(static_cast<std::size_t>(at - sums_.begin()), sums_.size() - 1);
}

}  // namespace mien
