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
