#include "field_plan.h"

#include <algorithm>

#include "mien/base/random.h"

namespace mien {
namespace {

constexpr float kMargin = 0.03f;          // metres round the head's box
constexpr float kFeatureMargin = 0.004f;  // and round mouth and eyes
constexpr float kWholeShare = 0.2f;       // of the rays that go anywhere,
constexpr float kFeatureShare = 0.04f;    // to a feature, times its weight
constexpr float kEyeWeight = 2;

bool is_lip(HeadRegion r) {
  return r == HeadRegion::kUpperLip || r == HeadRegion::kLowerLip;
}
bool is_lid(HeadRegion r) {
  return r == HeadRegion::kUpperLidLeft || r == HeadRegion::kLowerLidLeft || r == HeadRegion::kUpperLidRight ||
         r == HeadRegion::kLowerLidRight;
}

template <typename Chosen>
PixelBox box_of(const Camera& camera, const std::vector<Vec3>& posed, float margin, const Chosen& chosen) {
  float left = 1e9f, right = -1e9f, top = 1e9f, bottom = -1e9f;
  for (std::size_t v = 0; v < posed.size(); ++v) {
    if (!chosen(v)) continue;
    const float z = camera.to_camera(posed[v]).z();
    if (z < 0.01f) continue;
    const Vec2 at = camera.project(posed[v]);
    const float room = margin * camera.fx / z;
    left = std::min(left, at.x() - room);
    right = std::max(right, at.x() + room);
    top = std::min(top, at.y() - room);
    bottom = std::max(bottom, at.y() + room);
  }
  const PixelBox box = {std::max(0, static_cast<int>(std::max(left, -1.0f))),
                        std::max(0, static_cast<int>(std::max(top, -1.0f))),
                        static_cast<int>(std::clamp(right + 1, 0.0f, static_cast<float>(camera.width))),
                        static_cast<int>(std::clamp(bottom + 1, 0.0f, static_cast<float>(camera.height)))};
  return box.x0 < box.x1 && box.y0 < box.y1 ? box : PixelBox{0, 0, camera.width, camera.height};
}

}  // namespace

FieldPlan::FieldPlan(const SampleReader& reader, const HeadModel& head, const FieldTrainOptions& options)
    : reader_(reader),
      head_(head),
      options_(options),
      appearances_(appearance_names(reader.capture())),
      choice_(reader, MouthOpenings(reader), options.open_mouth_bias) {}

int FieldPlan::appearance(const SampleKey& key) const {
  return appearance_of(appearances_, reader_.capture().sequences.at(static_cast<std::size_t>(key.sequence)));
}

std::uint32_t FieldPlan::seed(int step) const {
  return field_hash(static_cast<std::uint32_t>(options_.seed) * 2654435761u + static_cast<std::uint32_t>(step));
}

SampleKey FieldPlan::key(int step, int slot) const {
  Random random(options_.seed * 1000003 + static_cast<std::uint64_t>(step) * options_.frames + slot, 9);
  return reader_.keys()[choice_.pick(random.uniform())];
}

FieldFrame FieldPlan::frame(const SampleKey& key) const {
  FieldFrame frame;
  frame.key = key;
  frame.appearance = appearance(key);
  frame.camera = reader_.camera(key);
  const MotionFrame& motion = reader_.motion(key);
  head_.deform(motion.expression.data(), static_cast<int>(motion.expression.size()),
               motion.offsets.empty() ? nullptr : motion.offsets.data(), frame.posed);
  head_.pose(motion.pose, frame.posed);
  frame.condition = field_condition(head_, motion);
  frame.choice = choice(frame.camera, frame.posed);
  return frame;
}

PixelChoice FieldPlan::choice(const Camera& camera, const std::vector<Vec3>& posed) const {
  const auto region = [this](std::size_t v) { return head_.region.empty() ? HeadRegion::kFace : head_.region[v]; };
  PixelChoice out = {};
  out.boxes[0] = {0, 0, camera.width, camera.height};
  out.boxes[1] = box_of(camera, posed, kMargin, [](std::size_t) { return true; });
  out.boxes[2] = box_of(camera, posed, kFeatureMargin, [&](std::size_t v) { return is_lip(region(v)); });
  out.boxes[3] = box_of(camera, posed, kFeatureMargin, [&](std::size_t v) { return is_lid(region(v)); });
  const float mouth = std::min(0.3f, kFeatureShare * options_.mouth_weight);
  const float eyes = kFeatureShare * kEyeWeight;
  out.share[0] = kWholeShare;
  out.share[1] = 1 - mouth - eyes;
  out.share[2] = 1 - eyes;
  out.share[3] = 1;
  return out;
}

}  // namespace mien
