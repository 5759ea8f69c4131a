// Progress of anything longer than two seconds: a bar with rate and time left on a terminal, a line now and then in a
// log.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace mien {

// Receives (done, total, note). Called from the working thread; must return quickly. Return false to ask for a stop.
using ProgressCallback = std::function<bool(std::int64_t done, std::int64_t total, const std::string& note)>;

// Draws to standard error: silent for the first two seconds, then at most ten times a second (terminal) or every ten
// seconds (log file). Copyable into a ProgressCallback.
class ProgressBar {
 public:
  ProgressBar(std::string title, bool quiet);
  bool operator()(std::int64_t done, std::int64_t total, const std::string& note = "");
  void finish();  // ends the line, if one was drawn

 private:
  std::string title_;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  double start_;
  double last_ = 0;
};

// "1 h 02 min", "3 min 20 s", "12 s".
std::string format_duration(double seconds);

}  // namespace mien
