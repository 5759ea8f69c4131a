#include "head/outside/number_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien::outside {
namespace {

constexpr std::size_t kMaxBytes = 1u << 30;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 24;

template <typename Element>
double element_at(const std::uint8_t* at, bool swap) {
  std::array<std::uint8_t, sizeof(Element)> bytes;
  std::memcpy(bytes.data(), at, bytes.size());
  if (swap) std::reverse(bytes.begin(), bytes.end());
  return static_cast<double>(std::bit_cast<Element>(bytes));
}

using ElementReader = double (*)(const std::uint8_t*, bool);

// Size of an element and how to read it; null for what is no number.
std::pair<std::size_t, ElementReader> reader_of(std::string_view kind) {
  if (kind == "f8") return {8, element_at<double>};
  if (kind == "f4") return {4, element_at<float>};
  if (kind == "i8") return {8, element_at<std::int64_t>};
  if (kind == "u8") return {8, element_at<std::uint64_t>};
  if (kind == "i4") return {4, element_at<std::int32_t>};
  if (kind == "u4") return {4, element_at<std::uint32_t>};
  if (kind == "i2") return {2, element_at<std::int16_t>};
  if (kind == "u2") return {2, element_at<std::uint16_t>};
  if (kind == "i1") return {1, element_at<std::int8_t>};
  if (kind == "u1" || kind == "b1") return {1, element_at<std::uint8_t>};
  return {0, nullptr};
}

std::string_view kind_of(std::string_view type) {
  if (!type.empty() && std::string_view("<>|=").find(type[0]) != std::string_view::npos) type.remove_prefix(1);
  return type;
}

}  // namespace

bool is_number_type(std::string_view type) {
  return reader_of(kind_of(type)).second != nullptr;
}

NumberArray decode_array(std::span<const std::uint8_t> bytes, std::string_view type, std::vector<std::int64_t> shape,
                         bool column_major, const std::string& where) {
  const auto [size, read] = reader_of(kind_of(type));
  if (read == nullptr)
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: an array of \"{}\"", where, type.substr(0, 20)));
  std::int64_t count = 1;
  for (const std::int64_t n : shape) {
    if (n < 0 || n > kMaxElements || shape.size() > 8 || (n > 0 && count > kMaxElements / n))
      throw Error(ErrorCode::kBadFile, fmt::format("{}: a dimension of {}", where, n));
    count *= n;
  }
  if (bytes.size() != static_cast<std::size_t>(count) * size) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: an array of {} elements has {} bytes", where, count, bytes.size()),
                "the file is damaged: fetch it again");
  }
  NumberArray array{std::move(shape), std::vector<double>(static_cast<std::size_t>(count))};
  const bool swap = !type.empty() && type[0] == '>';
  const std::size_t dimensions = array.shape.size();
  std::vector<std::int64_t> place(dimensions, 0);
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t target = i;
    if (column_major && dimensions > 1) {
      target = 0;
      for (std::size_t d = 0; d < dimensions; ++d) target = target * array.shape[d] + place[d];
      for (std::size_t d = 0; d < dimensions && ++place[d] == array.shape[d]; ++d) place[d] = 0;
    }
    const double value = read(bytes.data() + static_cast<std::size_t>(i) * size, swap);
    if (!std::isfinite(value)) throw Error(ErrorCode::kBadFile, fmt::format("{}: an array holds {}", where, value));
    array.values[static_cast<std::size_t>(target)] = value;
  }
  return array;
}

NumberTable read_number_table(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path, kMaxBytes);
  const std::string where = path.string();
  const auto starts_with = [&](std::string_view magic) {
    return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
  };
  if (starts_with("PK\x03\x04")) return read_npz(bytes, where);
  if (starts_with("\x93NUMPY")) return {{"array", read_npy(bytes, where)}};
  return read_pickle(bytes, where);
}

}  // namespace mien::outside
