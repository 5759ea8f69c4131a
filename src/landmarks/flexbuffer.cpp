#include "landmarks/flexbuffer.h"

#include <algorithm>

namespace mien {
namespace {

enum Kind {
  kInt = 1,
  kUint = 2,
  kFloat = 3,
  kMap = 9,
  kVector = 10,
  kIntVector = 11,
  kUintVector = 12,
  kFloatVector = 13
};

class FlexReader {
 public:
  explicit FlexReader(const FileBytes& file) : file_(&file) {}

  FlexOptions map() const {
    const std::size_t size = file_->bytes.size();
    if (size < 3) file_->damaged("options without a root");
    const std::size_t width = file_->bytes[size - 1];
    if (file_->bytes[size - 2] >> 2 != kMap || (width != 1 && width != 2 && width != 4 && width != 8) ||
        size < width + 2)
      file_->damaged("options that are no map");
    const std::size_t values = follow(size - 2 - width, width);
    const std::size_t step = std::size_t{1} << (file_->bytes[size - 2] & 3);
    if (values < 3 * step) file_->damaged("a map of options without keys");
    const std::size_t keys = follow(values - 3 * step, step);
    const std::size_t key_step = number(values - 2 * step, step);
    const std::size_t count = number(values - step, step);
    if (key_step != 1 && key_step != 2 && key_step != 4 && key_step != 8) file_->damaged("a map with odd keys");
    if (count > size) file_->damaged("a map with more options than bytes");
    FlexOptions out;
    for (std::size_t i = 0; i < count; ++i) {
      const auto type = file_->read<std::uint8_t>(values + count * step + i, "the kind of an option");
      out[text(follow(keys + i * key_step, key_step))] = value(values + i * step, step, type);
    }
    return out;
  }

 private:
  std::uint64_t number(std::size_t at, std::size_t width) const {
    file_->need(at, width, "an option");
    std::uint64_t out = 0;
    std::memcpy(&out, file_->bytes.data() + at, width);
    return out;
  }

  std::size_t follow(std::size_t at, std::size_t width) const {  // offsets point backwards
    const std::uint64_t back = number(at, width);
    if (back > at) file_->damaged("an option points outside");
    return at - back;
  }

  std::string text(std::size_t at) const {
    const auto rest = file_->bytes.subspan(at);
    return {rest.begin(), std::find(rest.begin(), rest.end(), 0)};
  }

  double scalar(std::size_t at, std::size_t width, int kind) const {
    const std::uint64_t raw = number(at, width);
    if (kind == kUint) return static_cast<double>(raw);
    if (kind == kInt) {
      const int unused = 64 - 8 * static_cast<int>(width);
      return static_cast<double>(static_cast<std::int64_t>(raw << unused) >> unused);
    }
    if (width == 4) return file_->read<float>(at, "an option");
    if (width == 8) return file_->read<double>(at, "an option");
    file_->damaged("an option in half precision");
  }

  std::vector<double> value(std::size_t at, std::size_t width, int type) const {
    const int kind = type >> 2;
    if (kind == kInt || kind == kUint || kind == kFloat) return {scalar(at, width, kind)};
    if (kind != kVector && kind != kIntVector && kind != kUintVector && kind != kFloatVector) return {};
    const std::size_t first = follow(at, width), step = std::size_t{1} << (type & 3);
    if (first < step) file_->damaged("a list of options without a length");
    const std::size_t count = number(first - step, step);
    if (count > file_->bytes.size()) file_->damaged("a list longer than the options");
    std::vector<double> out;
    for (std::size_t i = 0; i < count; ++i) {
      const int element =
          kind == kVector ? file_->read<std::uint8_t>(first + count * step + i, "a kind") >> 2 : kind - 10;
      if (element != kInt && element != kUint && element != kFloat) return {};
      out.push_back(scalar(first + i * step, step, element));
    }
    return out;
  }

  const FileBytes* file_;
};

}  // namespace

FlexOptions read_flex_options(const FileBytes& file) {
  return FlexReader(file).map();
}

}  // namespace mien
