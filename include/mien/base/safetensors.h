// safetensors: the one container for tensors on disk (https://github.com/huggingface/safetensors, format section).
// Files from outside are hostile: every size is checked against the file before anything is allocated.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mien {

enum class DType { kU8, kI16, kI32, kI64, kF16, kF32, kF64 };
std::size_t dtype_size(DType dtype);
const char* dtype_name(DType dtype);  // "U8", "F16", ... as in the format

// One tensor inside an open file: a view of mapped memory, valid while the file lives. Row-major.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  const std::uint8_t* data = nullptr;
  std::size_t bytes = 0;
  std::int64_t count() const;
};

// A memory-mapped, read-only file. Cheap to copy (shared mapping); safe to read from several threads.
class SafetensorsFile {
 public:
  // Throws kNotFound; kBadFile for damage: header too long, offsets outside the file, overlaps, shape x dtype != bytes.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const;
  const std::map<std::string, std::string>& metadata() const;
  std::vector<std::string> names() const;
  bool contains(const std::string& name) const;
  TensorView view(const std::string& name) const;  // throws kBadFile naming the missing tensor

  // Reads as float, converting F16/F64/I*/U8. `shape` must match; -1 accepts any extent. Throws kBadFile otherwise.
  std::vector<float> floats(const std::string& name, const std::vector<std::int64_t>& shape) const;
  // Integer tensors (U8, I16, I32, I64) as int32; values out of range throw.
  std::vector<std::int32_t> ints(const std::string& name, const std::vector<std::int64_t>& shape) const;
  std::vector<std::uint8_t> bytes(const std::string& name) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

// Collects tensors, then writes the file atomically. Tensors are copied in.
class SafetensorsWriter {
 public:
  void metadata(const std::string& key, const std::string& value);
  void add(const std::string& name, std::vector<std::int64_t> shape, std::span<const float> values);
  void add_half(const std::string& name, std::vector<std::int64_t> shape, std::span<const float> values);  // stored F16
  void add(const std::string& name, std::vector<std::int64_t> shape, std::span<const std::int32_t> values);
  void add(const std::string& name, std::span<const std::uint8_t> bytes);  // shape [n]
  void write(const std::filesystem::path& path) const;

 private:
  struct Entry {
    DType dtype;
    std::vector<std::int64_t> shape;
    std::vector<std::uint8_t> bytes;
  };
  void add_entry(const std::string& name, DType dtype, std::vector<std::int64_t> shape,
                 std::vector<std::uint8_t> bytes);
  std::map<std::string, std::string> metadata_;
  std::map<std::string, Entry> entries_;
};

float half_to_float(std::uint16_t half);
std::uint16_t float_to_half(float value);

}  // namespace mien
