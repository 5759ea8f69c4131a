// The command line: global options, and the one place where errors become a line and an exit status.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/interrupt.h"
#include "mien/base/log.h"
#include "suggest.h"

namespace mien::app {

bool is_quiet(const CLI::App& command) {
  const CLI::App* root = &command;
  while (root->get_parent() != nullptr) root = root->get_parent();
  return root->count("--quiet") != 0;
}

namespace {

// Prints "mien: ..." on one line. Messages quote file contents, so line ends and control characters are made harmless.
int fail(const std::string& message, int status) {
  std::string line;
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    line += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  std::fprintf(stderr, "mien: %s\n", line.c_str());
  return status;
}

CLI::App* deepest_parsed(CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().back();
  return app;
}

// "mien capture check", as a person types it.
std::string full_name(const CLI::App* app) {
  return app->get_parent() == nullptr ? app->get_name() : full_name(app->get_parent()) + " " + app->get_name();
}

// "capture check: ", for messages; the name of the program stands in front of them anyway.
std::string prefix(const CLI::App* app) {
  return app->get_parent() == nullptr ? "" : full_name(app).substr(5) + ": ";
}

// A word that no command or option takes: says so, with the nearest one that exists.
std::string unexpected_word(CLI::App& app, const std::string& word) {
  CLI::App* command = deepest_parsed(&app);
  std::vector<std::string> known;
  const bool option = word.starts_with("-");
  if (option) {
    for (const CLI::Option* o : command->get_options()) known.push_back(o->get_name());
    for (const CLI::Option* o : app.get_options()) known.push_back(o->get_name());
  } else {
    for (const CLI::App* c : command->get_subcommands(nullptr)) known.push_back(c->get_name());
  }
  const std::string name = full_name(command);
  std::string message = option || known.empty() ? prefix(command) + "unknown argument \"" + word + "\""
                                                : "there is no command \"" + name + " " + word + "\"";
  const std::string near = nearest_word(word.substr(0, word.find('=')), known);
  if (!near.empty()) message += "; did you mean \"" + near + "\"?";
  return message + " (" + name + " --help lists them)";
}

// Idle OpenMP threads spin for milliseconds by default; on a machine that has other work too, that takes the cores from
// everybody and makes Mien several times slower. The library reads the setting only as it is loaded, hence this new
// start.
void let_idle_threads_sleep(char** argv) {
#ifdef __linux__
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (setenv("OMP_WAIT_POLICY", "passive", 0) == 0) execv("/proc/self/exe", argv);  // returns only where it failed
#else
  (void)argv;
#endif
}

int run(int argc, char** argv) {
  CLI::App app{"Mien turns recordings of a person into a 3D head that talks.", "mien"};
  app.fallthrough();  // global options may stand anywhere
  app.require_subcommand(0, 1);
  int threads = 0;
  bool quiet = false;
  std::string log_level = "info";
  app.add_option("--threads", threads, "Threads to use; 0 means all cores")->check(CLI::Range(0, 1024));
  app.add_flag("--quiet,-q", quiet, "No progress, no remarks: warnings and errors only");
  app.add_option("--log-level", log_level, "How much to say on standard error")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}))
      ->capture_default_str();
  app.set_version_flag("--version", "mien " MIEN_VERSION);
  app.footer(
      "Example:\n  mien speak hello.wav --emotion happy:0.8 --camera orbit -o hello.mp4\n\n\"mien COMMAND --help\" "
      "tells more.");
  add_all_commands(app);
  app.parse_complete_callback([&] {  // runs before the callback of the subcommand
    init_logging(quiet && log_level == "info" ? "warn" : log_level.c_str());
    set_all_threads(threads);
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> rest = app.remaining(true);
    return fail(rest.empty() ? "unexpected arguments" : unexpected_word(app, rest.front()),
                exit_status(ErrorCode::kBadArgument));
  } catch (const CLI::ParseError& error) {
    // "capture chekc" fails for want of a subcommand, but the mistyped word is what to talk about.
    const std::vector<std::string> rest = app.remaining(true);
    if (!rest.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
      return fail(unexpected_word(app, rest.front()), exit_status(ErrorCode::kBadArgument));
    }
    const CLI::App* command = deepest_parsed(&app);
    return fail(prefix(command) + error.what() + " (" + full_name(command) + " --help says more)",
                exit_status(ErrorCode::kBadArgument));
  }
  if (app.get_subcommands().empty()) std::printf("%s", app.help().c_str());
  return 0;
}

}  // namespace
}  // namespace mien::app

int main(int argc, char** argv) {
  using mien::ErrorCode;
  using mien::app::fail;
  mien::app::let_idle_threads_sleep(argv);
  mien::install_interrupt_handlers();
  try {
    return mien::app::run(argc, argv);
  } catch (const mien::Error& error) {
    // A read or write that the signal cut short is no fault of the file.
    if (mien::interrupted() && error.code() != ErrorCode::kInterrupted)
      return fail("interrupted", mien::exit_status(ErrorCode::kInterrupted));
    return fail(error.what(), mien::exit_status(error.code()));
  } catch (const std::bad_alloc&) {
    return fail("out of memory; close other programs, or ask for less (a shorter file, fewer threads)",
                mien::exit_status(ErrorCode::kIo));
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(error.what(), mien::exit_status(ErrorCode::kIo));
  } catch (const std::exception& error) {
    const std::string text = error.what();  // LibTorch adds a stack trace after the first line
    return fail("internal error: " + text.substr(0, text.find('\n')) + "; this is a defect of Mien, please report it",
                mien::exit_status(ErrorCode::kInternal));
  } catch (...) {
    return fail("internal error of an unknown kind; this is a defect of Mien, please report it",
                mien::exit_status(ErrorCode::kInternal));
  }
}
