#include "mien/base/progress.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include "mien/base/interrupt.h"

namespace mien {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

ProgressBar::ProgressBar(std::string title, bool quiet)
    : title_(std::move(title)), quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0), start_(now()) {}

bool ProgressBar::operator()(std::int64_t done, std::int64_t total, const std::string& note) {
  if (interrupted()) return false;
  const double time = now();
  if (quiet_ || time - start_ < 2.0 || time - last_ < (terminal_ ? 0.1 : 10.0)) return true;
  last_ = time;
  drawn_ = true;
  const double rate = static_cast<double>(done) / (time - start_);
  std::string line;
  if (total > 0) {
    const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
    const int filled = static_cast<int>(20 * done / total);
    line = fmt::format("{} [{:#<{}}{:.<{}}] {}/{}  {:.1f}/s  {} left  {}", title_, "", filled, "", 20 - filled, done,
                       total, rate, format_duration(left), note);
  } else {  // a stream of unknown length
    line = fmt::format("{} {}  {:.1f}/s  {}", title_, done, rate, note);
  }
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
  std::fflush(stderr);
  return true;
}

void ProgressBar::finish() {
  if (drawn_ && terminal_) std::fputc('\n', stderr);
  drawn_ = false;
}

std::string format_duration(double seconds) {
  const auto total = static_cast<std::int64_t>(std::llround(seconds));
  if (total >= 3600) return fmt::format("{} h {:02} min", total / 3600, total / 60 % 60);
  if (total >= 60) return fmt::format("{} min {:02} s", total / 60, total % 60);
  return fmt::format("{} s", total);
}

}  // namespace mien
