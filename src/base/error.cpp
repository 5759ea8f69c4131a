#include "mien/base/error.h"

namespace mien {

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kBadArgument:
      return 2;
    case ErrorCode::kNotFound:
    case ErrorCode::kBadFile:
    case ErrorCode::kUnsupported:
      return 3;
    case ErrorCode::kIo:
      return 4;
    case ErrorCode::kMissingFeature:
      return 5;
    case ErrorCode::kInterrupted:
      return 130;
    case ErrorCode::kInternal:
      return 70;
  }
  return 70;
}

void check_failed(const char* expression, const char* file, int line, const std::string& values) {
  throw Error(ErrorCode::kInternal,
              fmt::format("internal check failed: {} ({}) at {}:{}", expression, values, file, line),
              "this is a defect of Mien, please report it");
}

}  // namespace mien
