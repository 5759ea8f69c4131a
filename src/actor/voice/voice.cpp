#include "mien/actor/voice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "mien/base/error.h"

#ifdef MIEN_HAVE_FLITE
#include <flite/flite.h>
extern "C" {
cst_voice* register_cmu_us_slt(const char*);
cst_voice* register_cmu_us_rms(const char*);
cst_voice* register_cmu_us_awb(const char*);
cst_voice* register_cmu_us_kal16(const char*);
}
#endif

namespace mien {
namespace {

struct VoiceEntry {
  const char* name;
  VoicePitch pitch;  // as the voice's own data say
};
constexpr std::array<VoiceEntry, 4> kVoices = {
    {{"slt", {172, 27}}, {"rms", {98, 24}}, {"awb", {132, 25}}, {"kal16", {95, 11}}}};

const VoiceEntry& find_voice(const std::string& name) {
  for (const VoiceEntry& entry : kVoices) {
    if (name == entry.name) return entry;
  }
  throw Error(ErrorCode::kBadArgument, fmt::format("voice '{}' is unknown", name), "use one of: slt, rms, awb, kal16");
}

void require_range(const char* what, double value, double low, double high, bool zero_allowed) {
  if ((zero_allowed && value == 0) || (value >= low && value <= high)) return;
  throw Error(ErrorCode::kBadArgument, fmt::format("speech {} is {}", what, value),
              fmt::format("give a value from {} to {}", low, high));
}

}  // namespace

VoicePitch voice_pitch(const std::string& voice) {
  return find_voice(voice).pitch;
}

#ifdef MIEN_HAVE_FLITE

namespace {

// flite keeps voices, languages and lexicons in globals: one sentence at a time in the whole process.
std::mutex& flite_mutex() {
  static std::mutex mutex;
  return mutex;
}

// Call with the mutex held.
cst_voice* flite_voice(const std::string& name) {
  static const bool initialised = flite_init() >= 0;
  MIEN_CHECK(initialised, "flite_init failed");
  if (name == "slt") return register_cmu_us_slt(nullptr);
  if (name == "rms") return register_cmu_us_rms(nullptr);
  if (name == "awb") return register_cmu_us_awb(nullptr);
  return register_cmu_us_kal16(nullptr);
}

// flite's US phone names are ARPAbet in lower case, with a schwa and a pause of their own.
std::string arpabet(std::string_view flite_name) {
  if (flite_name == "pau" || flite_name == "ssil" || flite_name == "brth" || flite_name == "h#") return "SIL";
  if (flite_name == "ax" || flite_name == "ax-h") return "AH";
  if (flite_name == "axr") return "ER";
  if (flite_name == "ix") return "IH";
  if (flite_name == "dx") return "D";
  if (flite_name == "en") return "N";
  if (flite_name == "em") return "M";
  if (flite_name == "el") return "L";
  std::string name(flite_name);
  for (char& c : name) c = (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

// A voice's settings while one sentence is spoken; afterwards they are as before.
class VoiceSettings {
 public:
  VoiceSettings(cst_voice* voice, const VoiceOptions& options) : features_(voice->features) {
    stretch_ = get_param_float(features_, "duration_stretch", 1.0f);
    set("duration_stretch", static_cast<float>(options.duration_stretch) * stretch_);
    mean_ = keep("int_f0_target_mean", options.pitch_mean);
    stddev_ = keep("int_f0_target_stddev", options.pitch_stddev);
  }
  ~VoiceSettings() {
    set("duration_stretch", stretch_);
    restore("int_f0_target_mean", mean_);
    restore("int_f0_target_stddev", stddev_);
  }
  VoiceSettings(const VoiceSettings&) = delete;
  VoiceSettings& operator=(const VoiceSettings&) = delete;

 private:
  void set(const char* name, float value) { feat_set_float(features_, name, value); }
  float keep(const char* name, double value) {
    const float before = get_param_float(features_, name, 0.0f);
    if (value > 0) set(name, static_cast<float>(value));
    return before;
  }
  void restore(const char* name, float before) {
    if (before > 0) {
      set(name, before);
    } else {
      feat_remove(features_, name);
    }
  }
  cst_features* features_;
  float stretch_ = 1, mean_ = 0, stddev_ = 0;
};

// The vocoder's noise comes from random(): with a state of its own every call hears the same noise, and the program's
// random() is left as it was.
class FixedNoise {
 public:
  FixedNoise() : before_(initstate(1, state_.data(), state_.size())) {}
  ~FixedNoise() { setstate(before_); }
  FixedNoise(const FixedNoise&) = delete;
  FixedNoise& operator=(const FixedNoise&) = delete;

 private:
  std::array<char, 128> state_{};
  char* before_;
};

// Appends one utterance. Phone ends are cut to the samples that flite made (the diphone voice stops in mid-pause).
void append_utterance(const std::string& text, cst_voice* voice, double gain, SpokenSentence& out) {
  cst_utterance* utterance = flite_synth_text(text.c_str(), voice);
  if (utterance == nullptr) {
    throw Error(ErrorCode::kBadArgument, fmt::format("flite cannot speak '{}'", text.substr(0, 60)),
                "use plain English words");
  }
  const double offset = out.audio.seconds();
  const cst_wave* wave = utt_wave(utterance);
  if (wave != nullptr) {
    MIEN_CHECK(wave->sample_rate == kSpeechRate, "a voice of {} Hz", wave->sample_rate);
    std::vector<float> samples(static_cast<std::size_t>(std::max(0, wave->num_samples)));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      samples[i] = std::clamp(static_cast<float>(gain) * wave->samples[i] / 32768.0f, -1.0f, 1.0f);
    }
    out.audio.samples.insert(out.audio.samples.end(), samples.begin(), samples.end());
  }
  const double limit = out.audio.seconds();
  double begin = offset;
  cst_relation* segments = utt_relation(utterance, "Segment");
  for (cst_item* item = relation_head(segments); item != nullptr; item = item_next(item)) {
    const double end = std::min(limit, offset + item_feat_float(item, "end"));
    const std::string name = arpabet(item_feat_string(item, "name"));
    if (end <= begin) continue;
    if (!out.phones.empty() && out.phones.back().name == "SIL" && name == "SIL") {
      out.phones.back().end = end;
    } else {
      out.phones.push_back({name, begin, end});
    }
    begin = end;
  }
  delete_utterance(utterance);
  if (begin < limit) {
    if (!out.phones.empty() && out.phones.back().name == "SIL") {
      out.phones.back().end = limit;
    } else {
      out.phones.push_back({"SIL", begin, limit});
    }
  }
}

// Long texts are spoken sentence by sentence, as flite's memory grows with the length of an utterance.
std::vector<std::string> split_sentences(const std::string& text) {
  constexpr std::size_t kLong = 250;
  std::vector<std::string> pieces;
  std::size_t start = 0;
  while (text.size() - start > kLong) {
    std::size_t cut = std::string::npos;
    for (std::size_t i = start + 1; i < text.size(); ++i) {
      const bool stop = std::string_view(".!?;:\n").find(text[i - 1]) != std::string_view::npos && text[i] == ' ';
      const bool word = text[i] == ' ' && i - start > kLong;
      if ((stop && i - start > 40) || (word && i - start > 2 * kLong)) {
        cut = i;
        break;
      }
    }
    if (cut == std::string::npos) break;
    pieces.push_back(text.substr(start, cut - start));
    start = cut + 1;
  }
  pieces.push_back(text.substr(start));
  return pieces;
}

// Typographic quotes become plain ones (they are in "don't"); other bytes that flite's English tokeniser does not know
// become blanks.
std::string plain_ascii(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (text.compare(i, 3, "\xE2\x80\x99") == 0 || text.compare(i, 3, "\xE2\x80\x98") == 0) {
      plain += '\'';
      i += 2;
    } else {
      plain += c < 32 || c > 126 ? ' ' : text[i];
    }
  }
  return plain;
}

}  // namespace

std::vector<std::string> voice_names() {
  std::vector<std::string> names;
  for (const VoiceEntry& entry : kVoices) names.emplace_back(entry.name);
  return names;
}

bool has_voices() {
  return true;
}

SpokenSentence speak_text(const std::string& text, const VoiceOptions& options) {
  find_voice(options.voice);
  require_range("duration stretch", options.duration_stretch, 0.3, 4, false);
  require_range("pitch mean", options.pitch_mean, 40, 500, true);
  require_range("pitch deviation", options.pitch_stddev, 1, 200, true);
  require_range("gain", options.gain, 0, 8, false);
  constexpr std::size_t kMaxBytes = 20000;
  if (text.size() > kMaxBytes) {
    throw Error(ErrorCode::kBadArgument, fmt::format("the text has {} bytes", text.size()),
                fmt::format("speak at most {} at a time", kMaxBytes));
  }
  const bool sayable = std::any_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  if (!sayable) throw Error(ErrorCode::kBadArgument, "the text has no word to say", "give at least one English word");
  const std::string plain = plain_ascii(text);

  const std::scoped_lock lock(flite_mutex());
  cst_voice* voice = flite_voice(options.voice);
  const VoiceSettings settings(voice, options);
  const FixedNoise noise;
  SpokenSentence result;
  result.text = text;
  for (const std::string& piece : split_sentences(plain)) {
    if (piece.find_first_not_of(' ') != std::string::npos) append_utterance(piece, voice, options.gain, result);
  }
  return result;
}

#else

std::vector<std::string> voice_names() {
  return {};
}
bool has_voices() {
  return false;
}

SpokenSentence speak_text(const std::string&, const VoiceOptions& options) {
  find_voice(options.voice);
  require_range("duration stretch", options.duration_stretch, 0.3, 4, false);
  throw Error(ErrorCode::kMissingFeature, "this build of Mien has no voices (flite was absent when it was built)",
              "install Debian's flite1-dev and build again, or give a recording instead of text");
}

#endif

}  // namespace mien
