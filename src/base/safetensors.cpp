#include "mien/base/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"

namespace fs = std::filesystem;

namespace mien {
namespace {

constexpr std::uint64_t kMaxHeader = 100u << 20;  // the format's own limit

struct DTypeInfo {
  DType dtype;
  const char* name;
  std::size_t size;
};
constexpr DTypeInfo kDTypes[] = {{DType::kU8, "U8", 1},   {DType::kI16, "I16", 2}, {DType::kI32, "I32", 4},
                                 {DType::kI64, "I64", 8}, {DType::kF16, "F16", 2}, {DType::kF32, "F32", 4},
                                 {DType::kF64, "F64", 8}};

[[noreturn]] void damaged(const fs::path& path, const std::string& what) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: not a usable safetensors file: {}", path.string(), what),
              "the file is damaged or truncated; copy or make it again");
}

template <typename T>
T load(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename Out>
Out element(const TensorView& view, std::int64_t i) {
  switch (view.dtype) {
    case DType::kU8:
      return static_cast<Out>(view.data[i]);
    case DType::kI16:
      return static_cast<Out>(load<std::int16_t>(view.data + 2 * i));
    case DType::kI32:
      return static_cast<Out>(load<std::int32_t>(view.data + 4 * i));
    case DType::kI64:
      return static_cast<Out>(load<std::int64_t>(view.data + 8 * i));
    case DType::kF16:
      return static_cast<Out>(half_to_float(load<std::uint16_t>(view.data + 2 * i)));
    case DType::kF32:
      return static_cast<Out>(load<float>(view.data + 4 * i));
    case DType::kF64:
      return static_cast<Out>(load<double>(view.data + 8 * i));
  }
  return Out{};
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace

std::size_t dtype_size(DType dtype) {
  return std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const auto& d) { return d.dtype == dtype; })->size;
}
const char* dtype_name(DType dtype) {
  return std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const auto& d) { return d.dtype == dtype; })->name;
}

std::int64_t TensorView::count() const {
  return static_cast<std::int64_t>(bytes / dtype_size(dtype));
}

struct SafetensorsFile::Impl {
  fs::path path;
  std::uint8_t* map = nullptr;
  std::size_t size = 0;
  std::map<std::string, std::string> metadata;
  std::map<std::string, TensorView> tensors;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (map != nullptr) ::munmap(map, size);
  }
  void parse();
  void parse_tensor(const std::string& name, const Json& entry, std::uint64_t data_begin);
};

SafetensorsFile SafetensorsFile::open(const fs::path& path) {
  auto impl = std::make_shared<Impl>();
  impl->path = path;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: cannot open ({})", path.string(), std::strerror(errno)),
                "check the path");
  }
  struct stat status {};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  impl->size = regular ? static_cast<std::size_t>(status.st_size) : 0;
  void* map = impl->size >= 8 ? ::mmap(nullptr, impl->size, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
  ::close(descriptor);
  if (map == MAP_FAILED) damaged(path, regular ? fmt::format("{} bytes long", impl->size) : "not a regular file");
  impl->map = static_cast<std::uint8_t*>(map);
  impl->parse();
  SafetensorsFile file;
  file.impl_ = std::move(impl);
  return file;
}

void SafetensorsFile::Impl::parse() {
  const auto header_bytes = load<std::uint64_t>(map);
  if (header_bytes > kMaxHeader || header_bytes > size - 8) {
    damaged(path, fmt::format("header of {} bytes in a file of {}", header_bytes, size));
  }
  const char* text = reinterpret_cast<const char*>(map) + 8;
  const Json header = Json::parse(text, text + header_bytes, nullptr, false);
  if (!header.is_object()) damaged(path, "its header is not a JSON object");
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      parse_tensor(name, entry, 8 + header_bytes);
    } else if (entry.is_object()) {
      for (const auto& [key, value] : entry.items()) {
        if (value.is_string()) metadata[key] = value.get<std::string>();
      }
    }
  }
  std::vector<std::pair<const std::uint8_t*, std::size_t>> spans;
  spans.reserve(tensors.size());
  for (const auto& [name, view] : tensors) spans.emplace_back(view.data, view.bytes);
  std::sort(spans.begin(), spans.end());
  for (std::size_t i = 1; i < spans.size(); ++i) {
    if (spans[i - 1].first + spans[i - 1].second > spans[i].first) damaged(path, "tensors overlap");
  }
}

