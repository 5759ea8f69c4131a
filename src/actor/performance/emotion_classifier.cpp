#include "mien/actor/emotion_classifier.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"

namespace mien {

EmotionClassifier::Features EmotionClassifier::features(const HeadMotion& motion) {
  if (motion.frames.empty() || motion.frames.front().expression.size() < kArkitCount) {
    throw Error(ErrorCode::kBadArgument, fmt::format("emotion of a motion with {} frames", motion.frame_count()),
                "give at least one frame with the 52 ARKit weights");
  }
  std::array<double, kArkitCount> sum{}, squares{};
  for (const MotionFrame& frame : motion.frames) {
    for (int e = 0; e < kArkitCount; ++e) {
      sum[e] += frame.expression[e];
      squares[e] += static_cast<double>(frame.expression[e]) * frame.expression[e];
    }
  }
  Features result;
  const double n = motion.frame_count();
  for (int e = 0; e < kArkitCount; ++e) {
    const double mean = sum[e] / n;
    result[e] = static_cast<float>(mean);
    result[kArkitCount + e] = static_cast<float>(std::sqrt(std::max(0.0, squares[e] / n - mean * mean)));
  }
  return result;
}

std::array<float, kEmotionCount> EmotionClassifier::probabilities(const Features& features) const {
  std::array<float, kEmotionCount> p;
  float largest = -1e30f;
  for (int c = 0; c < kEmotionCount; ++c) {
    p[c] = weights_[c][kFeatures];
    for (int f = 0; f < kFeatures; ++f) p[c] += weights_[c][f] * scale_[f] * (features[f] - mean_[f]);
    largest = std::max(largest, p[c]);
  }
  float total = 0;
  for (float& value : p) total += value = std::exp(value - largest);
  for (float& value : p) value /= total;
  return p;
}

Emotion EmotionClassifier::classify(const Features& features) const {
  const auto p = probabilities(features);
  return static_cast<Emotion>(std::max_element(p.begin(), p.end()) - p.begin());
}

EmotionClassifier EmotionClassifier::train(const std::vector<Sample>& samples) {
  if (samples.empty()) throw Error(ErrorCode::kBadArgument, "emotion classifier without samples", "give at least one");
  EmotionClassifier classifier;
  const auto n = static_cast<float>(samples.size());
  for (int f = 0; f < kFeatures; ++f) {
    float mean = 0, variance = 0;
    for (const Sample& s : samples) mean += s.features[f] / n;
    for (const Sample& s : samples) variance += (s.features[f] - mean) * (s.features[f] - mean) / n;
    classifier.mean_[f] = mean;
    // A weight that hardly moves must not become a strong feature.
    classifier.scale_[f] = 1 / std::max(0.02f, std::sqrt(variance));
  }
  constexpr int kSteps = 400;
  constexpr float kRate = 0.1f, kMomentum = 0.9f, kDecay = 1e-2f;
  auto velocity = classifier.weights_;
  for (int step = 0; step < kSteps; ++step) {
    auto gradient = classifier.weights_;
    for (auto& row : gradient) {
      for (float& g : row) g *= kDecay;
    }
    for (const Sample& s : samples) {
      const auto p = classifier.probabilities(s.features);
      for (int c = 0; c < kEmotionCount; ++c) {
        const float error = (p[c] - (static_cast<int>(s.emotion) == c ? 1.0f : 0.0f)) / n;
        for (int f = 0; f < kFeatures; ++f) {
          gradient[c][f] += error * classifier.scale_[f] * (s.features[f] - classifier.mean_[f]);
        }
        gradient[c][kFeatures] += error;
      }
    }
    for (int c = 0; c < kEmotionCount; ++c) {
      for (int f = 0; f <= kFeatures; ++f) {
        velocity[c][f] = kMomentum * velocity[c][f] - kRate * gradient[c][f];
        classifier.weights_[c][f] += velocity[c][f];
      }
    }
  }
  return classifier;
}

}  // namespace mien
