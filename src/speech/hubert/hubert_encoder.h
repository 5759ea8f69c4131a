#pragma once

#include <memory>

#include "mien/speech/speech_encoder.h"

namespace mien {

std::shared_ptr<const SpeechEncoder> make_hubert_encoder(const SpeechEncoderOptions& options);

}  // namespace mien
