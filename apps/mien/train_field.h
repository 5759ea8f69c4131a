// mien train --renderer field: a capture, or videos, in; one radiance field for all appearances out.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/capture/capture.h"
#include "mien/training/field_trainer.h"

namespace mien::app {

struct FieldStage {
  FieldTrainOptions options;
  std::string latents = "local";  // or none, global: --appearance
};

// Adds the options that only fields have.
void add_field_stage(CLI::App& command, FieldStage& stage);

// What all trainers share.
struct AvatarTexts {
  std::filesystem::path output, report;
  std::string name, licence, consent;
  bool restart = false, json = false, quiet = false;
};

// `steps` -1: as befits the device. Everything else of the stage's options is set.
void train_field_stage(const Capture& capture, const AvatarTexts& texts, FieldStage stage, int steps,
                       const CLI::App& command);

// A folder with capture.json is itself; videos become one beside `output`, where a run that was stopped goes on.
std::filesystem::path capture_of(const std::vector<std::string>& inputs, const std::filesystem::path& output,
                                 const std::string& device, bool quiet);

}  // namespace mien::app
