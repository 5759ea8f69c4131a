#include "mien/base/interrupt.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstring>

#include "mien/base/error.h"

namespace mien {
namespace {

// A signal handler may touch only lock-free atomics and plain memory, so the watched names lie in a fixed table.
// A slot goes free -> filling -> ready -> free; the handler reads ready slots only.
enum SlotState : int { kFree, kFilling, kReady };
struct Slot {
  std::atomic<int> state{kFree};
  char path[PATH_MAX] = {};
};
std::array<Slot, 64> g_watched;
std::atomic<int> g_signal{0};

void end_now(int signal) {
  for (Slot& slot : g_watched) {
    if (slot.state.load() == kReady) ::unlink(slot.path);
  }
  constexpr char kLine[] = "mien: interrupted\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kLine, sizeof kLine - 1);
  ::_exit(128 + signal);
}

void on_signal(int signal) {
  const int before = g_signal.exchange(signal == SIGALRM ? g_signal.load() : signal);
  if (before != 0) end_now(before);
  ::alarm(5);  // whoever does not poll is ended by the alarm
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGALRM}) ::sigaction(signal, &action, nullptr);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::sigaction(signal, &ignore, nullptr);
}

bool interrupted() {
  return g_signal.load(std::memory_order_relaxed) != 0;
}

void throw_if_interrupted() {
  if (interrupted()) throw Error(ErrorCode::kInterrupted, "interrupted");
}

void watch_temporary(const std::filesystem::path& path) {
  const std::string name = std::filesystem::absolute(path).string();
  if (name.size() >= PATH_MAX) return;
  for (Slot& slot : g_watched) {
    int expected = kFree;
    if (!slot.state.compare_exchange_strong(expected, kFilling)) continue;
    std::memcpy(slot.path, name.c_str(), name.size() + 1);
    slot.state = kReady;
    return;
  }
}

void unwatch_temporary(const std::filesystem::path& path) {
  const std::string name = std::filesystem::absolute(path).string();
  for (Slot& slot : g_watched) {
    if (slot.state.load() == kReady && name == slot.path) {
      slot.state = kFree;
      return;
    }
  }
}

}  // namespace mien
