// The choice among the encoders.
#include "mien/speech/speech_encoder.h"

#include "mien/base/error.h"
#include "mien/base/resource.h"
#include "mien/base/safetensors.h"
#include "speech/hubert/hubert_encoder.h"

namespace mien {
namespace {

std::filesystem::path shipped_networks() {
  for (const std::filesystem::path& folder : model_folders()) {
    if (std::filesystem::exists(folder / "speech.safetensors")) return folder / "speech.safetensors";
  }
  throw Error(ErrorCode::kNotFound, fmt::format("speech.safetensors is not in {}", model_folders().front().string()),
              "set MIEN_MODELS to the folder that holds it, or run: mien doctor");
}

}  // namespace

std::shared_ptr<const SpeechEncoder> make_speech_encoder(const SpeechEncoderOptions& options) {
  switch (options.kind) {
    case SpeechEncoderKind::kMel:
      return make_mel_encoder();
    case SpeechEncoderKind::kPhonetic:
      return make_phonetic_encoder(SafetensorsFile::open(options.model.empty() ? shipped_networks() : options.model));
    case SpeechEncoderKind::kHubert:
      return make_hubert_encoder(options);
  }
  throw Error(ErrorCode::kBadArgument, "there is no such speech encoder", "choose mel, phonetic or hubert");
}

SpeechEncoderKind parse_speech_encoder(const std::string& name) {
  if (name == "mel") return SpeechEncoderKind::kMel;
  if (name == "phonetic") return SpeechEncoderKind::kPhonetic;
  if (name == "hubert") return SpeechEncoderKind::kHubert;
  throw Error(ErrorCode::kBadArgument, fmt::format("there is no speech encoder \"{}\"", name),
              "choose mel, phonetic or hubert");
}

}  // namespace mien
