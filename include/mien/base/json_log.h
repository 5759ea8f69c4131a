// A training log that programs read: one JSON object a line, appended.
#pragma once

#include <filesystem>
#include <fstream>

#include "mien/base/error.h"
#include "mien/base/json.h"

namespace mien {

class JsonLog {
 public:
  // An empty path means no log. Throws kIo when the file cannot be written.
  explicit JsonLog(const std::filesystem::path& path) {
    if (path.empty()) return;
    out_.open(path, std::ios::app);
    if (!out_) throw Error(ErrorCode::kIo, path.string() + ": cannot be written", "choose another place for the log");
  }
  void add(const Json& entry) {
    if (out_.is_open()) out_ << entry.dump() << "\n" << std::flush;
  }

 private:
  std::ofstream out_;
};

}  // namespace mien
