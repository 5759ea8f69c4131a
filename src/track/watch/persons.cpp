#include "track/watch/persons.h"

#include <algorithm>
#include <cmath>

namespace mien::track {
namespace {

// How much of the video a track is: seen frames, large faces counting more.
double prominence(const FaceTrack& track) {
  double sum = 0;
  for (const TrackedFace& face : track.frames) {
    if (face.seen) sum += std::sqrt(face_height(face.points));
  }
  return sum;
}

struct Group {
  std::vector<std::size_t> tracks;
  std::vector<std::vector<float>> descriptors;
  double prominence = 0;
};

// The most prominent track founds a group; others join the nearest group that is near enough.
std::vector<Group> group(const std::vector<FaceTrack>& tracks, const std::vector<double>& weights) {
  std::vector<std::size_t> order(tracks.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  std::vector<Group> groups;
  for (const std::size_t i : order) {
    const std::vector<float> own = mean_descriptor(tracks[i].descriptors);
    Group* nearest = nullptr;
    double least = kSamePerson;
    for (Group& g : groups) {
      const double distance = descriptor_distance(own, mean_descriptor(g.descriptors));
      if (distance < least) {
        least = distance;
        nearest = &g;
      }
    }
    if (nearest == nullptr) nearest = &groups.emplace_back();
    nearest->tracks.push_back(i);
    nearest->prominence += weights[i];
    for (const auto& d : tracks[i].descriptors) nearest->descriptors.push_back(d);
  }
  return groups;
}

bool meet(const FaceTrack& a, const FaceTrack& b) {
  return a.first < b.end() && b.first < a.end();
}

}  // namespace

double descriptor_distance(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return a.empty() || b.empty() ? 0 : 2;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(a[i] - b[i], 2);
  return std::sqrt(sum);
}

std::vector<float> mean_descriptor(const std::vector<std::vector<float>>& all) {
  std::vector<float> out;
  for (const std::vector<float>& one : all) {
    out.resize(one.size(), 0);
    for (std::size_t i = 0; i < one.size(); ++i) out[i] += one[i];
  }
  double length = 0;
  for (const float v : out) length += v * v;
  for (float& v : out) v = static_cast<float>(v / std::max(std::sqrt(length), 1e-12));
  return out;
}

Person choose_person(std::vector<FaceTrack> tracks, int frames, const std::vector<float>& wanted) {
  Person out;
  out.others.assign(static_cast<std::size_t>(frames), false);
  if (tracks.empty()) return out;
  std::vector<double> weights;
  for (const FaceTrack& track : tracks) weights.push_back(prominence(track));
  std::vector<Group> groups = group(tracks, weights);
  out.people = static_cast<int>(groups.size());
  const auto distance = [&](const Group& g) { return descriptor_distance(mean_descriptor(g.descriptors), wanted); };
  const Group& chosen = *std::max_element(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
    return wanted.empty() ? a.prominence < b.prominence : distance(a) > distance(b);
  });
  out.descriptor = mean_descriptor(chosen.descriptors);
  if (!wanted.empty()) out.distance = distance(chosen);

  std::vector<std::size_t> kept;  // the most prominent first, as the group has them
  for (const std::size_t i : chosen.tracks) {
    if (std::none_of(kept.begin(), kept.end(), [&](std::size_t j) { return meet(tracks[i], tracks[j]); }))
      kept.push_back(i);
  }
  std::sort(kept.begin(), kept.end(), [&](std::size_t a, std::size_t b) { return tracks[a].first < tracks[b].first; });
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    if (std::find(kept.begin(), kept.end(), i) != kept.end()) continue;
    for (int f = tracks[i].first; f < std::min(tracks[i].end(), frames); ++f)
      out.others[static_cast<std::size_t>(f)] = true;
  }
  for (const std::size_t i : kept) out.tracks.push_back(std::move(tracks[i]));
  return out;
}

}  // namespace mien::track
