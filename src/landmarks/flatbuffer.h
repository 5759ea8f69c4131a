// Tables of a FlatBuffers file, read where they lie. The file may be hostile: every offset and length is checked
// against it before use, and what points outside throws kBadFile. Format: the FlatBuffers "internals" page; little
// endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mien {

// Bytes with a name for errors. The bytes must outlive all that is read from them.
struct FileBytes {
  std::span<const std::uint8_t> bytes;
  std::string name;

  [[noreturn]] void damaged(const std::string& what) const;  // throws kBadFile
  void need(std::size_t offset, std::size_t size, const char* what) const {
    if (offset > bytes.size() || size > bytes.size() - offset) damaged(std::string(what) + " lies outside the file");
  }
  template <typename T>
  T read(std::size_t offset, const char* what) const {
    need(offset, sizeof(T), what);
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
  }
};

// One table. Fields are known by their place in the schema, 0 first; an absent scalar has the schema's default.
class FlatTable {
 public:
  static FlatTable root(const FileBytes& file);

  template <typename T>
  T scalar(int field, T fallback) const {
    const std::size_t at = position(field);
    return at == 0 ? fallback : file_->read<T>(at, "a field");
  }
  std::optional<FlatTable> table(int field) const;  // empty when absent
  std::vector<FlatTable> tables(int field) const;   // a vector of tables; empty when absent
  std::span<const std::uint8_t> bytes(int field) const;
  std::vector<std::int32_t> ints(int field) const;
  std::string text(int field) const;

 private:
  FlatTable(const FileBytes& file, std::size_t offset);
  std::size_t position(int field) const;  // of the field in the file; 0 when absent
  // Of a vector: where its elements begin, and how many there are; checked.
  struct Elements {
    std::size_t offset = 0, count = 0;
  };
  Elements elements(int field, std::size_t element_size) const;

  const FileBytes* file_;
  std::size_t offset_ = 0, fields_ = 0;  // of the table, of its list of fields
  std::size_t fields_size_ = 0;          // bytes of that list
};

}  // namespace mien
