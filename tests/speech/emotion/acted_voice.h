// A voice that can act: pulses through two resonances, in syllables. What an emotion changes is what it changes in
// people: height, range and movement of the pitch, tempo, loudness, brightness.
#pragma once

#include <cmath>
#include <filesystem>
#include <numbers>
#include <string>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/head/emotion.h"
#include "mien/media/audio.h"

namespace mien::testing {

struct Acting {
  float height = 1;    // of the pitch, a factor
  float range = 0.15;  // of its movement, ln units
  float tempo = 4;     // syllables a second
  float level = 0.1;
  float dark = 0.9;  // of the source: pole of a low-pass
};

inline Acting acting_of(Emotion emotion, float intensity) {
  Acting a;
  const auto go = [&](float height, float range, float tempo, float level, float dark) {
    a.height += intensity * (height - a.height);
    a.range += intensity * (range - a.range);
    a.tempo += intensity * (tempo - a.tempo);
    a.level += intensity * (level - a.level);
    a.dark += intensity * (dark - a.dark);
  };
  switch (emotion) {
    case Emotion::kAngry:
      go(1.2f, 0.2f, 5.5f, 0.35f, 0.3f);
      break;
    case Emotion::kHappy:
      go(1.3f, 0.6f, 4.5f, 0.15f, 0.8f);
      break;
    case Emotion::kSad:
      go(0.9f, 0.02f, 1.8f, 0.03f, 0.98f);
      break;
    case Emotion::kFear:
      go(1.5f, 0.1f, 7.0f, 0.08f, 0.8f);
      break;
    default:
      break;
  }
  return a;
}

// `speaker` gives the pitch and the resonances; `seed` what is said.
inline Audio acted_voice(int speaker, Emotion emotion, float intensity, double seconds, std::uint64_t seed) {
  const Acting a = acting_of(emotion, intensity);
  Random random(seed, 5);
  const float base = 110.0f * std::pow(1.15f, static_cast<float>(speaker));
  const float tract = 1.0f + 0.04f * static_cast<float>(speaker);
  Audio audio;
  audio.samples.resize(static_cast<std::size_t>(seconds * kSpeechRate));
  float phase = 0, source = 0, state[2][2] = {};
  float formant[2] = {500, 1500}, syllable = 0, melody = 0, melody_to = 0;
  for (float& sample : audio.samples) {
    syllable += a.tempo / kSpeechRate;
    if (syllable >= 1) {
      syllable -= 1;
      formant[0] = tract * random.uniform(300, 800);
      formant[1] = tract * random.uniform(1000, 2300);
      melody_to = a.range * random.normal();
    }
    melody += 0.0008f * (melody_to - melody);
    const float open = syllable < 0.75f ? std::sin(std::numbers::pi_v<float> * syllable / 0.75f) : 0.0f;
    phase += base * a.height * std::exp(melody) / kSpeechRate;
    float x = 0.002f * random.normal();
    if (phase >= 1) {
      phase -= 1;
      x += open;
    }
    source = a.dark * source + (1 - a.dark) * x;
    float y = source;
    for (int f = 0; f < 2; ++f) {
      const float omega = 2 * std::numbers::pi_v<float> * formant[f] / kSpeechRate;
      const float next = y + 1.94f * std::cos(omega) * state[f][0] - 0.9409f * state[f][1];
      state[f][1] = state[f][0];
      state[f][0] = next;
      y = next * 0.3f;
    }
    sample = y;
  }
  double power = 0;
  for (const float s : audio.samples) power += static_cast<double>(s) * s;
  const auto scale = static_cast<float>(a.level / std::sqrt(power / static_cast<double>(audio.samples.size()) + 1e-12));
  for (float& s : audio.samples) s = std::min(1.0f, std::max(-1.0f, s * scale));
  return audio;
}

inline constexpr Emotion kActed[] = {Emotion::kNeutral, Emotion::kAngry, Emotion::kFear, Emotion::kHappy,
                                     Emotion::kSad};

// DATA/EMOTION-INTENSITY/SPEAKER/NUMBER.wav
inline void write_acted_voices(const std::filesystem::path& data, int speakers, int clips, double seconds) {
  std::uint64_t seed = 1;
  for (const Emotion emotion : kActed) {
    for (int speaker = 0; speaker < speakers; ++speaker) {
      for (int n = 0; n < clips; ++n) {
        const float intensity = n % 2 == 0 ? 1.0f : 0.6f;
        const auto folder = data / fmt::format("{}-{}", kEmotionNames[static_cast<int>(emotion)], intensity) /
                            fmt::format("voice{}", speaker);
        std::filesystem::create_directories(folder);
        write_wav(folder / fmt::format("{}.wav", n), acted_voice(speaker, emotion, intensity, seconds, ++seed));
      }
    }
  }
}

}  // namespace mien::testing
