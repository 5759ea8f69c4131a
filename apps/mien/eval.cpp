// mien eval: measures; each part in a file of its own, eval_<name>.cpp.
#include "commands.h"

namespace mien::app {

void add_eval_command(CLI::App& app) {
  CLI::App* eval = app.add_subcommand("eval", "Measures pictures, lips, emotions and avatars");
  eval->require_subcommand(1);
  eval->footer("Example:\n  mien eval images truth/ rendered/");
  add_eval_parts(*eval);
}

}  // namespace mien::app
