// The networks see one small picture at a time: threads would wait for each other longer than they work. Decoding and
// writing have threads of their own.
#pragma once

namespace mien::track {

// While it lives, parallel loops of the calling thread, and products of matrices in all threads where OpenBLAS makes
// them, run on one thread.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int loops_, products_ = 0;
};

}  // namespace mien::track
