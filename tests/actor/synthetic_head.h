// A mouth made of a few points with known slopes: what the lip solver does can be worked out by hand on it.
#pragma once

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "mien/head/head_model.h"

namespace mien::test {

inline HeadModel synthetic_head() {
  HeadModel head;
  head.id = "synthetic";
  constexpr int kPairs = 11;
  constexpr int kTeeth = 7;
  for (const char* name : kArkitNames) head.expression_names.emplace_back(name);
  auto& points = head.mesh.positions;
  const auto across = [](int i, int n, float half) { return half * (2.0f * i / (n - 1) - 1); };
  for (int i = 0; i < kPairs; ++i) {
    const float x = across(i, kPairs, 0.022f);
    points.emplace_back(x, -0.060f, 0.095f - 20 * x * x);
    points.emplace_back(x, -0.060f, 0.094f - 20 * x * x);
    head.contours.lips.push_back({2 * i, 2 * i + 1});
  }
  for (int i = 0; i < kTeeth; ++i) {
    const float x = across(i, kTeeth, 0.014f);
    head.contours.upper_teeth.push_back(static_cast<int>(points.size()));
    points.emplace_back(x, -0.0625f, 0.088f - 20 * x * x);
  }
  head.contours.mouth_corners = {0, 2 * (kPairs - 1)};
  head.region.assign(points.size(), HeadRegion::kUpperLip);
  head.skin_weights.assign(points.size(), {1, 1});
  head.mesh.faces = {Index3(0, 1, 2)};
  head.face_part = {HeadPart::kSkin};
  head.expression.assign(kArkitCount * points.size(), Vec3::Zero());
  const auto move = [&](const char* name, bool upper, const Vec3& mm, int side = 0) {
    Vec3* basis = head.expression.data() + arkit_index(name) * points.size();
    for (int i = 0; i < kPairs; ++i) {
      const float x = across(i, kPairs, 1);
      const float share =
          std::sqrt(std::max(0.0f, 1 - x * x)) * (side == 0 ? 1.0f : std::clamp(0.5f + side * x, 0.0f, 1.0f));
      basis[2 * i + (upper ? 0 : 1)] += 1e-3f * share * mm;
    }
  };
  move("jawOpen", false, Vec3(0, -24, -5));
  move("mouthClose", false, Vec3(0, 19, 4));
  move("mouthClose", true, Vec3(0, -5, 0));
  move("mouthFunnel", false, Vec3(0, -3, 4));
  move("mouthFunnel", true, Vec3(0, 2, 4));
  move("mouthPucker", false, Vec3(0, 0.5f, 6));
  move("mouthPucker", true, Vec3(0, -0.5f, 6));
  move("mouthRollLower", false, Vec3(0, 1, -7));
  move("mouthLowerDownLeft", false, Vec3(0, -5, 0), 1);
  move("mouthLowerDownRight", false, Vec3(0, -5, 0), -1);
  move("mouthUpperUpLeft", true, Vec3(0, 4, 0), 1);
  move("mouthUpperUpRight", true, Vec3(0, 4, 0), -1);
  move("mouthSmileLeft", false, Vec3(0, -0.6f, -1), 1);
  move("mouthSmileRight", false, Vec3(0, -0.6f, -1), -1);
  move("noseSneerLeft", true, Vec3(0, 1.5f, 0), 1);
  move("noseSneerRight", true, Vec3(0, 1.5f, 0), -1);
  return head;
}

// The built head asset, when this machine has it.
inline std::optional<HeadModel> real_head() {
  try {
    return HeadModel::load(find_head_asset());
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// The folder of shared recordings: $MIEN_SHARED, else ../shared beside the repository.
inline std::filesystem::path shared_folder() {
  if (const char* given = std::getenv("MIEN_SHARED")) return given;
  for (std::filesystem::path p = std::filesystem::current_path(); p.has_relative_path(); p = p.parent_path()) {
    if (std::filesystem::exists(p.parent_path() / "shared/data/speech")) return p.parent_path() / "shared";
  }
  return "../shared";
}

}  // namespace mien::test
