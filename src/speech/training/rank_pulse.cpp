#include "speech/training/rank_pulse.h"

#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

#include "mien/base/log.h"

namespace mien {
namespace {

using Clock = std::chrono::steady_clock;

std::string key(int rank) {
  return fmt::format("mien/pulse/{}", rank);
}

}  // namespace

struct RankPulse::Line {
  c10::intrusive_ptr<c10d::TCPStore> store;
};

RankPulse::RankPulse(const std::string& host, std::uint16_t port, int rank, int size) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.waitWorkers = false;
  Line line{c10::make_intrusive<c10d::TCPStore>(host, options)};
  line.store->add(key(rank), 1);
  thread_ = std::thread([this, line, rank, size]() mutable { beat(line, rank, size); });
}

RankPulse::~RankPulse() {
  ends_ = true;
  thread_.join();
}

void RankPulse::beat(Line& line, int rank, int size) {
  struct Heard {
    std::int64_t count = -1;
    Clock::time_point when = Clock::now();
  };
  std::vector<Heard> heard(static_cast<std::size_t>(size));
  constexpr std::chrono::milliseconds kLook(100), kBeat(1000);
  Clock::time_point next = Clock::now();
  while (!ends_) {
    std::this_thread::sleep_for(kLook);
    const Clock::time_point now = Clock::now();
    if (now < next) continue;
    next = now + kBeat;
    try {
      line.store->add(key(rank), 1);
      for (int r = 0; r < size; ++r) {
        const std::int64_t count = line.store->add(key(r), 0);
        Heard& last = heard[static_cast<std::size_t>(r)];
        if (count != last.count) last = {count, now};
        if (now - last.when > kSilence) lost_ = r;
      }
    } catch (const std::exception&) {
      lost_ = 0;  // the first rank keeps the store
      return;
    }
  }
}

}  // namespace mien
