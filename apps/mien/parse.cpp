#include "parse.h"

#include <cstdio>

#include "mien/base/error.h"

namespace mien::app {

void parse_size(const std::string& text, int& width, int& height) {
  int used = 0;
  if (std::sscanf(text.c_str(), "%dx%d%n", &width, &height, &used) == 2 && text[used] == '\0') return;
  if (std::sscanf(text.c_str(), "%d%n", &width, &used) == 1 && text[used] == '\0') {
    height = width;
    return;
  }
  throw Error(ErrorCode::kBadArgument, fmt::format("size \"{}\" is not understood", text), "write it as 512x512");
}

}  // namespace mien::app
