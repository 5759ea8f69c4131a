// Sound and motion of one person side by side, as S2GNet is trained from them. No LibTorch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "mien/capture/capture.h"
#include "mien/motion/s2g_settings.h"
#include "mien/speech/speech_encoder.h"
#include "speech/training/speech_pack.h"

namespace mien {

// One sequence, at kS2GRate.
struct MotionPair {
  std::string id;
  bool test = false;
  int frames = 0;
  std::vector<float> stacked;  // [frames, 2 width]: the features of the two instants
  std::vector<float> weights;  // [frames, E] in the net's order
  std::vector<float> offsets;  // [frames, moving, 3] millimetres; empty without an offset head
  std::vector<float> emotion;  // [frames, 8]
  std::vector<int> phones;     // [frames] kPhoneNames, -1 = nobody knows
  // [frames] 1 where the motion was captured. Of a slow capture (below kS2GRate / 2) those are the frames nearest to
  // its own: how the mouth moved between them nobody knows. Empty = all.
  std::vector<std::uint8_t> seen;
  bool seen_at(int frame) const { return seen.empty() || seen[static_cast<std::size_t>(frame)] != 0; }
};

struct MotionPairs {
  std::string person;
  std::vector<std::string> expression_names;  // [E]
  std::vector<std::uint8_t> known;            // [E] 1 where the capture has that weight
  bool whole_geometry = false;                // the offsets are all of it, the weights 0
  int width = 0;                              // of a feature
  int vertices = 0;                           // of the head
  std::vector<std::int32_t> moving;           // vertices with offsets
  LipGeometry lips;                           // in the net's order
  std::vector<std::int32_t> lip_moving;       // where the lips' vertices (then the lids') are in `moving`; -1 = nowhere
  std::vector<MotionPair> pairs;
  std::string fingerprint;  // of what was read, to tell captures apart
  bool held_out() const {   // whether some are only measured
    return std::any_of(pairs.begin(), pairs.end(), [](const MotionPair& p) { return p.test; });
  }
};

// `listens` gives S2GNet's features; null = the phonetic encoder `phonetic`. Throws as Capture does, and kBadArgument
// when no sequence has both sound and motion.
MotionPairs read_motion_pairs(const Capture& capture, const S2GSettings& settings, const PhoneticEncoder& phonetic,
                              const SpeechEncoder* listens, const std::vector<std::string>& expression_names);

// Features of the moments that frames [0, frames) see, two a frame, as SpeechDriver takes them.
std::vector<float> stack_features(const SpeechFeatures& features, const S2GSettings& settings, int frames);

}  // namespace mien
