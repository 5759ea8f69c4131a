// What the head's tests share: a toy head that needs no files, the built head, a scratch folder.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/head/head_model.h"

namespace mien::test {

class ScratchFolder : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  // The code and text of the Error that `body` throws; fails the test when it throws none.
  template <typename Body>
  Error error_of(const Body& body) {
    try {
      body();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::kInternal, "");
  }
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / fmt::format("mien_head_{}", ::getpid());
};

// 40 random vertices, 52 + 2 random expressions of which vertices 30 and up are not moved, 3 identity modes.
inline HeadModel toy_head() {
  Random random(7);
  const auto point = [&](float scale) {
    return Vec3(scale * random.normal(), scale * random.normal(), scale * random.normal());
  };
  HeadModel model;
  model.id = "toy";
  constexpr int kVertices = 40, kFaces = 30;
  for (int v = 0; v < kVertices; ++v) {
    model.mesh.positions.push_back(point(0.1f));
    const float neck = random.uniform(), head = neck * random.uniform();
    model.skin_weights.push_back(v < 10   ? std::array<float, 2>{1, 1}
                                 : v < 20 ? std::array<float, 2>{0, 0}
                                          : std::array<float, 2>{neck, head});
    model.region.push_back(v < 5 ? HeadRegion::kEyes : HeadRegion::kFace);
  }
  for (int u = 0; u < 12; ++u) model.mesh.uv.emplace_back(random.uniform(), random.uniform());
  for (int f = 0; f < kFaces; ++f) {
    model.mesh.faces.emplace_back(random.below(kVertices), random.below(kVertices), random.below(kVertices));
    model.mesh.face_uv.emplace_back(random.below(12), random.below(12), random.below(12));
    model.face_part.push_back(static_cast<HeadPart>(f % 9));
  }
  for (const char* name : kArkitNames) model.expression_names.emplace_back(name);
  model.expression_names.insert(model.expression_names.end(), {"extraOne", "extraTwo"});
  for (int e = 0; e < model.expression_count(); ++e) {
    for (int v = 0; v < kVertices; ++v) model.expression.push_back(v < 30 ? point(0.005f) : Vec3::Zero());
  }
  model.identity_names = {"a", "b", "c"};
  for (int i = 0; i < 3 * kVertices; ++i) model.identity.push_back(point(0.01f));
  model.joints = {Vec3(0, -0.14f, -0.03f), Vec3(0, -0.04f, 0), Vec3(0.03f, 0, 0.08f), Vec3(-0.03f, 0, 0.08f)};
  for (int i = 0; i < 3; ++i) model.joint_identity.push_back({point(0.01f), point(0.01f), point(0.01f), point(0.01f)});
  model.landmarks = {{0, Vec3(0.2f, 0.3f, 0.5f)}, {kFaces - 1, Vec3(1, 0, 0)}};
  model.contours.lips = {{0, 1}, {2, 3}, {4, 5}};
  model.contours.lids_left = {{6, 7}};
  model.contours.lids_right = {{8, 9}};
  model.contours.upper_teeth = {10, 11, 12};
  model.contours.lower_teeth = {13};
  model.contours.mouth_corners = {14, 15};
  return model;
}

// The built head, or nothing where set-up has not run.
inline const HeadModel* built_head() {
  static const std::optional<HeadModel> model = []() -> std::optional<HeadModel> {
    try {
      return HeadModel::load(find_head_asset());
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kNotFound) return std::nullopt;
      throw;
    }
  }();
  return model ? &*model : nullptr;
}

}  // namespace mien::test

#define MIEN_REQUIRE_HEAD(name)                                                              \
  const HeadModel* name##_pointer = test::built_head();                                      \
  if (name##_pointer == nullptr) GTEST_SKIP() << "the head is not built: run scripts/setup"; \
  const HeadModel& name = *name##_pointer
