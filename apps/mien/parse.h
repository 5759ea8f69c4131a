// Small texts that several subcommands take.
#pragma once

#include <string>

namespace mien::app {

// "512x512" or "512". Throws kBadArgument.
void parse_size(const std::string& text, int& width, int& height);

}  // namespace mien::app
