// The actor's voice: text to speech with exact phone times, through flite's C API.
#pragma once

#include <string>
#include <vector>

#include "mien/head/emotion.h"
#include "mien/head/phone.h"
#include "mien/media/audio.h"

namespace mien {

// A sentence as the actor said it. `phones` covers [0, audio.seconds()] without gaps, pauses as "SIL".
struct SpokenSentence {
  Audio audio;  // kSpeechRate (16 kHz) mono
  PhoneTrack phones;
  std::string text;
};

struct VoiceOptions {
  std::string voice = "slt";      // one of voice_names()
  double duration_stretch = 1.0;  // [0.3, 4]: 2 = half as fast
  double pitch_mean = 0;          // Hz, [40, 500]; 0 = the voice's own
  double pitch_stddev = 0;        // Hz, [1, 200]; 0 = the voice's own. Larger = livelier melody
  double gain = 1.0;              // [0, 8], on the samples (clipped to [-1,1])
};

// "slt" (female, US), "rms" (male, US), "awb" (male, Scottish), "kal16" (male, US, diphones); empty without flite.
std::vector<std::string> voice_names();
bool has_voices();

// The pitch the voice speaks with when nothing is asked for, Hz. Throws kBadArgument for an unknown voice.
struct VoicePitch {
  double mean;
  double stddev;
};
VoicePitch voice_pitch(const std::string& voice);

// Tempo, pitch and loudness that fit an emotion, as changes to `base`: factors blended by intensity (directions after
// Murray and Arnott 1993: anger and joy faster, higher, wider; sadness slower, lower, flatter; fear fastest and
// highest).
VoiceOptions emotional_prosody(const VoiceOptions& base, const EmotionVector& emotion);

// Speaks `text` (plain English, at most 20,000 bytes). The same text and options always give the same samples.
// flite keeps global state: calls from several threads are safe, but run one after the other.
// Throws kBadArgument (empty text, unknown voice, value out of range), kMissingFeature in a build without flite.
SpokenSentence speak_text(const std::string& text, const VoiceOptions& options = {});

}  // namespace mien
