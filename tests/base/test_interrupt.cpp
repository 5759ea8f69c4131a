#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/interrupt.h"
#include "mien/base/progress.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

// Signals change the whole process, so each case runs in a child; the exit status tells how it ended.
template <typename Body>
int in_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    install_interrupt_handlers();
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Interrupt, FirstSignalAsksProgressToStop) {
  EXPECT_EQ(in_child([] {
              ProgressBar bar("work", true);
              if (!bar(1, 2)) return 10;
              std::raise(SIGINT);
              if (bar(2, 2)) return 11;
              try {
                throw_if_interrupted();
              } catch (const Error& error) {
                return exit_status(error.code());
              }
              return 12;
            }),
            130);
}

TEST(Interrupt, SecondSignalRemovesTemporaries) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_interrupt_{}", ::getpid());
  fs::create_directories(folder);
  EXPECT_EQ(in_child([&] {
              AtomicFile file(folder / "a");
              file.write("half");
              std::raise(SIGTERM);
              std::raise(SIGTERM);
              return 0;
            }),
            128 + SIGTERM);
  EXPECT_TRUE(fs::is_empty(folder));
  fs::remove_all(folder);
}

TEST(Interrupt, ClosedPipeIsAnErrorNotAnEnd) {
  EXPECT_EQ(in_child([] {
              int ends[2];
              if (::pipe(ends) != 0) return 10;
              ::close(ends[0]);
              return ::write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 11;
            }),
            0);
}

}  // namespace
}  // namespace mien
