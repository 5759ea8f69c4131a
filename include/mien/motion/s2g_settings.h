// What a speech model file says of its S2GNet: encoder, look-ahead, persons, head; and which features a frame sees.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mien/speech/phonetic_encoder.h"

namespace mien {

constexpr int kS2GHidden = 256;
constexpr int kS2GRate = 30;  // frames a second
constexpr int kS2GMostLookAhead = 30;
constexpr const char* kSpeechModelFormat = "mien-speech-1";
constexpr const char* kS2GMetadata = "s2g";        // metadata key: S2GSettings as JSON; a file without it is of the
                                                   // first form, that is S2GSettings{}
constexpr const char* kDefaultPerson = "default";  // the first of every table of persons

// What the net says beside expression weights: nothing, or free vertex offsets on top of them.
enum class S2GHead { kWeights, kPca, kVertices };
const char* s2g_head_name(S2GHead head);          // "weights", "pca", "vertices"
S2GHead parse_s2g_head(const std::string& name);  // throws kBadArgument, listing the names

struct S2GSettings {
  // The encoder that the net was trained on (SpeechEncoderInfo; for "phonetic" steps, two of which speak of the time
  // before the sound).
  std::string encoder = "phonetic";
  int width = kEncoderFeatures;
  double rate = kEncoderRate;
  double first_time = EncoderStep::time(0, kEncoderDelay);  // feature i speaks of first_time + i / rate
  double look_ahead = kEncoderFirstHeard - first_time;      // sound that a stream needs after that moment
  int encoder_delay = kEncoderDelay;  // of the phonetic encoder in the same file, which gives each frame its phones
  int lookahead_frames =
      0;  // frames of the future that the net sees: frame k is made of the features of frame k + this
  std::vector<std::string> persons;     // empty = one person, no conditioning; else the first is kDefaultPerson
  std::string person = kDefaultPerson;  // who is meant when nobody is named
  S2GHead head = S2GHead::kWeights;
  int components = 0;       // of the basis; 0 unless `head` is kPca
  int moving_vertices = 0;  // that have offsets
  int vertices = 0;         // of the head model they belong to

  bool first_form() const;  // what a file without kS2GMetadata means
  int offset_outputs() const { return head == S2GHead::kPca ? components : 3 * moving_vertices; }
  int person_index(const std::string& name) const;  // "" = `person`; throws kBadArgument, listing those it knows
  // Seconds from the sound of a frame until a stream can give it.
  double latency() const;
  // The same settings for the phonetic encoder of this file, without look-ahead: what a frame's phones are made of.
  S2GSettings of_phones() const;
  void set_encoder_delay(int steps);  // and what follows from it for a net that listens to the phonetic encoder
};
std::string s2g_settings_json(const S2GSettings& settings);
// Checks format and every value; throws kBadFile or kUnsupported, naming the file and the key.
S2GSettings read_s2g_settings(const SafetensorsFile& file);

// Where a frame looks: between features `low` and `high`, linearly.
struct S2GTap {
  std::int64_t low = 0;
  std::int64_t high = 0;
  float share = 0;  // of `high`
};

// Features are resampled to 60 a second and two of them stacked: frame k sees the moments (k + lookahead_frames) / 30 s
// (tap 1) and half a frame later (tap 0). Moments before the first feature see the first.
class S2GTiming {
 public:
  explicit S2GTiming(const S2GSettings& settings);
  S2GTap tap(std::int64_t frame, int tap) const;

 private:
  std::int64_t hop_, first_, ahead_;  // in 1/48000 s, where all rates are whole
};

}  // namespace mien
