#include "speech/corpus/npy.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kLongestHeader = 65536;
constexpr std::int64_t kMostValues = std::int64_t{1} << 28;
constexpr std::size_t kMostBytes = static_cast<std::size_t>(kMostValues) * 8 + kLongestHeader;

class Header {
 public:
  Header(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  [[noreturn]] void bad(const std::string& what) const {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: {}", where_, what), "save the array again with numpy.save");
  }
  // What follows "'key':" in the dictionary, without leading blanks.
  std::string_view after(std::string_view key) const {
    const std::string quoted = fmt::format("'{}'", key);
    std::size_t at = text_.find(quoted);
    if (at == std::string_view::npos) bad(fmt::format("the header has no {}", quoted));
    at = text_.find_first_not_of(' ', at + quoted.size());
    if (at == std::string_view::npos || text_[at] != ':') bad(fmt::format("the header has no value for {}", quoted));
    at = text_.find_first_not_of(' ', at + 1);
    return at == std::string_view::npos ? std::string_view() : text_.substr(at);
  }
  std::string_view word(std::string_view key) const {
    const std::string_view rest = after(key);
    const std::size_t end = rest.size() < 2 || rest[0] != '\'' ? std::string_view::npos : rest.find('\'', 1);
    if (end == std::string_view::npos) bad(fmt::format("'{}' in the header is no text", key));
    return rest.substr(1, end - 1);
  }
  // Python 2 wrote an L behind long numbers.
  std::vector<std::int64_t> shape() const {
    std::string_view rest = after("shape");
    const std::size_t end = rest.find(')');
    if (rest.empty() || rest[0] != '(' || end == std::string_view::npos) bad("'shape' in the header is no tuple");
    rest = rest.substr(1, end - 1);
    std::vector<std::int64_t> extents;
    while (true) {
      const std::size_t at = rest.find_first_not_of(" ,L");
      if (at == std::string_view::npos) return extents;
      rest.remove_prefix(at);
      std::int64_t extent = 0;
      const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), extent);
      if (error != std::errc() || extent < 0 || extents.size() == 8) bad("'shape' in the header holds no sizes");
      extents.push_back(extent);
      rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    }
  }

 private:
  std::string_view text_;
  std::string where_;
};

}  // namespace

NpyMatrix read_npy(const std::filesystem::path& path) {
  static_assert(std::endian::native == std::endian::little);
  const std::vector<std::uint8_t> bytes = read_file(path, kMostBytes);
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Header outer({}, path.string());
  if (all.size() < 10 || !all.starts_with(kMagic)) outer.bad("is no .npy file");
  const int version = bytes[6];
  if (version < 1 || version > 3) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: .npy of version {}", path.string(), version),
                "versions 1 to 3 are read");
  }
  std::size_t length = bytes[8] + 256u * bytes[9];
  std::size_t data = 10;
  if (version > 1) {
    if (all.size() < 12) outer.bad("ends within its header");
    length += 65536u * bytes[10] + 16777216u * bytes[11];
    data = 12;
  }
  if (length > kLongestHeader || length > all.size() - data) outer.bad("ends within its header");
  const Header header(all.substr(data, length), path.string());
  data += length;
  const std::string_view type = header.word("descr");
  if ((type != "<f8" && type != "<f4") || !header.after("fortran_order").starts_with("False")) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: values of type \"{}\"", path.string(), type),
                "only little-endian float32 and float64 in C order are read: numpy.save(f, numpy.ascontiguousarray(a, "
                "dtype='<f4'))");
  }
  const std::vector<std::int64_t> shape = header.shape();
  if (shape.size() != 2) outer.bad(fmt::format("holds an array of {} dimensions, wanted are 2", shape.size()));
  const std::int64_t size = type == "<f8" ? 8 : 4;
  if (shape[0] > kMostValues || shape[1] > kMostValues || (shape[0] > 0 && shape[1] > kMostValues / shape[0])) {
    outer.bad(fmt::format("says it holds {} x {} values", shape[0], shape[1]));
  }
  const std::int64_t count = shape[0] * shape[1];
  if (static_cast<std::size_t>(count * size) != all.size() - data) {
    outer.bad(
        fmt::format("{} x {} values need {} bytes, there are {}", shape[0], shape[1], count * size, all.size() - data));
  }
  NpyMatrix matrix{shape[0], shape[1], std::vector<float>(static_cast<std::size_t>(count))};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint8_t* from = bytes.data() + data + static_cast<std::size_t>(i * size);
    double wide = 0;
    float narrow = 0;
    if (size == 8) {
      std::memcpy(&wide, from, 8);
      narrow = static_cast<float>(wide);
    } else {
      std::memcpy(&narrow, from, 4);
    }
    if (!std::isfinite(narrow))
      outer.bad(fmt::format("row {}, column {} is not a finite number", i / shape[1], i % shape[1]));
    matrix.values[i] = narrow;
  }
  return matrix;
}

}  // namespace mien
