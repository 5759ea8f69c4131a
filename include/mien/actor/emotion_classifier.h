// Names the emotion of a moving face from its expression weights: the judge of "does the emotion read?".
#pragma once

#include <array>
#include <vector>

#include "mien/head/emotion.h"
#include "mien/head/head_motion.h"

namespace mien {

// Multinomial logistic regression on the mean and standard deviation of each ARKit weight over a sentence (104
// features, scaled by the training set's deviations). Simple on purpose: it can only see what the face shows on
// average.
class EmotionClassifier {
 public:
  static constexpr int kFeatures = 2 * kArkitCount;
  using Features = std::array<float, kFeatures>;
  struct Sample {
    Features features;
    Emotion emotion;
  };

  // Throws kBadArgument for a motion without frames or with fewer than 52 weights.
  static Features features(const HeadMotion& motion);
  // Full-batch gradient descent with momentum, weight decay 1e-2; deterministic. Throws kBadArgument without samples.
  static EmotionClassifier train(const std::vector<Sample>& samples);

  std::array<float, kEmotionCount> probabilities(const Features& features) const;
  Emotion classify(const Features& features) const;

 private:
  std::array<float, kFeatures> mean_{}, scale_{};
  std::array<std::array<float, kFeatures + 1>, kEmotionCount> weights_{};
};

}  // namespace mien
