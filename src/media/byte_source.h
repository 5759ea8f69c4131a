// Bytes from a file or from standard input, with a look ahead that consumes nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace mien::media {

// Not thread-safe; movable so that a decoder can own it.
class ByteSource {
 public:
  // "-" is standard input. Throws kNotFound, kBadFile for a folder, kIo.
  explicit ByteSource(const std::filesystem::path& path);
  ~ByteSource();
  ByteSource(ByteSource&& other) noexcept;
  ByteSource& operator=(ByteSource&&) = delete;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  // The first `bytes` bytes of the source, fewer when it is shorter. Only before the first read(). The span is valid
  // until the next call. On a pipe it waits for no more than it was asked for.
  std::span<const std::uint8_t> peek(std::size_t bytes);
  // Fills `to`; short only at the end. Throws kIo.
  std::size_t read(std::span<std::uint8_t> to);
  void seek(std::uint64_t position);  // only when seekable()
  // Copies the rest of a pipe to an unnamed temporary file, so that it can be seeked. Only before the first read().
  void make_seekable();

  bool seekable() const { return seekable_; }
  std::uint64_t size() const { return size_; }  // 0 when not seekable
  std::uint64_t position() const { return position_; }
  const std::string& name() const { return name_; }  // for messages

 private:
  std::size_t read_descriptor(std::uint8_t* to, std::size_t bytes);

  std::string name_;
  int descriptor_ = -1;
  bool owned_ = false;
  bool seekable_ = false;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
  std::vector<std::uint8_t> head_;  // what peek() has taken from a pipe
};

}  // namespace mien::media
