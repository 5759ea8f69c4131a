#include "speech/corpus/pack_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "mien/actor/performance.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "speech/corpus/lip_geometry.h"

namespace mien {
namespace {

constexpr const char* kDefaultPersonName = "default";  // of S2GNet's table

void trim(Audio& audio, PhoneTrack& phones, double margin) {
  double begin = 0;
  double end = audio.seconds();
  if (!phones.empty() && phones.front().name == "SIL") begin = std::max(0.0, phones.front().end - margin);
  if (!phones.empty() && phones.back().name == "SIL") end = std::min(end, phones.back().begin + margin);
  const auto first = std::min(static_cast<std::size_t>(begin * audio.sample_rate), audio.samples.size());
  const auto last = std::clamp(static_cast<std::size_t>(end * audio.sample_rate), first, audio.samples.size());
  audio.samples = std::vector<float>(audio.samples.begin() + static_cast<std::ptrdiff_t>(first),
                                     audio.samples.begin() + static_cast<std::ptrdiff_t>(last));
  for (Phone& phone : phones) {
    phone.begin = std::max(0.0, phone.begin - begin);
    phone.end = std::max(phone.begin, std::min(phone.end, end) - begin);
  }
}

// A usual recording level: the louder frames at the level the feature normaliser starts from.
void level(std::vector<float>& samples) {
  LogMel mel;
  std::vector<MelFrame> frames;
  mel.push(samples, frames);
  if (frames.empty()) return;
  std::vector<float> energy;
  for (const MelFrame& frame : frames) {
    float sum = 0;
    for (const float v : frame) sum += std::exp(v);
    energy.push_back(std::log(sum));
  }
  const std::size_t rank = energy.size() * 9 / 10;
  std::nth_element(energy.begin(), energy.begin() + static_cast<std::ptrdiff_t>(rank), energy.end());
  const float gain = std::exp(0.5f * (FeatureNormalizer::kStartLevel - 0.5f - energy[rank]));
  for (float& s : samples) s *= gain;
}

}  // namespace

PackBuilder::PackBuilder(const HeadModel* model, const PackOptions& options)
    : model_(model), options_(options), random_(options.seed, 77) {
  if (model == nullptr) {
    pack_.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
    return;
  }
  pack_.head_model = model->id;
  pack_.expression_names = model->expression_names;
  pack_.lips = lip_geometry(*model);
}

double PackBuilder::seconds(const std::string& speaker) const {
  std::int64_t frames = 0;
  for (const SpeechClip& clip : pack_.clips) {
    if (pack_.speakers[clip.speaker] == speaker) frames += clip.mel_count;
  }
  return static_cast<double>(frames) / kMelRate;
}

void PackBuilder::add(const std::string& speaker, Audio audio, PhoneTrack phones, bool vary,
                      const EmotionVector* emotion) {
  trim(audio, phones, options_.margin);
  if (vary) {
    const float factor =
        std::exp(std::clamp(0.6f * random_.normal(), -1.0f, 1.0f) * std::log1p(options_.resample_range));
    const int rate = static_cast<int>(std::lround(kSpeechRate / factor / 100)) * 100;
    const double stretch = static_cast<double>(rate) / kSpeechRate;
    audio.samples = resample(audio.samples, kSpeechRate, rate);
    for (Phone& phone : phones) {
      phone.begin *= stretch;
      phone.end *= stretch;
    }
  }
  level(audio.samples);
  SpeechClip clip;
  clip.speaker = speaker_index(speaker, kDefaultPersonName);
  clip.first_mel = static_cast<std::int64_t>(pack_.mel.size()) / kMelBands;
  clip.mel_count = (static_cast<std::int64_t>(audio.samples.size()) + 1599) / 1600 * 10;
  audio.samples.resize(clip.mel_count * kMelHop + kMelWindow - kMelHop, 0.0f);
  LogMel mel;
  std::vector<MelFrame> frames;
  mel.push(audio.samples, frames);
  MIEN_CHECK(static_cast<std::int64_t>(frames.size()) == clip.mel_count, "{} frames, {} wanted", frames.size(),
             clip.mel_count);
  for (const MelFrame& frame : frames) {
    for (const float v : frame) pack_.mel.push_back(quantize_mel(v));
  }
  for (std::int64_t slot = 0; slot < clip.mel_count / 2; ++slot) {
    const double time = (static_cast<double>(slot) + 0.5) / 50;
    std::uint8_t label = 0;
    for (const Phone& phone : phones) {
      if (phone.begin <= time && time < phone.end) {
        label = phone.name == "?" ? kUnknownPhone : static_cast<std::uint8_t>(phone_index(phone.name));
      }
    }
    pack_.labels.push_back(label);
  }
  std::erase_if(phones, [](const Phone& phone) { return phone.name == "?"; });
  for (int r = 0; model_ != nullptr && r < options_.renders; ++r) add_render(clip, phones, r == 0 ? emotion : nullptr);
  pack_.clips.push_back(std::move(clip));
}

int PackBuilder::speaker_index(const std::string& speaker, const std::string& person) {
  const auto index_in = [](std::vector<std::string>& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    const auto index = static_cast<int>(found - names.begin());
    if (found == names.end()) names.push_back(name);
    return index;
  };
  const int index = index_in(pack_.speakers, speaker);
  if (person != kDefaultPersonName && pack_.persons.empty()) {
    pack_.persons = {kDefaultPersonName};
    pack_.speaker_person.assign(pack_.speakers.size(), 0);
  }
  if (pack_.persons.empty()) return index;
  pack_.speaker_person.resize(pack_.speakers.size(), 0);
  pack_.speaker_person[index] = index_in(pack_.persons, person);
  return index;
}

void PackBuilder::add_take(const std::string& speaker, const std::string& person, Audio audio, const FaceTrack& track,
                           const std::vector<std::string>& known) {
  if (model_ == nullptr) {
    throw Error(ErrorCode::kBadArgument, "a recorded face needs a head", "give --head");
  }
  const std::size_t count = model_->expression_names.size();
  const auto weight_of = [&](const std::string& name) {
    const auto found = std::find(model_->expression_names.begin(), model_->expression_names.end(), name);
    return found == model_->expression_names.end() ? -1 : static_cast<int>(found - model_->expression_names.begin());
  };
  std::vector<int> target;  // of each name of the track; -1 = not known
  std::vector<std::uint8_t> channels(count, 0);
  for (const std::string& name : track.names) {
    const bool knows = std::find(known.begin(), known.end(), name) != known.end();
    target.push_back(knows ? weight_of(name) : -1);
    if (target.back() >= 0) channels[target.back()] = 1;
  }
  const auto set = static_cast<int>(pack_.channel_sets.size() / count);
  pack_.channel_sets.insert(pack_.channel_sets.end(), channels.begin(), channels.end());
  level(audio.samples);
  // Whole tenths of a second that both the sound and the track have.
  const std::int64_t tenths =
      std::min<std::int64_t>(static_cast<std::int64_t>(audio.samples.size()) / 1600, track.frames() / 3);
  audio.samples.resize(tenths * 1600 + kMelWindow - kMelHop, 0.0f);
  LogMel mel;
  std::vector<MelFrame> frames;
  mel.push(audio.samples, frames);
  std::vector<float> loudness(tenths, 0.0f);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    for (const float v : frames[i]) loudness[i / 10] += std::exp(v);
  }
  for (std::int64_t begin = 0; begin < tenths;) {
    std::int64_t end = tenths;
    if (tenths - begin > 60) {  // 3 to 6 seconds
      end = std::min_element(loudness.begin() + begin + 30, loudness.begin() + begin + 60) - loudness.begin();
    }
    SpeechClip clip;
    clip.speaker = speaker_index(speaker, person);
    clip.first_mel = static_cast<std::int64_t>(pack_.mel.size()) / kMelBands;
    clip.mel_count = 10 * (end - begin);
    for (std::int64_t i = 10 * begin; i < 10 * end; ++i) {
      for (const float v : frames[i]) pack_.mel.push_back(quantize_mel(v));
    }
    pack_.labels.insert(pack_.labels.end(), 5 * (end - begin), kUnknownPhone);
    SpeechRender render;
    render.begin = render.end = emotion_vector(Emotion::kNeutral, 1);
    render.first_frame = static_cast<std::int64_t>(pack_.motion.size() / count);
    render.channels = set;
    for (std::int64_t k = 3 * begin; k < 3 * end; ++k) {
      std::vector<std::uint8_t> row(count, 0);
      for (std::size_t n = 0; n < target.size(); ++n) {
        const float value = track.values[static_cast<std::size_t>(k) * target.size() + n];
        if (target[n] >= 0)
          row[target[n]] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0f, 1.0f)));
      }
      pack_.motion.insert(pack_.motion.end(), row.begin(), row.end());
    }
    clip.renders.push_back(static_cast<int>(pack_.renders.size()));
    pack_.renders.push_back(render);
    pack_.clips.push_back(std::move(clip));
    begin = end;
  }
}

