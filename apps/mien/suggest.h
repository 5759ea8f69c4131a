// "Did you mean ...?" for mistyped subcommands and options.
#pragma once

#include <string>
#include <vector>

namespace mien::app {

// The candidate with the smallest edit distance to `word`, or "" when none is near (more than a third of its letters).
std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace mien::app
