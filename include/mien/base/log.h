// Logging goes to standard error, so that standard output stays clean for --json and for piped data.
#pragma once

#include <spdlog/spdlog.h>

namespace mien {

// Installs the process-wide stderr logger. Level: "error", "warn", "info" or "debug". Call once, from main().
void init_logging(const char* level);

}  // namespace mien
