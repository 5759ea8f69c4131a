// The networks see one small picture at a time: threads would wait for each other longer than they work. Decoding and
// writing have threads of their own.
#pragma once

#include <omp.h>

namespace mien::track {

// While it lives, parallel loops of the calling thread run on that thread alone.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace mien::track
