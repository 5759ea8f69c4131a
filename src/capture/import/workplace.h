// The folder that a capture is written in before it gets its name.
#pragma once

#include <unistd.h>

#include <filesystem>

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien::import {

// Removes what was written unless it has been kept.
class Workplace {
 public:
  explicit Workplace(const std::filesystem::path& output) : output_(output), folder_(output) {
    std::error_code ignored;
    if (std::filesystem::exists(output, ignored) &&
        !(std::filesystem::is_directory(output, ignored) && std::filesystem::is_empty(output, ignored))) {
      throw Error(ErrorCode::kBadArgument, output.string() + ": is there already",
                  "choose a new folder for the capture");
    }
    folder_ += fmt::format(".part{}", ::getpid());
    make_output_folder(folder_);
  }
  ~Workplace() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(folder_, ignored);
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  const std::filesystem::path& folder() const { return folder_; }
  void keep() {
    std::error_code error;
    std::filesystem::remove(output_, error);  // an empty folder
    std::filesystem::rename(folder_, output_, error);
    if (error) {
      throw Error(ErrorCode::kIo, fmt::format("{}: cannot rename into place ({})", output_.string(), error.message()),
                  "check the permissions of the folder");
    }
    kept_ = true;
  }

 private:
  std::filesystem::path output_, folder_;
  bool kept_ = false;
};

}  // namespace mien::import
