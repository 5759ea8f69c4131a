#pragma once

#include "mien/base/json_log.h"  // where it lives
