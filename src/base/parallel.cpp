#include "mien/base/parallel.h"

#include <algorithm>

namespace mien {

int set_thread_count(int threads) {
  const int chosen = threads > 0 ? threads : std::max(1, omp_get_num_procs());
  omp_set_num_threads(chosen);
  return chosen;
}

int thread_count() {
  return omp_get_max_threads();
}

}  // namespace mien
