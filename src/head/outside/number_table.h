// Named arrays of numbers from Python's files: pickles and NumPy's .npy and .npz. Nothing in such a file is ever run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mien::outside {

struct NumberArray {
  std::vector<std::int64_t> shape;
  std::vector<double> values;  // row by row, whatever the file's order

  std::int64_t rows() const { return shape.empty() ? 1 : shape[0]; }
};
using NumberTable = std::map<std::string, NumberArray>;

// By content, not by name: a zip archive is an .npz, "\x93NUMPY" an .npy (its array is called "array"), anything else a
// pickled dict. Entries that are no arrays of numbers are left out. Throws kNotFound, kBadFile (damaged, sizes that do
// not fit the file, a pickle that would run something), kUnsupported.
NumberTable read_number_table(const std::filesystem::path& path);

// The parts, for bytes in memory; `where` names the file in errors.
NumberTable read_pickle(std::span<const std::uint8_t> bytes, const std::string& where);
NumberArray read_npy(std::span<const std::uint8_t> bytes, const std::string& where);
NumberTable read_npz(std::span<const std::uint8_t> bytes, const std::string& where);

// Raw elements -> doubles. `type` as NumPy writes it: "<f8", "|u1", ">i4". Throws kBadFile unless `bytes` has exactly
// the size that shape and type ask for, kUnsupported for other types.
NumberArray decode_array(std::span<const std::uint8_t> bytes, std::string_view type, std::vector<std::int64_t> shape,
                         bool column_major, const std::string& where);
bool is_number_type(std::string_view type);

}  // namespace mien::outside
