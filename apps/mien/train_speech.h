// mien train --stage speech: the person's own speech networks.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "mien/motion/speech_tuning.h"

namespace mien::app {

struct SpeechStage {
  std::string stage = "avatar", networks, encoder, encoder_model, head = "weights";
  SpeechTuningOptions tuning;
  bool chosen() const { return stage == "speech"; }
};

void add_speech_stage(CLI::App& command, SpeechStage& stage);

// Writes NAME.speech.safetensors beside `avatar` (NAME.mien), which need not exist.
void train_speech_stage(const std::string& capture, const std::string& avatar, SpeechStage stage, std::uint64_t seed,
                        bool all_sequences, bool restart, bool json, bool quiet);

}  // namespace mien::app
