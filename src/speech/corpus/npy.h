// NumPy's file format for one array (.npy, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace mien {

struct NpyMatrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<float> values;  // [rows, columns]
};

// A two-dimensional array of little-endian float32 or float64 in C order, format versions 1 to 3; anything else, a file
// of another size than its header says, more than 2^28 values, NaN and infinity throw kBadFile or kUnsupported in one
// line. kNotFound when there is no file.
NpyMatrix read_npy(const std::filesystem::path& path);

}  // namespace mien
