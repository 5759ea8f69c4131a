// Which pictures of a capture the Gaussian trainer looks at.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "mien/gaussian_avatar/initialise.h"
#include "training_samples.h"

namespace mien {

// All views of the first frame of the first sequence: EmoTalk3D's still, closed-mouth moment.
std::vector<SampleKey> canonical_keys(const SampleReader& reader);
std::vector<CanonicalView> canonical_views(const SampleReader& reader, const std::vector<SampleKey>& keys);

// Pictures by one camera that show each appearance's head from as many sides as there are, and the mouth open and shut:
// kSpreadPoses of each. The first is the one that looks most straight at the camera, the mouth shut.
constexpr int kSpreadPoses = 14;
std::vector<SampleKey> spread_poses(const SampleReader& reader);
std::vector<MonocularMoment> monocular_moments(const SampleReader& reader, const std::vector<SampleKey>& keys);

// Gap between the lips of each sequence's frames, mm; all zero for a head that cannot be measured.
class MouthOpenings {
 public:
  explicit MouthOpenings(const SampleReader& reader);
  float at(const SampleKey& key) const;
  // The widest open frame of each of the `count` sequences that open widest, all views.
  std::vector<CanonicalMoment> widest(const SampleReader& reader, int count) const;

 private:
  std::map<std::pair<int, int>, float> gaps_;
};

// Draws pictures for training, those of an open mouth up to `bias` times more often, plus one, and appearances as
// balanced_weights() has it.
class SampleChoice {
 public:
  SampleChoice(const SampleReader& reader, const MouthOpenings& openings, float bias);
  std::size_t pick(float uniform) const;  // into the reader's keys; uniform [0,1)

 private:
  std::vector<double> sums_;
};

}  // namespace mien
