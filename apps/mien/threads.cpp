// One number for every pool in the process.
#include <ATen/Parallel.h>
#include <dlfcn.h>

#include "commands.h"
#include "mien/base/parallel.h"

namespace mien::app {

int set_all_threads(int threads) {
  const int chosen = set_thread_count(threads);
  at::set_num_threads(chosen);  // LibTorch starts with one thread on some machines, whatever OpenMP says
  // OpenBLAS keeps its own threads. It comes in as the system's libblas, so it is looked up, not linked.
  using SetThreads = void (*)(int);
  if (const auto set = reinterpret_cast<SetThreads>(::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(chosen);
  return chosen;
}

}  // namespace mien::app