void SafetensorsFile::Impl::parse_tensor(const std::string& name, const Json& entry, std::uint64_t data_begin) {
  const auto bad = [&](const std::string& why) { damaged(path, fmt::format("tensor \"{}\": {}", name, why)); };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets") ||
      !entry["dtype"].is_string() || !entry["shape"].is_array() || !entry["data_offsets"].is_array() ||
      entry["data_offsets"].size() != 2) {
    bad("incomplete header entry");
  }
  const auto type_name = entry["dtype"].get<std::string>();
  const auto* type =
      std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const auto& d) { return type_name == d.name; });
  if (type == std::end(kDTypes)) bad(fmt::format("unknown element type {}", type_name));
  const std::uint64_t available = size - data_begin;
  TensorView view;
  view.dtype = type->dtype;
  std::uint64_t count = 1;
  for (const Json& extent : entry["shape"]) {
    if (!extent.is_number_unsigned()) bad("a negative or fractional extent");
    const auto n = extent.get<std::uint64_t>();
    if (n != 0 && count > available / n) bad("its shape is larger than the file");  // also guards the multiplication
    count *= n;
    view.shape.push_back(static_cast<std::int64_t>(n));
  }
  for (const Json& offset : entry["data_offsets"]) {
    if (!offset.is_number_unsigned()) bad("a negative or fractional offset");
  }
  const auto begin = entry["data_offsets"][0].get<std::uint64_t>();
  const auto end = entry["data_offsets"][1].get<std::uint64_t>();
  if (begin > end || end > available) bad(fmt::format("bytes {} to {} of {} available", begin, end, available));
  if (end - begin != count * type->size) {
    bad(fmt::format("{} bytes for shape {} of {}", end - begin, shape_text(view.shape), type->name));
  }
  view.data = map + data_begin + begin;
  view.bytes = end - begin;
  tensors[name] = std::move(view);
}

const fs::path& SafetensorsFile::path() const {
  return impl_->path;
}
const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return impl_->metadata;
}
bool SafetensorsFile::contains(const std::string& name) const {
  return impl_->tensors.count(name) != 0;
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, view] : impl_->tensors) names.push_back(name);
  return names;
}

TensorView SafetensorsFile::view(const std::string& name) const {
  const auto found = impl_->tensors.find(name);
  if (found == impl_->tensors.end()) damaged(impl_->path, fmt::format("tensor \"{}\" is missing", name));
  return found->second;
}

namespace {

TensorView checked(const SafetensorsFile& file, const std::string& name, const std::vector<std::int64_t>& shape) {
  TensorView view = file.view(name);
  bool match = view.shape.size() == shape.size();
  for (std::size_t i = 0; match && i < shape.size(); ++i) match = shape[i] == -1 || shape[i] == view.shape[i];
  if (!match) {
    damaged(file.path(),
            fmt::format("tensor \"{}\" has shape {}, wanted {}", name, shape_text(view.shape), shape_text(shape)));
  }
  return view;
}

}  // namespace

std::vector<float> SafetensorsFile::floats(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const TensorView view = checked(*this, name, shape);
  std::vector<float> values(static_cast<std::size_t>(view.count()));
  if (view.dtype == DType::kF32) {
    if (!values.empty()) std::memcpy(values.data(), view.data, view.bytes);
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = element<float>(view, static_cast<std::int64_t>(i));
  }
  return values;
}

