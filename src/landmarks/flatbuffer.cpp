#include "landmarks/flatbuffer.h"

#include "mien/base/error.h"

namespace mien {

void FileBytes::damaged(const std::string& what) const {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: damaged network: {}", name, what),
              "fetch it again: remove the file's folder and run scripts/setup");
}

FlatTable FlatTable::root(const FileBytes& file) {
  return {file, file.read<std::uint32_t>(0, "the root")};
}

FlatTable::FlatTable(const FileBytes& file, std::size_t offset) : file_(&file), offset_(offset) {
  const auto back = file.read<std::int32_t>(offset, "a table");
  const auto fields = static_cast<std::int64_t>(offset) - back;
  if (fields < 0) file.damaged("the fields of a table lie outside the file");
  fields_ = static_cast<std::size_t>(fields);
  fields_size_ = file.read<std::uint16_t>(fields_, "the fields of a table");
  if (fields_size_ < 4) file.damaged("a table has a list of fields that is too short");
  file.need(fields_, fields_size_, "the fields of a table");
  file.need(offset, file.read<std::uint16_t>(fields_ + 2, "the size of a table"), "a table");
}

std::size_t FlatTable::position(int field) const {
  const std::size_t entry = 4 + 2 * static_cast<std::size_t>(field);
  if (entry + 2 > fields_size_) return 0;
  const auto offset = file_->read<std::uint16_t>(fields_ + entry, "a field");
  return offset == 0 ? 0 : offset_ + offset;
}

FlatTable::Elements FlatTable::elements(int field, std::size_t element_size) const {
  const std::size_t at = position(field);
  if (at == 0) return {};
  const std::size_t vector = at + file_->read<std::uint32_t>(at, "a vector");
  const std::size_t count = file_->read<std::uint32_t>(vector, "a vector");
  file_->need(vector + 4, count * element_size, "a vector");  // 32-bit count: the product cannot overflow
  return {vector + 4, count};
}

std::optional<FlatTable> FlatTable::table(int field) const {
  const std::size_t at = position(field);
  if (at == 0) return std::nullopt;
  return FlatTable(*file_, at + file_->read<std::uint32_t>(at, "a table"));
}

std::vector<FlatTable> FlatTable::tables(int field) const {
  const Elements list = elements(field, 4);
  std::vector<FlatTable> out;
  out.reserve(list.count);
  for (std::size_t i = 0; i < list.count; ++i) {
    const std::size_t at = list.offset + 4 * i;
    out.push_back(FlatTable(*file_, at + file_->read<std::uint32_t>(at, "a table")));
  }
  return out;
}

std::span<const std::uint8_t> FlatTable::bytes(int field) const {
  const Elements list = elements(field, 1);
  return file_->bytes.subspan(list.offset, list.count);
}

std::vector<std::int32_t> FlatTable::ints(int field) const {
  const Elements list = elements(field, 4);
  std::vector<std::int32_t> out(list.count);
  if (!out.empty()) std::memcpy(out.data(), file_->bytes.data() + list.offset, 4 * list.count);
  return out;
}

std::string FlatTable::text(int field) const {
  const std::span<const std::uint8_t> raw = bytes(field);
  return {raw.begin(), raw.end()};
}

}  // namespace mien
