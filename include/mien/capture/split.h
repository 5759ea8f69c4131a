// Which pictures of a capture are for training and which for testing, and how often each is drawn: one answer for every
// trainer and for evaluation.
#pragma once

#include <string>
#include <vector>

#include "mien/capture/capture.h"

namespace mien {

// A picture of a capture.
struct SampleKey {
  int sequence = 0;  // index into Capture::sequences
  int view = 0;      // index into CaptureSequence::views
  int frame = 0;

  bool operator==(const SampleKey&) const = default;
};

// Frames [begin, end) of a sequence.
struct FrameRange {
  int begin = 0, end = 0;
  int count() const { return end - begin; }
};

constexpr float kUsualHoldOut = 0.1f;
constexpr float kMostHoldOut = 0.5f;

// One camera for every training sequence, still or moving: what videos from anywhere are. A capture without a training
// sequence is not.
bool is_monocular(const Capture& capture);

// The share of every training sequence that is held out when nobody says otherwise: kUsualHoldOut for monocular
// captures without a test split of their own, 0 for others.
float usual_hold_out(const Capture& capture);

// The frames of a sequence that belong to a split. `hold_out` [0, kMostHoldOut] cuts the tail off sequences of the
// training split (to whole frames, at least one of four) and gives it to the test split. Empty for frames of neither.
FrameRange split_frames(const CaptureSequence& sequence, const std::string& split, float hold_out);

// All pictures of a split of the sequences that have motion, by sequence, view and frame. Throws kBadArgument for a
// hold-out out of range.
std::vector<SampleKey> split_pictures(const Capture& capture, const std::string& split, float hold_out);

// The appearances of the training sequences with motion, in the order of their first one.
std::vector<std::string> appearance_names(const Capture& capture);
// Which of those a sequence wears; -1 for one that is not among them.
int appearance_of(const std::vector<std::string>& names, const CaptureSequence& sequence);

// How often each of the pictures should be drawn, relative to each other, so that no appearance drowns in the others:
// an appearance of n pictures comes up as often as sqrt(n) says, so that one of 900 is drawn four times as often as one
// of
// 60. All 1 where there is one appearance.
std::vector<double> balanced_weights(const Capture& capture, const std::vector<SampleKey>& keys);

}  // namespace mien
