// Speech to features, whichever network makes them: log-mel, phonetic, HuBERT or wav2vec 2.0 behind one interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mien {

class SafetensorsFile;

constexpr double kFeatureRate = 50;  // features a second, of every encoder

enum class SpeechEncoderKind { kMel, kPhonetic, kHubert };

struct SpeechEncoderOptions {
  SpeechEncoderKind kind = SpeechEncoderKind::kPhonetic;
  // phonetic: speech.safetensors, empty = the shipped one. hubert: folder with config.json and model.safetensors as
  // Hugging Face publishes them. mel: not used.
  std::filesystem::path model;
  std::string device = "cpu";  // "cuda", "cuda:1": for hubert only, the others run on the CPU
  // HuBERT hears everything before it says anything. Recordings up to `longest_seconds` are therefore encoded whole,
  // longer ones in windows of that length that overlap; streams come in chunks. `context_seconds` on both sides of a
  // window or chunk are heard, but their features thrown away.
  double longest_seconds = 60;
  double chunk_seconds = 4;
  double context_seconds = 2;
};

struct SpeechEncoderInfo {
  std::string name;       // "mel", "phonetic", "hubert", "wav2vec2"
  int width = 0;          // values of a feature
  double rate = 0;        // features a second
  double first_time = 0;  // seconds: feature i speaks of the moment first_time + i / rate
  double look_ahead = 0;  // seconds of sound after that moment that a stream needs before it can say feature i
  bool causal = false;    // a stream gives exactly what encode() gives; otherwise approximately (chunks, see above)
};

struct SpeechFeatures {
  int width = 0;
  std::vector<float> values;  // [count, width]
  int count() const { return width == 0 ? 0 : static_cast<int>(values.size() / static_cast<std::size_t>(width)); }
  std::span<const float> at(int i) const {
    return {values.data() + static_cast<std::size_t>(i) * width, static_cast<std::size_t>(width)};
  }
};

// One stream of sound. Not thread-safe; must not outlive its encoder.
class SpeechEncoderStream {
 public:
  virtual ~SpeechEncoderStream() = default;
  // 16 kHz mono in [-1,1]; appends the features that are ready to out.values and sets out.width. What comes out does
  // not depend on how the sound is cut into calls.
  virtual void push(std::span<const float> samples, SpeechFeatures& out) = 0;
  virtual void finish(SpeechFeatures& out) = 0;  // no more sound: appends what is left
};

// Immutable and thread-safe; uses all threads.
class SpeechEncoder {
 public:
  virtual ~SpeechEncoder() = default;
  virtual const SpeechEncoderInfo& info() const = 0;
  virtual std::unique_ptr<SpeechEncoderStream> stream() const = 0;
  // A whole recording, 16 kHz mono in [-1,1]; not-a-number counts as 0. About 50 features a second, none for no sound.
  virtual SpeechFeatures encode(std::span<const float> samples) const = 0;
};

// Throws kNotFound, kBadFile or kUnsupported for the model's files, kBadArgument for options out of range,
// kMissingFeature for a device that is not there.
//   mel       width 128: two frames of 64 log-mel bands, gain-controlled (see log_mel.h); causal
//   phonetic  width 106: phone posteriors, bottleneck, energy (see phonetic_encoder.h); causal
//   hubert    width as the model's hidden size (768 base, 1024 large): the last hidden state of HuBERT (Hsu et al.
//   2021)
//             or wav2vec 2.0 (Baevski et al. 2020)
std::shared_ptr<const SpeechEncoder> make_speech_encoder(const SpeechEncoderOptions& options);

// The two that need no LibTorch (and no library but this one); `file` is a speech.safetensors.
std::shared_ptr<const SpeechEncoder> make_mel_encoder();
std::shared_ptr<const SpeechEncoder> make_phonetic_encoder(const SafetensorsFile& file);

SpeechEncoderKind parse_speech_encoder(const std::string& name);  // throws kBadArgument, listing the names

}  // namespace mien
