#include "mien/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace mien {

void init_logging(const char* level) {
  auto logger = std::make_shared<spdlog::logger>("mien", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("mien: %^%v%$");
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace mien
