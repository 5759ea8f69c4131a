#include "motion/training/pack_settings.h"

#include <algorithm>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/speech/speech_encoder.h"

namespace mien {

S2GSettings make_s2g_settings(const SpeechPack& pack, const SpeechTrainingOptions& options) {
  S2GSettings s;
  if (!options.init.empty()) s.persons = read_s2g_settings(SafetensorsFile::open(options.init)).persons;
  for (const std::string& person : pack.persons) {
    if (std::find(s.persons.begin(), s.persons.end(), person) == s.persons.end()) s.persons.push_back(person);
  }
  if (options.lookahead_frames < 0 || options.lookahead_frames > kS2GMostLookAhead) {
    throw Error(ErrorCode::kBadArgument, fmt::format("look-ahead of {} frames", options.lookahead_frames),
                fmt::format("give 0 to {}", kS2GMostLookAhead));
  }
  s.lookahead_frames = options.lookahead_frames;
  if (options.encoder_delay < 0 || options.encoder_delay > kEncoderMostDelay) {
    throw Error(ErrorCode::kBadArgument, fmt::format("encoder delay of {} steps", options.encoder_delay),
                fmt::format("give 0 to {}", kEncoderMostDelay));
  }
  s.set_encoder_delay(options.encoder_delay);
  if (options.encoder == "phonetic") return s;
  if (options.encoder != "mel") {
    throw Error(ErrorCode::kBadArgument, fmt::format("encoder \"{}\": a pack holds spectra", options.encoder),
                "train on phonetic or mel, or on a capture's sound (mien train --stage speech)");
  }
  if (options.streams.features.text() != FeatureOptions{}.text()) {
    throw Error(
        ErrorCode::kBadArgument,
        fmt::format("the mel encoder hears {}, not {}", FeatureOptions{}.text(), options.streams.features.text()),
        fmt::format("give --no-band-means --depth {}", FeatureOptions{}.depth));
  }
  const SpeechEncoderInfo info = make_mel_encoder()->info();
  s.encoder = info.name;
  s.width = info.width;
  s.rate = info.rate;
  s.first_time = info.first_time;
  s.look_ahead = info.look_ahead;
  return s;
}

}  // namespace mien
