// One thread pool for the whole program: OpenMP's, as LibTorch uses it.
#pragma once

#include <omp.h>

#include <cstdint>

namespace mien {

// Sets the size of the pool; 0 means all cores the process may use. Returns the size chosen. LibTorch is told
// separately by the program (its headers stay out of this room).
int set_thread_count(int threads);
int thread_count();

// Calls body(i) for i in [0, count) on all threads, in chunks of at least `grain`. Exceptions must not leave `body`.
template <typename Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  if (count <= grain) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
#pragma omp parallel for schedule(dynamic, grain)
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

}  // namespace mien
