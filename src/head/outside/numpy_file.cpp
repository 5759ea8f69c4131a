// NumPy's own files: .npy (one array) and .npz (a zip archive of them).
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "head/outside/number_table.h"
#include "mien/base/error.h"

namespace mien::outside {
namespace {

using Bytes = std::span<const std::uint8_t>;

[[noreturn]] void damaged(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: {}", where, what), "the file is damaged: fetch it again");
}

std::uint32_t number(Bytes bytes, std::size_t at, int size, const std::string& where) {
  if (at + static_cast<std::size_t>(size) > bytes.size()) damaged(where, "it ends too early");
  std::uint32_t value = 0;
  for (int i = size; i-- > 0;) value = value << 8 | bytes[at + static_cast<std::size_t>(i)];
  return value;
}

// What follows "'key':" in the header, a Python dict in words.
std::string_view header_value(std::string_view header, std::string_view key, const std::string& where) {
  const std::size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) damaged(where, fmt::format("no \"{}\" in its header", key));
  std::string_view value = header.substr(at + key.size() + 3);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  return value;
}

std::vector<std::uint8_t> inflated(Bytes packed, std::size_t size, const std::string& where) {
  // Deflate packs at most 1032 to 1, so a size beyond that is a lie; checked before anything is allocated.
  if (size / 1040 > packed.size() + 1) damaged(where, fmt::format("{} bytes packed into {}", size, packed.size()));
  std::vector<std::uint8_t> out(size);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw Error(ErrorCode::kInternal, "zlib does not start");
  stream.next_in = const_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (result != Z_STREAM_END || stream.avail_out != 0) damaged(where, "a packed part does not unpack");
  return out;
}

}  // namespace

NumberArray read_npy(Bytes bytes, const std::string& where) {
  if (bytes.size() < 10 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0) damaged(where, "no NumPy array");
  const int version = bytes[6];
  if (version < 1 || version > 3)
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: .npy version {}", where, version));
  const std::size_t start = version == 1 ? 10 : 12;
  const std::size_t length = number(bytes, 8, version == 1 ? 2 : 4, where);
  if (start > bytes.size() || length > bytes.size() - start) damaged(where, "its header is longer than the file");
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + start, length);
  const std::string_view type = header_value(header, "descr", where);
  if (type.size() < 2 || type[0] != '\'') damaged(where, "an array of records");
  const bool column_major = header_value(header, "fortran_order", where).starts_with("True");
  std::string_view text = header_value(header, "shape", where);
  if (!text.starts_with('(')) damaged(where, "its header has no shape");
  std::vector<std::int64_t> shape;
  for (text.remove_prefix(1); !text.empty() && text.front() != ')';) {
    if (text.front() == ' ' || text.front() == ',') {
      text.remove_prefix(1);
      continue;
    }
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || shape.size() == 8) damaged(where, "its shape is no list of numbers");
    shape.push_back(n);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  return decode_array(bytes.subspan(start + length), type.substr(1, type.find('\'', 1) - 1), std::move(shape),
                      column_major, where);
}

// The central directory at the end of the archive names each member, its sizes and where it starts (APPNOTE 4.3.12).
NumberTable read_npz(Bytes bytes, const std::string& where) {
  constexpr std::size_t kEndSize = 22, kEntrySize = 46, kLocalSize = 30;
  std::size_t end = bytes.size();
  const std::size_t lowest = bytes.size() > kEndSize + 65535 ? bytes.size() - kEndSize - 65535 : 0;
  for (std::size_t at = bytes.size() < kEndSize ? 0 : bytes.size() - kEndSize + 1; at-- > lowest;) {
    if (number(bytes, at, 4, where) == 0x06054b50) {
      end = at;
      break;
    }
  }
  if (end + kEndSize > bytes.size()) damaged(where, "a zip archive without its list of members");
  const std::uint32_t count = number(bytes, end + 10, 2, where);
  std::size_t at = number(bytes, end + 16, 4, where);
  NumberTable table;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (number(bytes, at, 4, where) != 0x02014b50) damaged(where, "its list of members is broken");
    const std::uint32_t method = number(bytes, at + 10, 2, where), packed = number(bytes, at + 20, 4, where),
                        size = number(bytes, at + 24, 4, where), name_size = number(bytes, at + 28, 2, where),
                        skip = number(bytes, at + 30, 2, where) + number(bytes, at + 32, 2, where),
                        local = number(bytes, at + 42, 4, where);
    if (at + kEntrySize + name_size > bytes.size()) damaged(where, "its list of members is broken");
    std::string name(reinterpret_cast<const char*>(bytes.data()) + at + kEntrySize, name_size);
    at += kEntrySize + name_size + skip;
    const std::size_t start = std::size_t{local} + kLocalSize + number(bytes, std::size_t{local} + 26, 2, where) +
                              number(bytes, std::size_t{local} + 28, 2, where);
    if (start > bytes.size() || packed > bytes.size() - start) damaged(where, "a member reaches beyond the file");
    if (!name.ends_with(".npy")) continue;
    name.resize(name.size() - 4);
    const Bytes raw = bytes.subspan(start, packed);
    const std::string member = where + ": " + name;
    try {
      if (method == 0) {
        table[name] = read_npy(raw, member);
      } else if (method == 8) {
        table[name] = read_npy(inflated(raw, size, member), member);
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;  // an array of Python objects or text: of no use here
    }
  }
  return table;
}

}  // namespace mien::outside
