// A field avatar's part of the avatar file. Described in docs/avatar.md.
#pragma once

#include "mien/base/json.h"
#include "mien/base/safetensors.h"
#include "mien/field_avatar/field_avatar.h"

namespace mien {

// What the header says of it.
Json field_json(const FieldAvatar& field);
// Its tensors, "field...."; parameters as F16. The head is the caller's.
void save_field(const FieldAvatar& field, SafetensorsWriter& writer);
// Reads the head too. Throws kBadFile for damage.
FieldAvatar load_field(const SafetensorsFile& file, const Json& header, int appearances);

}  // namespace mien
