// The training data of the speech networks, packed into one small file: log-mel spectra, phone labels, and the actor's
// motion for the same speech under different emotions. A training machine needs this file and LibTorch, nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mien/head/emotion.h"
#include "mien/speech/log_mel.h"

namespace mien {

constexpr std::uint8_t kUnknownPhone = 255;  // a slot whose phone nobody knows: it teaches nothing
constexpr int kMotionRate = 30;              // frames a second of S2GNet

// Log-mel in one byte a value: 0.1 ln units (0.43 dB) a step from kMelFloor on.
std::uint8_t quantize_mel(float value);
inline float dequantize_mel(std::uint8_t value) {
  return kMelFloor + 0.1f * static_cast<float>(value);
}

// One utterance. Its length is a multiple of 100 ms, so that 10 mel frames, 5 labels and 3 motion frames end together.
struct SpeechClip {
  int speaker = 0;
  std::int64_t first_mel = 0;  // row of `mel`; labels start at half of it
  std::int64_t mel_count = 0;
  std::vector<int> renders;  // of this clip
};

// Motion that belongs to a clip: the actor performing it, or a recorded face, with an emotion that goes linearly from
// `begin` to `end`.
struct SpeechRender {
  std::int64_t first_frame = 0;  // row of `motion`; 0.3 * mel_count rows
  EmotionVector begin{};
  EmotionVector end{};
  int channels = -1;  // which weights it knows: set of SpeechPack::channel_sets; -1 = all
};

// Which linear functions of the expression weights the motion losses look at (metres, head space).
struct LipGeometry {
  int vertices = 0;  // first the lips, then the lids
  int lip_vertices = 0;
  std::vector<float> basis;      // [E, vertices, 3]
  int gaps = 0;                  // vertical distances between inner lip points
  std::vector<float> gap_rest;   // [gaps]
  std::vector<float> gap_basis;  // [E, gaps]
  int bites = 0;  // vectors from the upper teeth's edge to the lower lip's, across the middle of the mouth
  std::vector<float> bite_rest;   // [bites, 3]
  std::vector<float> bite_basis;  // [E, bites, 3]
};

struct SpeechPack {
  std::vector<std::string> speakers;
  std::string head_model;
  std::vector<std::string> expression_names;  // [E], the model's
  std::vector<std::uint8_t> mel;              // [T, kMelBands]
  std::vector<std::uint8_t> labels;           // [T / 2] index into kPhoneNames, or kUnknownPhone
  std::vector<std::uint8_t> motion;           // [M, E] weights times 255
  std::vector<SpeechClip> clips;
  std::vector<SpeechRender> renders;
  LipGeometry lips;
  // Whose way of moving each speaker's clips show; empty = the default person's, all of them. The first person is
  // "default".
  std::vector<std::string> persons;
  std::vector<int> speaker_person;         // [speakers], or empty
  std::vector<std::uint8_t> channel_sets;  // [C, E] 1 = known, 0 = nobody recorded it

  int expression_count() const { return static_cast<int>(expression_names.size()); }
  double seconds() const { return static_cast<double>(mel.size()) / kMelBands / kMelRate; }
  // Throws kBadFile naming the damage; every index is checked.
  static SpeechPack load(const std::filesystem::path& path);
  // Columns of `motion` that are always 0 are left out of the file.
  void save(const std::filesystem::path& path) const;
};

}  // namespace mien
