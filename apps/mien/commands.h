// The subcommands of `mien`, one file each: apps/mien/<name>.cpp defines add_<name>_command(), which adds the
// subcommand with its options, its help and one example (CLI::App::footer), and runs it from its callback. A command
// reports failure by throwing mien::Error; main() turns it into one line and an exit status. Results meant for scripts
// go to standard output as JSON with --json; everything else a person should see goes there without it; progress goes
// to standard error.
#pragma once

#include <CLI/CLI.hpp>

namespace mien::app {

void add_speak_command(CLI::App& app);
void add_track_command(CLI::App& app);
void add_train_command(CLI::App& app);
void add_render_command(CLI::App& app);
void add_actor_command(CLI::App& app);
void add_capture_command(CLI::App& app);
void add_scene_command(CLI::App& app);
void add_head_command(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_doctor_command(CLI::App& app);

// Calls all of the above whose source files exist (written by apps/mien/CMakeLists.txt).
void add_all_commands(CLI::App& app);

// Calls add_eval_<name>_command(eval) of each apps/mien/eval_<name>.cpp: the parts of `mien eval`.
void add_eval_parts(CLI::App& eval);

// True when --quiet was given: no progress bars, warnings and errors only. Works with any subcommand.
bool is_quiet(const CLI::App& command);

// Sets the threads of OpenMP, LibTorch (intra-op) and OpenBLAS alike; 0 means all cores. Returns the number chosen.
int set_all_threads(int threads);

}  // namespace mien::app