std::vector<std::int32_t> SafetensorsFile::ints(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const TensorView view = checked(*this, name, shape);
  if (view.dtype == DType::kF16 || view.dtype == DType::kF32 || view.dtype == DType::kF64) {
    damaged(impl_->path, fmt::format("tensor \"{}\" is {}, wanted integers", name, dtype_name(view.dtype)));
  }
  std::vector<std::int32_t> values(static_cast<std::size_t>(view.count()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = element<std::int64_t>(view, static_cast<std::int64_t>(i));
    if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max()) {
      damaged(impl_->path, fmt::format("tensor \"{}\" holds {}, beyond 32 bits", name, value));
    }
    values[i] = static_cast<std::int32_t>(value);
  }
  return values;
}

std::vector<std::uint8_t> SafetensorsFile::bytes(const std::string& name) const {
  const TensorView view = this->view(name);
  return {view.data, view.data + view.bytes};
}

void SafetensorsWriter::metadata(const std::string& key, const std::string& value) {
  metadata_[key] = value;
}

void SafetensorsWriter::add_entry(const std::string& name, DType dtype, std::vector<std::int64_t> shape,
                                  std::vector<std::uint8_t> bytes) {
  std::size_t count = 1;
  for (const std::int64_t n : shape) count *= static_cast<std::size_t>(n);
  MIEN_CHECK(count * dtype_size(dtype) == bytes.size(), "tensor {} shape {} bytes {}", name, shape_text(shape),
             bytes.size());
  entries_[name] = Entry{dtype, std::move(shape), std::move(bytes)};
}

void SafetensorsWriter::add(const std::string& name, std::vector<std::int64_t> shape, std::span<const float> values) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(values.data());
  add_entry(name, DType::kF32, std::move(shape), {at, at + values.size_bytes()});
}

void SafetensorsWriter::add_half(const std::string& name, std::vector<std::int64_t> shape,
                                 std::span<const float> values) {
  std::vector<std::uint8_t> bytes(values.size() * 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = float_to_half(values[i]);
    std::memcpy(bytes.data() + 2 * i, &half, 2);
  }
  add_entry(name, DType::kF16, std::move(shape), std::move(bytes));
}

void SafetensorsWriter::add(const std::string& name, std::vector<std::int64_t> shape,
                            std::span<const std::int32_t> values) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(values.data());
  add_entry(name, DType::kI32, std::move(shape), {at, at + values.size_bytes()});
}

void SafetensorsWriter::add(const std::string& name, std::span<const std::uint8_t> bytes) {
  add_entry(name, DType::kU8, {static_cast<std::int64_t>(bytes.size())}, {bytes.begin(), bytes.end()});
}

void SafetensorsWriter::write(const fs::path& path) const {
  Json header = Json::object();
  if (!metadata_.empty()) header["__metadata__"] = metadata_;
  // Wide elements first, so that every tensor is aligned to its element size without padding.
  std::vector<std::pair<std::string, const Entry*>> order;
  order.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) order.emplace_back(name, &entry);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return dtype_size(a.second->dtype) > dtype_size(b.second->dtype);
  });
  std::size_t offset = 0;
  for (const auto& [name, entry] : order) {
    header[name] = {{"dtype", dtype_name(entry->dtype)},
                    {"shape", entry->shape},
                    {"data_offsets", {offset, offset + entry->bytes.size()}}};
    offset += entry->bytes.size();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t header_bytes = text.size();
  AtomicFile file(path);
  file.write(&header_bytes, 8);
  file.write(text);
  for (const auto& [name, entry] : order) file.write(entry->bytes.data(), entry->bytes.size());
  file.commit();
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 0xffu : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;   // NaN
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // rounds to infinity
  if (magnitude < 0x38800000u) {                        // subnormal: the rounding is that of the float addition
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign |
           static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f));
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);  // to nearest, ties to even
  return sign | static_cast<std::uint16_t>((rounded - 0x38000000u) >> 13);
}

}  // namespace mien
