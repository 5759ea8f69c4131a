// Tensors of one byte a value, for the many small numbers of large avatars: value = (byte - 128) * scale of its column.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mien/base/safetensors.h"

namespace mien {

// values [rows,columns] -> tensors NAME (U8 [rows * columns]) and NAME.scale (F32 [columns]). A column's range is its
// largest value, but at most eight times its root mean square: what lies beyond is clipped.
void add_bytes(SafetensorsWriter& writer, const std::string& name, std::int64_t rows, std::int64_t columns,
               const std::vector<float>& values);

// The values again. Throws kBadFile for shapes that do not agree or a scale that is not a number.
std::vector<float> read_bytes(const SafetensorsFile& file, const std::string& name, std::int64_t rows,
                              std::int64_t columns);

}  // namespace mien
