// From a capture and options to settings and pairs: everything before the training itself.
#include <algorithm>
#include <memory>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/motion/s2gnet.h"
#include "motion/tuning/tuner.h"

namespace mien {

void check_tuning_options(const SpeechTuningOptions& o) {
  const auto refuse = [](const std::string& what, const std::string& mend) {
    throw Error(ErrorCode::kBadArgument, what, mend);
  };
  if (o.steps < 1 || o.steps > 10000000) refuse(fmt::format("{} steps", o.steps), "give 1 to 10000000");
  if (o.batch < 1 || o.batch > 1024) refuse(fmt::format("{} stretches a step", o.batch), "give 1 to 1024");
  if (!(o.seconds >= 0.5 && o.seconds <= 60)) refuse(fmt::format("stretches of {} s", o.seconds), "give 0.5 to 60");
  if (!(o.rate > 0 && o.rate <= 0.1)) refuse(fmt::format("learning rate {}", o.rate), "give more than 0, at most 0.1");
  if (!(o.dropout >= 0 && o.dropout < 1)) refuse(fmt::format("dropout {}", o.dropout), "give 0 to below 1");
  if (o.components < 1 || o.components > 1024) refuse(fmt::format("{} components", o.components), "give 1 to 1024");
  if (o.lookahead_frames < -1 || o.lookahead_frames > kS2GMostLookAhead) {
    refuse(fmt::format("look-ahead of {} frames", o.lookahead_frames), fmt::format("give 0 to {}", kS2GMostLookAhead));
  }
}

SpeechTuningReport tune_speech(const Capture& capture, const SpeechTuningOptions& options,
                               const std::filesystem::path& out) {
  check_tuning_options(options);
  const SafetensorsFile init = SafetensorsFile::open(options.init);
  const S2GNet net(init);  // checks everything
  S2GSettings settings = net.settings();
  std::shared_ptr<const SpeechEncoder> listens = options.encoder;
  if (listens == nullptr && settings.encoder == "mel") listens = make_mel_encoder();
  if (listens == nullptr && settings.encoder != "phonetic") {
    throw Error(ErrorCode::kMissingFeature,
                fmt::format("{}: listens to {}, which is not in the file", options.init.string(), settings.encoder),
                "give the folder of that model: --encoder-model DIR");
  }
  if (listens != nullptr) {
    const SpeechEncoderInfo& info = listens->info();
    settings.encoder = info.name;
    settings.width = info.width;
    settings.rate = info.rate;
    settings.first_time = info.first_time;
    settings.look_ahead = info.look_ahead;
  }
  if (options.lookahead_frames >= 0) settings.lookahead_frames = options.lookahead_frames;
  settings.head = options.head;
  settings.person = options.person.empty() ? capture.person : options.person;
  if (settings.person.empty()) settings.person = kDefaultPerson;
  if (settings.persons.empty()) settings.persons = {kDefaultPerson};
  if (std::find(settings.persons.begin(), settings.persons.end(), settings.person) == settings.persons.end()) {
    settings.persons.push_back(settings.person);
  }
  const PhoneticEncoder phonetic(init);
  MotionPairs pairs = read_motion_pairs(capture, settings, phonetic, listens.get(), net.expression_names());
  if (!options.emotion) {
    const EmotionVector neutral = emotion_vector(Emotion::kNeutral, 1);
    for (MotionPair& pair : pairs.pairs) {
      for (std::size_t i = 0; i < pair.emotion.size(); ++i) pair.emotion[i] = neutral[i % kEmotionCount];
    }
    pairs.fingerprint += " without emotion";
  }
  return tune_on_pairs(pairs, settings, options, out);
}

}  // namespace mien
