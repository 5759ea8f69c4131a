#include "byte_tensors.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr float kMiddle = 128, kRange = 127;
constexpr double kWidest = 8;  // root mean squares

}  // namespace

void add_bytes(SafetensorsWriter& writer, const std::string& name, std::int64_t rows, std::int64_t columns,
               const std::vector<float>& values) {
  MIEN_CHECK(values.size() == static_cast<std::size_t>(rows * columns), "{}: {} values for {} x {}", name,
             values.size(), rows, columns);
  const auto width = static_cast<std::size_t>(columns);
  std::vector<float> scale(width, 0.0f);
  std::vector<double> squares(width, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    scale[i % width] = std::max(scale[i % width], std::abs(values[i]));
    squares[i % width] += double{values[i]} * values[i];
  }
  for (std::size_t c = 0; c < width; ++c) {
    const double mean = squares[c] / static_cast<double>(std::max<std::int64_t>(rows, 1));
    scale[c] = std::min(scale[c], static_cast<float>(kWidest * std::sqrt(mean))) / kRange;
  }
  std::vector<std::uint8_t> bytes(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float step = scale[i % width];
    const float value = step > 0 ? std::round(values[i] / step) : 0.0f;
    bytes[i] = static_cast<std::uint8_t>(kMiddle + std::clamp(value, -kRange, kRange));
  }
  writer.add(name, bytes);
  writer.add(name + ".scale", {columns}, scale);
}

std::vector<float> read_bytes(const SafetensorsFile& file, const std::string& name, std::int64_t rows,
                              std::int64_t columns) {
  std::vector<float> values = file.floats(name, {rows * columns});
  const std::vector<float> scale = file.floats(name + ".scale", {columns});
  if (!std::all_of(scale.begin(), scale.end(), [](float s) { return std::isfinite(s); })) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: {}.scale holds values that are not numbers", file.path().string(), name),
                "the file is damaged; copy or make it again");
  }
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = (values[i] - kMiddle) * scale[i % scale.size()];
  return values;
}

}  // namespace mien