EmotionVector random_emotion(Random& random) {
  if (random.uniform() < 0.25f) return emotion_vector(Emotion::kNeutral, 1);
  const auto pick = [&] { return static_cast<int>(1 + random.below(kEmotionCount - 1)); };
  EmotionVector vector{};
  const float intensity = random.uniform(0.2f, 1.0f);
  const float share = random.uniform() < 0.2f ? random.uniform(0.3f, 0.7f) : 1.0f;
  vector[pick()] += intensity * share;
  vector[pick()] += share < 1 ? intensity * (1 - share) : 0.0f;
  float sum = 0;
  for (int e = 1; e < kEmotionCount; ++e) sum += vector[e];
  vector[0] = std::max(0.0f, 1 - sum);
  return vector;
}

void PackBuilder::add_render(SpeechClip& clip, const PhoneTrack& phones, const EmotionVector* emotion) {
  SpeechRender render;
  const double seconds = static_cast<double>(clip.mel_count) / kMelRate;
  render.begin = emotion != nullptr ? *emotion : random_emotion(random_);
  render.end = emotion == nullptr && random_.uniform() < 0.15f ? random_emotion(random_) : render.begin;
  const auto frames = static_cast<std::size_t>(clip.mel_count * 3 / 10);
  EmotionTrack track;
  track.keys = {{0.0, render.begin}, {static_cast<double>(frames - 1) / kMotionRate, render.end}};
  PerformanceOptions options;
  options.fps = kMotionRate;
  options.seed = random_.next();
  options.idle_on = false;
  const HeadMotion motion = perform(phones, seconds, track, *model_, options);
  const auto count = static_cast<std::size_t>(model_->expression_count());
  render.first_frame = static_cast<std::int64_t>(pack_.motion.size() / count);
  for (std::size_t k = 0; k < frames; ++k) {
    const MotionFrame& frame = motion.frames[std::min(k, motion.frames.size() - 1)];
    for (std::size_t e = 0; e < count; ++e) {
      pack_.motion.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(frame.expression[e], 0.0f, 1.0f))));
    }
  }
  clip.renders.push_back(static_cast<int>(pack_.renders.size()));
  pack_.renders.push_back(render);
}

