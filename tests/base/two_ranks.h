// Runs a disabled test of this program in two processes that train together.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "mien/base/log.h"

namespace mien {

inline int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

struct TwoRanks {
  int status[2] = {-1, -1};
  std::string said[2];
  bool without_gloo() const { return said[1].find("has no Gloo") != std::string::npos; }
};

// The worker finds `folder` in MIEN_TEST_FOLDER; what it says is in the result.
inline TwoRanks run_two_ranks(const std::string& worker, const std::filesystem::path& folder) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const int port = free_port();
  const auto start = [&](int rank) {
    const std::string line = fmt::format(
        "WORLD_SIZE=2 RANK={0} LOCAL_RANK={0} MASTER_PORT={1} MIEN_TEST_FOLDER='{2}' OMP_NUM_THREADS=1 '{3}' "
        "--gtest_also_run_disabled_tests --gtest_filter={4} > '{2}/log{0}' 2>&1",
        rank, port, folder.string(), program, worker);
    return std::async(std::launch::async, [line] { return std::system(line.c_str()); });
  };
  std::future<int> ranks[2] = {start(0), start(1)};
  TwoRanks out;
  for (int rank = 0; rank < 2; ++rank) {
    out.status[rank] = ranks[rank].get();
    std::ifstream log(folder / fmt::format("log{}", rank));
    out.said[rank] = {std::istreambuf_iterator<char>(log), {}};
  }
  return out;
}

}  // namespace mien
