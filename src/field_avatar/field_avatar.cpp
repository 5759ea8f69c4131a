#include "mien/field_avatar/field_avatar.h"

#include <algorithm>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/field_avatar/deformation.h"

namespace mien {
namespace {

constexpr int kWidth = 64;

void check_settings(const FieldSettings& settings, int appearances) {
  const auto refuse = [](const std::string& what, const char* mend) {
    throw Error(ErrorCode::kBadArgument, "field avatar: " + what, mend);
  };
  if (appearances < 1 || appearances > 1000) refuse(fmt::format("{} appearances", appearances), "use 1 to 1000");
  if (!(settings.limit >= 0.001f && settings.limit <= 1))
    refuse(fmt::format("limit of {} m", settings.limit), "use 0.001 to 1");
  if (!(settings.step >= 1e-4f && settings.step <= 0.1f))
    refuse(fmt::format("step of {} m", settings.step), "use 0.0001 to 0.1");
  if (settings.occupancy < 8 || settings.occupancy > 512)
    refuse(fmt::format("{} cells a side", settings.occupancy), "use 8 to 512");
}

}  // namespace

FieldShape field_shape(const FieldAvatar& avatar) {
  const FieldSettings& s = avatar.settings;
  FieldShape shape;
  shape.grid = HashGrid(s.grid);
  const int condition = avatar.head.expression_count() + kFieldGaze;
  shape.has_latents = s.latents != FieldLatents::kNone;
  shape.has_offset = shape.has_latents && s.density_offset;
  shape.density = {.inputs = shape.grid.outputs(),
                   .shared = condition,
                   .outputs = kFieldFeatures,
                   .width = kWidth,
                   .hidden = 1,
                   .bias = false};
  shape.offset = {.inputs = kFieldLatent,
                  .shared = condition,
                  .outputs = kFieldFeatures,
                  .width = kWidth,
                  .hidden = 1,
                  .bias = false};
  shape.colour = {.inputs = kFieldFeatures + kFieldDirection + kFieldLatent,
                  .shared = 0,
                  .outputs = 3,
                  .width = kWidth,
                  .hidden = 2,
                  .bias = false};
  shape.appearances = avatar.appearances;
  shape.rows = s.latents == FieldLatents::kLocal ? avatar.head.vertex_count() : 1;
  return shape;
}

FieldAvatar make_field_avatar(const HeadModel& head, const FieldSettings& settings, int appearances,
                              std::uint64_t seed) {
  check_settings(settings, appearances);
  FieldAvatar avatar;
  avatar.head = head;
  avatar.settings = settings;
  avatar.appearances = appearances;
  const FieldShape shape = field_shape(avatar);
  FieldParameters<float>& p = avatar.parameters;
  Random random(seed, 17);
  p.table.resize(static_cast<std::size_t>(shape.grid.parameters()));
  shape.grid.initialise(p.table, random);
  const auto make = [&random](const MlpShape& mlp, std::vector<float>& weights, float last) {
    weights.resize(static_cast<std::size_t>(mlp.parameters()));
    initialise_mlp(mlp, weights, random, last);
  };
  make(shape.density, p.density, 1);
  if (shape.has_offset) make(shape.offset, p.offset, 0.1f);
  make(shape.colour, p.colour, 1);
  p.latents.assign(static_cast<std::size_t>(shape.appearances) * shape.rows * kFieldLatent, 0.0f);
  // Every vertex of an appearance starts alike: what is never seen then still looks like its appearance.
  for (int a = 0; a < appearances && shape.has_latents; ++a) {
    std::array<float, kFieldLatent> code = {};
    for (float& v : code) v = 0.3f * random.normal();
    for (int r = 0; r < shape.rows; ++r)
      std::copy(code.begin(), code.end(),
                p.latents.begin() + (static_cast<std::ptrdiff_t>(a) * shape.rows + r) * kFieldLatent);
  }
  const auto cells = static_cast<std::size_t>(settings.occupancy) * settings.occupancy * settings.occupancy;
  avatar.occupied.assign((cells + 31) / 32, ~0u);
  avatar.reach.assign(CanonicalHead(head).faces().size(), settings.limit);
  return avatar;
}

std::vector<float> field_condition(const HeadModel& head, const MotionFrame& frame) {
  std::vector<float> out(static_cast<std::size_t>(head.expression_count()) + kFieldGaze, 0.0f);
  std::copy_n(frame.expression.begin(), std::min(frame.expression.size(), out.size() - kFieldGaze), out.begin());
  float* gaze = out.data() + head.expression_count();
  std::copy(frame.pose.gaze_left.begin(), frame.pose.gaze_left.end(), gaze);
  std::copy(frame.pose.gaze_right.begin(), frame.pose.gaze_right.end(), gaze + 2);
  return out;
}

std::vector<float> mix_latents(const FieldAvatar& avatar, std::span<const float> weights) {
  const std::vector<float>& all = avatar.parameters.latents;
  const std::size_t size = all.size() / static_cast<std::size_t>(avatar.appearances);
  std::vector<float> out(size, 0.0f);
  for (std::size_t a = 0; a < weights.size() && a < static_cast<std::size_t>(avatar.appearances); ++a) {
    if (weights[a] == 0) continue;
    for (std::size_t i = 0; i < size; ++i) out[i] += weights[a] * all[a * size + i];
  }
  return out;
}

}  // namespace mien
