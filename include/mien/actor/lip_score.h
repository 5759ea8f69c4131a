// Lip sync in figures: does the mouth do what the phones need?
#pragma once

#include <string>
#include <vector>

#include "mien/head/head_motion.h"
#include "mien/head/phone.h"

namespace mien {

// The mouth at one moment, measured on the mesh.
struct LipSample {
  double time = 0;            // seconds
  float gap_mm = 0;           // inner lips, middle of the mouth; 0 or less when they touch
  float lip_to_teeth_mm = 0;  // lower lip to the edge of the upper teeth
};

struct LipScoreOptions {
  double tolerance = 0.034;        // seconds around the phone's interval: one frame at 30 fps
  float closed_mm = 1.0f;          // P B M
  float labiodental_mm = 2.0f;     // F V
  float open_mm = 5.0f;            // AA AE AO AY AW
  double silence_seconds = 0.3;    // pauses longer than this count
  double silence_margin = 0.1;     // seconds at either end of a pause that are not judged (the mouth is on its way)
  float silence_closed_mm = 1.0f;  // all samples inside must be below
  float silence_jitter_mm = 0.1f;  // root mean square of the gap's second difference inside a pause must be below
};

struct LipCount {
  int passed = 0;
  int total = 0;
  double percent() const { return total == 0 ? 100.0 : 100.0 * passed / total; }
};

struct LipFailure {
  std::string phone;
  double begin = 0;
  double end = 0;
  float value_mm = 0;  // the best value reached
};

struct LipReport {
  LipCount closures, labiodentals, open_vowels, silences;
  float worst_silence_jitter_mm = 0;
  std::vector<LipFailure> failures;
  LipReport& operator+=(const LipReport& other);  // pools the counts
};

// Scores samples (ascending in time) against phones. Throws kBadArgument for fewer than 2 samples.
LipReport score_lips(const std::vector<LipSample>& samples, const PhoneTrack& phones,
                     const LipScoreOptions& options = {});

// Measures every frame of a motion on the model's mesh (head space, no pose needed).
std::vector<LipSample> measure_lips(const HeadModel& model, const HeadMotion& motion);

}  // namespace mien
