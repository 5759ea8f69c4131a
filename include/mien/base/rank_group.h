// Training by several processes ("ranks"), for code that does not care how they talk to each other.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace mien {

// As it stands: one rank, and nothing is waited for. All ranks must call the same functions in the same order; each
// waits for the others. Throws kIo when another rank is gone. One thread at a time.
struct RankGroup {
  int rank = 0, size = 1;
  // Each replaces the values by their mean over the ranks, or by the first rank's. Used when there are several; all
  // ranks must end with the same bits.
  std::function<void(std::span<float>)> average_values, share_values;

  bool several() const { return size > 1; }
  bool leads() const { return rank == 0; }  // who writes files
  void average(std::span<float> values) const;
  void average(const std::vector<std::span<float>>& arrays) const;  // in one exchange
  void share(std::span<float> values) const;
  double average(double value) const;
  double share(double value) const;
  bool all(bool value) const { return several() ? average(value ? 1.0 : 0.0) > 1 - 0.5 / size : value; }
  // The first rank's array and its size become everybody's.
  void share(std::vector<float>& values) const;
  void share(std::vector<std::int32_t>& values) const;
  // Throws kBadArgument(`what`, `mend`) on every rank unless all ranks have the same value.
  void must_agree(std::uint64_t value, const std::string& what, const std::string& mend) const;
};

// Found in the environment, as torchrun and other launchers set it: WORLD_SIZE, RANK, MASTER_ADDR (default 127.0.0.1)
// and MASTER_PORT (default 29500); one rank without WORLD_SIZE. The ranks talk through LibTorch's Gloo (this function
// is defined in the room torch_training). Where LOCAL_RANK is set, too, the process sees the GPU of that number only:
// call it before anything touches a GPU. Throws as Ranks::from_environment() does.
RankGroup rank_group_from_environment();

}  // namespace mien
