#include "mien/capture/split.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr int kLeastToCut = 4;  // frames: of shorter sequences nothing is held out

}  // namespace

bool is_monocular(const Capture& capture) {
  int trained = 0;
  for (const CaptureSequence& sequence : capture.sequences) {
    if (sequence.split != "train" || sequence.motion.empty()) continue;
    if (sequence.views.size() != 1) return false;
    ++trained;
  }
  return trained > 0;
}

float usual_hold_out(const Capture& capture) {
  const auto tested = [](const CaptureSequence& s) { return s.split == "test" && !s.motion.empty(); };
  const bool has_tests = std::any_of(capture.sequences.begin(), capture.sequences.end(), tested);
  return is_monocular(capture) && !has_tests ? kUsualHoldOut : 0.0f;
}

FrameRange split_frames(const CaptureSequence& sequence, const std::string& split, float hold_out) {
  const bool tail = sequence.split == "train" && hold_out > 0 && sequence.frames >= kLeastToCut;
  const int held =
      tail ? std::max(1, static_cast<int>(std::lround(hold_out * static_cast<float>(sequence.frames)))) : 0;
  if (split == sequence.split) return {0, sequence.frames - held};
  if (split == "test") return {sequence.frames - held, sequence.frames};
  return {};
}

std::vector<SampleKey> split_pictures(const Capture& capture, const std::string& split, float hold_out) {
  if (!(hold_out >= 0 && hold_out <= kMostHoldOut)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("a hold-out of {}", hold_out),
                fmt::format("give the share of each video that is kept for tests: 0 to {}", kMostHoldOut));
  }
  std::vector<SampleKey> keys;
  for (std::size_t s = 0; s < capture.sequences.size(); ++s) {
    const CaptureSequence& sequence = capture.sequences[s];
    if (sequence.motion.empty()) continue;
    const FrameRange range = split_frames(sequence, split, hold_out);
    for (int v = 0; v < static_cast<int>(sequence.views.size()); ++v) {
      for (int f = range.begin; f < range.end; ++f) keys.push_back({static_cast<int>(s), v, f});
    }
  }
  return keys;
}

std::vector<std::string> appearance_names(const Capture& capture) {
  std::vector<std::string> names;
  for (const CaptureSequence& sequence : capture.sequences) {
    const bool trained = sequence.split == "train" && !sequence.motion.empty();
    if (trained && appearance_of(names, sequence) < 0) names.push_back(sequence.appearance);
  }
  return names;
}

int appearance_of(const std::vector<std::string>& names, const CaptureSequence& sequence) {
  const auto found = std::find(names.begin(), names.end(), sequence.appearance);
  return found == names.end() ? -1 : static_cast<int>(found - names.begin());
}

std::vector<double> balanced_weights(const Capture& capture, const std::vector<SampleKey>& keys) {
  const std::vector<std::string> names = appearance_names(capture);
  std::vector<double> count(names.size(), 0.0), weights(keys.size(), 1.0);
  if (names.size() < 2) return weights;
  std::vector<int> worn;  // by sequence
  for (const CaptureSequence& sequence : capture.sequences) worn.push_back(appearance_of(names, sequence));
  for (const SampleKey& key : keys) {
    if (worn[key.sequence] >= 0) ++count[worn[key.sequence]];
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const int appearance = worn[keys[i].sequence];
    if (appearance >= 0) weights[i] = 1 / std::sqrt(count[appearance]);
  }
  return weights;
}

}  // namespace mien
