// The options of custom operations: a FlexBuffers map from names to numbers and lists of numbers. Checked like
// flatbuffer.h. Format: the "FlexBuffers" section of the FlatBuffers internals page.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "landmarks/flatbuffer.h"

namespace mien {

// Every value as a list; a single number is a list of one. Values of other kinds (text, maps) are left out.
using FlexOptions = std::map<std::string, std::vector<double>>;

// Throws kBadFile for what is no such map.
FlexOptions read_flex_options(const FileBytes& file);

}  // namespace mien
