// mien capture import: data sets of other layouts as captures.
#pragma once

#include "commands.h"

namespace mien::app {

void add_capture_import(CLI::App& capture);

}  // namespace mien::app
