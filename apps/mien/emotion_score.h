// Does the emotion of a moving face read? Judged by a classifier that has learnt this person's own faces.
#pragma once

#include <functional>
#include <optional>

#include "mien/capture/capture.h"

namespace mien::app {

struct EmotionScore {
  int windows = 0;     // of about a second and a half, of the scored sequences
  double driven = 0;   // share of windows whose emotion was named right, of the motion that drives
  double tracked = 0;  // the same of the capture's own motion: what the judge can do at best
  double chance = 0;   // one over the emotions
};

// The judge is an EmotionClassifier, trained on windows of the tracked motion of the train split and asked about those
// of `split`. Nothing where there is nothing to learn (fewer than two emotions, or expressions that are not ARKit's),
// or nothing to be asked.
std::optional<EmotionScore> score_emotions(const Capture& capture, const std::string& split,
                                           const std::function<HeadMotion(const CaptureSequence&)>& driven);

}  // namespace mien::app