std::vector<ManifestEntry> read_manifest(const std::filesystem::path& path) {
  std::istringstream lines(read_text(path));
  std::vector<ManifestEntry> entries;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream fields(line);
    ManifestEntry entry;
    std::string audio;
    std::getline(fields, entry.speaker, '\t');
    std::getline(fields, audio, '\t');
    entry.audio = audio;
    for (std::string field; std::getline(fields, field, '\t');) {
      if (field.starts_with("track=")) {
        entry.track = field.substr(6);
        continue;
      }
      if (field.starts_with("columns=")) {
        entry.columns = field.substr(8);
        continue;
      }
      if (field.starts_with("map=")) {
        entry.map = field.substr(4);
        continue;
      }
      std::istringstream parts(field);
      Phone phone;
      char colon = 0;
      if (!std::getline(parts, phone.name, ':') || !(parts >> phone.begin >> colon >> phone.end) ||
          phone.end < phone.begin) {
        throw Error(ErrorCode::kBadFile,
                    fmt::format("{}:{}: \"{}\" is not phone:begin:end", path.string(), number, field));
      }
      entry.phones.push_back(std::move(phone));
    }
    const int given = !entry.track.empty() + !entry.columns.empty() + !entry.map.empty();
    if (given != 0 && (given != 3 || !entry.phones.empty())) {
      throw Error(ErrorCode::kBadFile, fmt::format("{}:{}: a recorded face is incomplete", path.string(), number),
                  "give track=, columns= and map=, and no phones");
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace mien
