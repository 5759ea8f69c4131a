// Errors. Every failure a user can cause or cure is a mien::Error: what was found, where, and the mend.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace mien {

// What kind of thing went wrong. The command line turns each into an exit status (see exit_status()).
enum class ErrorCode {
  kBadArgument,     // a value given by the caller is out of range or unknown
  kNotFound,        // a file, folder or named thing does not exist
  kBadFile,         // a file exists but its content is damaged, truncated or hostile
  kUnsupported,     // well-formed, but a version or kind this build cannot handle
  kIo,              // the operating system refused: permissions, disk full, broken pipe
  kMissingFeature,  // this build lacks an optional part (FFmpeg, flite, CUDA)
  kInterrupted,     // the user asked to stop (Ctrl-C)
  kInternal,        // a broken invariant: a defect of Mien
};

// Thrown by every public function. `what()` is one line: the message with the observed values, then the mend.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, const std::string& mend = "")
      : std::runtime_error(mend.empty() ? message : message + "; " + mend),
        code_(code),
        message_(message),
        mend_(mend) {}
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& mend() const { return mend_; }

 private:
  ErrorCode code_;
  std::string message_;
  std::string mend_;
};

// Process exit status for an error: 2 for bad arguments, 3 for bad or missing input, 4 for I/O, 5 for missing features,
// 130 after an interrupt, 70 for internal errors.
int exit_status(ErrorCode code);

// Internal invariants. The message names the values; `cond` is evaluated in every build.
[[noreturn]] void check_failed(const char* expression, const char* file, int line, const std::string& values);

}  // namespace mien

#define MIEN_CHECK(cond, ...)                                                               \
  do {                                                                                      \
    if (!(cond)) ::mien::check_failed(#cond, __FILE__, __LINE__, fmt::format(__VA_ARGS__)); \
  } while (false)
