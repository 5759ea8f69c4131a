// Runs the real `mien` executable the way a person does, and looks at what it leaves behind.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace mien::testing_cli {

struct Invocation {
  std::vector<std::string> command;      // program and arguments
  std::vector<std::string> environment;  // "NAME=value", on top of ours
  std::string input;                     // for standard input
  std::size_t file_size_limit = 0;       // bytes any file may grow to (RLIMIT_FSIZE); 0 = no limit
  double interrupt_after = 0;            // seconds until SIGINT; 0 = never
  std::function<bool()> interrupt_when;  // asked every millisecond; true = SIGINT, once
  std::function<bool()> kill_when;       // asked every millisecond; true = SIGKILL
  std::filesystem::path folder;          // to run in; empty = here
};

struct Outcome {
  int status = -1;  // exit status, or -signal
  std::string out, err;
  long peak_kilobytes = 0;  // of resident memory
  std::vector<std::string> error_lines() const;
};

// Runs to the end. Fails the calling test (ADD_FAILURE) when the program cannot be started.
Outcome run(const Invocation& what);
// `mien ARGUMENTS...`.
Outcome mien(std::vector<std::string> arguments);
std::string mien_program();

// A folder of its own for a test, removed with it.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  std::vector<std::string> names() const;  // of what lies in it, sorted, with subfolders

 private:
  std::filesystem::path path_;
};

// A refusal as every command must give it: this exit status, nothing on standard output, exactly one line on standard
// error that starts with "mien: " and holds all of `words`.
void expect_refusal(const Outcome& outcome, int status, const std::vector<std::string>& words);

}  // namespace mien::testing_cli
