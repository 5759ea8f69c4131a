#include "speech/emotion/training/emotion_score.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mien/speech/emotion_network.h"

namespace mien {
namespace {

constexpr std::int64_t kSettling = 12;  // steps at the beginning of a file that say little

}  // namespace

void score_emotion(EmotionModule& network, const std::vector<VoiceClip>& clips, const std::vector<std::size_t>& test,
                   EmotionTrainingReport& report) {
  const at::NoGradGuard no_grad;
  network->eval();
  double intensity_error = 0;
  int intensities = 0;
  for (const std::size_t i : test) {
    const VoiceClip& clip = clips[i];
    const std::int64_t frames = clip.features.size(0) / kEmotionStride * kEmotionStride;
    if (frames == 0) continue;
    const EmotionOutput out = network->forward(clip.features.narrow(0, 0, frames).to(at::kFloat).unsqueeze(0));
    const std::int64_t steps = out.logits.size(1);
    const std::int64_t from = std::min(kSettling, steps - 1);
    const at::Tensor mean = at::softmax(out.logits[0].narrow(0, from, steps - from), -1).mean(0);
    const Emotion heard = network->classes()[mean.argmax().item<std::int64_t>()];
    ++report.confusion[static_cast<int>(clip.label.emotion)][static_cast<int>(heard)];
    ++report.scored;
    if (clip.label.emotion == Emotion::kNeutral) continue;
    const auto said = at::sigmoid(out.intensity[0].narrow(0, from, steps - from)).mean().item<double>();
    intensity_error += std::abs(said - static_cast<double>(clip.label.intensity));
    ++intensities;
  }
  if (intensities > 0) report.intensity_error = intensity_error / intensities;
  int right = 0, present = 0;
  for (int e = 0; e < kEmotionCount; ++e) {
    const int all = std::accumulate(report.confusion[e].begin(), report.confusion[e].end(), 0);
    right += report.confusion[e][e];
    if (all == 0) continue;
    ++present;
    report.recall += static_cast<double>(report.confusion[e][e]) / all;
  }
  if (present > 0) {
    report.accuracy = static_cast<double>(right) / report.scored;
    report.recall /= present;
    report.chance = 1.0 / present;
  }
}

Json EmotionTrainingReport::json() const {
  std::vector<std::string> names;
  for (const Emotion e : classes) names.emplace_back(kEmotionNames[static_cast<int>(e)]);
  Json out = {{"classes", names},     {"files", files},       {"skipped", skipped},
              {"minutes", minutes},   {"steps", steps},       {"seconds", seconds},
              {"speakers", speakers}, {"left_out", left_out}, {"speakers_known", speakers_known},
              {"scored", scored}};
  if (scored == 0) return out;
  Json table = Json::object();
  for (const Emotion truth : classes) {
    for (const Emotion heard : classes) {
      table[kEmotionNames[static_cast<int>(truth)]][kEmotionNames[static_cast<int>(heard)]] =
          confusion[static_cast<int>(truth)][static_cast<int>(heard)];
    }
  }
  out.update({{"accuracy", accuracy},
              {"recall", recall},
              {"chance", chance},
              {"intensity_error", intensity_error},
              {"confusion", table}});
  return out;
}

}  // namespace mien
