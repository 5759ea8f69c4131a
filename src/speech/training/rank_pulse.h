// Who is still there: every rank counts up once a second where the ranks have met, and sees whether the others do.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace mien {

// NCCL does not say when the process at the other end of a cable within one machine has died: its kernel waits for
// ever. The pulse goes by a connection of its own, from a thread of its own, so that long work does not look like
// death.
class RankPulse {
 public:
  // Throws what c10d throws when nobody answers at `host`.
  RankPulse(const std::string& host, std::uint16_t port, int rank, int size);
  ~RankPulse();
  RankPulse(const RankPulse&) = delete;
  RankPulse& operator=(const RankPulse&) = delete;

  // A rank that has not been heard for `kSilence`; -1 while all are well.
  int lost() const { return lost_; }

  static constexpr std::chrono::seconds kSilence{30};

 private:
  struct Line;
  void beat(Line& line, int rank, int size);

  std::atomic<int> lost_ = -1;
  std::atomic<bool> ends_ = false;
  std::thread thread_;
};

}  // namespace mien
