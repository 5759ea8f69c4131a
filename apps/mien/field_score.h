// What mien eval avatar says of a field avatar.
#pragma once

#include "mien/avatar/avatar.h"
#include "mien/capture/capture.h"
#include "mien/training/field_trainer.h"

namespace mien::app {

// Prints a row an appearance and their mean, or one line of JSON.
void score_field(const Avatar& avatar, const Capture& capture, const FieldEvaluationOptions& options, bool json);

}  // namespace mien::app
