#include "track/watch/one_thread.h"

#include <dlfcn.h>
#include <omp.h>

namespace mien::track {
namespace {

// LibTorch brings its library for matrices with it; OpenBLAS has threads that OpenMP knows nothing of.
int blas_threads() {
  auto* get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  return get != nullptr ? get() : 0;
}

void set_blas_threads(int threads) {
  auto* set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (set != nullptr && threads > 0) set(threads);
}

}  // namespace

OneThread::OneThread() : loops_(omp_get_max_threads()), products_(blas_threads()) {
  omp_set_num_threads(1);
  set_blas_threads(1);
}

OneThread::~OneThread() {
  omp_set_num_threads(loops_);
  set_blas_threads(products_);
}

}  // namespace mien::track
