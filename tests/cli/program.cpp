#include "cli/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>

namespace mien::testing_cli {

namespace fs = std::filesystem;

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// In the child: never returns.
[[noreturn]] void start(const Invocation& what, int in, int out, int err) {
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  for (int descriptor = 3; descriptor < 64; ++descriptor) ::close(descriptor);
  for (const std::string& entry : what.environment) {
    const std::size_t equals = entry.find('=');
    ::setenv(entry.substr(0, equals).c_str(), entry.substr(equals + 1).c_str(), 1);
  }
  if (what.file_size_limit != 0) {
    const rlimit limit = {what.file_size_limit, what.file_size_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (!what.folder.empty() && ::chdir(what.folder.c_str()) != 0) ::_exit(126);
  std::vector<char*> arguments;
  for (const std::string& word : what.command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

// Moves what is there from `descriptor` to `text`; closes and forgets it at the end.
void drain(int& descriptor, std::string& text) {
  char buffer[4096];
  const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
  if (got > 0) {
    text.append(buffer, static_cast<std::size_t>(got));
  } else {
    ::close(descriptor);
    descriptor = -1;
  }
}

}  // namespace

std::vector<std::string> Outcome::error_lines() const {
  std::vector<std::string> lines;
  std::istringstream stream(err);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Outcome run(const Invocation& what) {
  std::signal(SIGPIPE, SIG_IGN);
  int in[2], out[2], err[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
    ADD_FAILURE() << "no pipes";
    return {};
  }
  const pid_t child = ::fork();
  if (child == 0) start(what, in[0], out[1], err[1]);
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  Outcome outcome;
  std::size_t written = 0;
  int to_child = in[1], from_out = out[0], from_err = err[0];
  if (what.input.empty()) {
    ::close(to_child);
    to_child = -1;
  } else {
    ::fcntl(to_child, F_SETFL, O_NONBLOCK);
  }
  const double begin = now();
  const std::function<bool()> interrupt_when = what.interrupt_when || what.interrupt_after <= 0
                                                   ? what.interrupt_when
                                                   : [&] { return now() - begin > what.interrupt_after; };
  bool asked = !interrupt_when;
  while (from_out >= 0 || from_err >= 0) {
    pollfd fds[3] = {{from_out, POLLIN, 0}, {from_err, POLLIN, 0}, {to_child, POLLOUT, 0}};
    ::poll(fds, 3, what.kill_when || what.interrupt_when ? 1 : asked ? 1000 : 20);
    if (fds[0].revents != 0) drain(from_out, outcome.out);
    if (fds[1].revents != 0) drain(from_err, outcome.err);
    if (to_child >= 0 && fds[2].revents != 0) {
      const ssize_t put = ::write(to_child, what.input.data() + written, what.input.size() - written);
      if (put > 0) written += static_cast<std::size_t>(put);
      if ((put < 0 && errno != EAGAIN) || written == what.input.size()) {
        ::close(to_child);
        to_child = -1;
      }
    }
    if (what.kill_when && what.kill_when()) ::kill(child, SIGKILL);
    if (!asked && interrupt_when()) {
      ::kill(child, SIGINT);
      asked = true;
    }
  }
  if (to_child >= 0) ::close(to_child);
  int status = 0;
  rusage usage = {};
  ::wait4(child, &status, 0, &usage);
  outcome.peak_kilobytes = usage.ru_maxrss;
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  if (outcome.status == 127) ADD_FAILURE() << what.command[0] << " could not be started";
  return outcome;
}

std::string mien_program() {
  return MIEN_PROGRAM;
}

Outcome mien(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), mien_program());
  Invocation what;
  what.command = std::move(arguments);
  return run(what);
}

Scratch::Scratch() {
  std::string name = (fs::temp_directory_path() / "mien_cli_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
  path_ = name;
}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::vector<std::string> Scratch::names() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    names.push_back(entry.path().lexically_relative(path_).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void expect_refusal(const Outcome& outcome, int status, const std::vector<std::string>& words) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  const std::vector<std::string> lines = outcome.error_lines();
  ASSERT_EQ(lines.size(), 1u) << outcome.err;
  EXPECT_TRUE(lines[0].starts_with("mien: ")) << lines[0];
  for (const std::string& word : words)
    EXPECT_NE(lines[0].find(word), std::string::npos) << word << " in: " << lines[0];
}

}  // namespace mien::testing_cli
