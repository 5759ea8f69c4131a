#include "field_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "mien/base/error.h"
#include "mien/field_avatar/deformation.h"

namespace mien {
namespace {

constexpr std::array<std::pair<const char*, FieldLatents>, 3> kLatents = {
    {{"none", FieldLatents::kNone}, {"global", FieldLatents::kGlobal}, {"local", FieldLatents::kLocal}}};

struct Tensor {
  const char* name;
  std::vector<float> FieldParameters<float>::*member;
};
constexpr Tensor kTensors[] = {{"field.table", &FieldParameters<float>::table},
                               {"field.density", &FieldParameters<float>::density},
                               {"field.offset", &FieldParameters<float>::offset},
                               {"field.colour", &FieldParameters<float>::colour},
                               {"field.latents", &FieldParameters<float>::latents}};

}  // namespace

Json field_json(const FieldAvatar& field) {
  const FieldSettings& s = field.settings;
  Json json = {{"levels", s.grid.levels},
               {"features", s.grid.features},
               {"log2_table", s.grid.log2_table},
               {"coarsest", s.grid.coarsest},
               {"finest", s.grid.finest},
               {"density_offset", s.density_offset},
               {"limit", s.limit},
               {"step", s.step},
               {"occupancy", s.occupancy}};
  for (const auto& [name, latents] : kLatents) {
    if (latents == s.latents) json["latents"] = name;
  }
  return json;
}

void save_field(const FieldAvatar& field, SafetensorsWriter& writer) {
  for (const Tensor& tensor : kTensors) {
    const std::vector<float>& values = field.parameters.*tensor.member;
    writer.add_half(tensor.name, {static_cast<std::int64_t>(values.size())}, values);
  }
  writer.add_half("field.reach", {static_cast<std::int64_t>(field.reach.size())}, field.reach);
  std::vector<std::uint8_t> bits(field.occupied.size() * 4);
  for (std::size_t i = 0; i < bits.size(); ++i)
    bits[i] = static_cast<std::uint8_t>(field.occupied[i / 4] >> (8 * (i % 4)));
  writer.add("field.occupied", bits);
}

FieldAvatar load_field(const SafetensorsFile& file, const Json& header, int appearances) {
  const std::string where = file.path().string();
  const Json json = get_field<Json>(header, "field", where);
  FieldSettings s;
  s.grid.levels = get_field<int>(json, "levels", where);
  s.grid.features = get_field<int>(json, "features", where);
  s.grid.log2_table = get_field<int>(json, "log2_table", where);
  s.grid.coarsest = get_field<int>(json, "coarsest", where);
  s.grid.finest = get_field<int>(json, "finest", where);
  s.density_offset = get_field<bool>(json, "density_offset", where);
  s.limit = get_field<float>(json, "limit", where);
  s.step = get_field<float>(json, "step", where);
  s.occupancy = get_field<int>(json, "occupancy", where);
  const auto latents = get_field<std::string>(json, "latents", where);
  const auto* found =
      std::find_if(kLatents.begin(), kLatents.end(), [&](const auto& entry) { return entry.first == latents; });
  if (found == kLatents.end()) throw_bad_field("latents", where, fmt::format("is \"{}\"", latents));
  s.latents = found->second;
  FieldAvatar field;
  try {
    // Sizes before memory: the header may say anything, the file holds what it holds.
    const std::int64_t table = HashGrid(s.grid).parameters();
    if (file.view("field.table").count() != table)
      throw_bad_field("field.table", where,
                      fmt::format("holds {} values, not {}", file.view("field.table").count(), table));
    field = make_field_avatar(HeadModel::load(file, "head."), s, appearances, 1);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kBadFile) throw;
    throw_bad_field("field", where, error.what());
  }
  for (const Tensor& tensor : kTensors) {
    std::vector<float>& values = field.parameters.*tensor.member;
    values = file.floats(tensor.name, {static_cast<std::int64_t>(values.size())});
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      throw_bad_field(tensor.name, where, "holds values that are not numbers");
  }
  field.reach = file.floats("field.reach", {static_cast<std::int64_t>(field.reach.size())});
  if (!std::all_of(field.reach.begin(), field.reach.end(), [](float v) { return v >= 0 && v <= 1.01f; }))
    throw_bad_field("field.reach", where, "is not between 0 and 1 m");
  const std::vector<std::uint8_t> bits = file.bytes("field.occupied");
  if (bits.size() != field.occupied.size() * 4)
    throw_bad_field("field.occupied", where,
                    fmt::format("holds {} bytes, not {}", bits.size(), field.occupied.size() * 4));
  std::fill(field.occupied.begin(), field.occupied.end(), 0u);
  for (std::size_t i = 0; i < bits.size(); ++i)
    field.occupied[i / 4] |= static_cast<std::uint32_t>(bits[i]) << (8 * (i % 4));
  return field;
}

}  // namespace mien
