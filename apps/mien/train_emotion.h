// mien train emotion: the emotion network from a user's labelled recordings.
#pragma once

#include <CLI/CLI.hpp>

namespace mien::app {

CLI::App* add_train_emotion_command(CLI::App& train_command);

}  // namespace mien::app
