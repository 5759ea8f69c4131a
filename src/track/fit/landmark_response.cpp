#include "track/fit/landmark_response.h"

#include <Eigen/Eigenvalues>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/resource.h"
#include "mien/base/safetensors.h"
#include "mien/head/head_model.h"
#include "mien/track/sighting.h"

namespace mien::fit {
namespace {

constexpr const char* kFileName = "landmark_response.safetensors";
constexpr const char* kFormat = "mien-landmark-response-1";
constexpr float kUnit = 0.001f;  // stored in millimetres: half floats have few digits near 0

}  // namespace

LandmarkResponse LandmarkResponse::load(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const auto format = file.metadata().find("format"), head = file.metadata().find("head_model");
  if (format == file.metadata().end() || format->second != kFormat || head == file.metadata().end()) {
    throw Error(ErrorCode::kBadFile, fmt::format("{} is no table of landmark responses", path.string()),
                "fetch the program's models again");
  }
  LandmarkResponse out;
  out.head_model = head->second;
  const std::vector<float> offset = file.floats("offset", {kSightedPoints, 3}),
                           expression = file.floats("expression", {kArkitCount, kSightedPoints, 3}),
                           deviation = file.floats("deviation", {kSightedPoints}),
                           habit = file.floats("habit", {kArkitCount, kArkitCount});
  out.offset = kUnit * Eigen::Map<const Eigen::VectorXf>(offset.data(), 3 * kSightedPoints).cast<double>();
  out.expression =
      kUnit * Eigen::Map<const Eigen::MatrixXf>(expression.data(), 3 * kSightedPoints, kArkitCount).cast<double>();
  out.deviation = kUnit * Eigen::Map<const Eigen::VectorXf>(deviation.data(), kSightedPoints).cast<double>();
  out.habit = Eigen::Map<const Eigen::MatrixXf>(habit.data(), kArkitCount, kArkitCount).cast<double>();
  // A mean of products has no negative eigenvalue; rounding may leave a trace of one.
  out.habit = 0.5 * (out.habit + out.habit.transpose()).eval();
  if (!out.habit.allFinite() || Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(out.habit).eigenvalues()[0] < -1e-3 ||
      !out.offset.allFinite() || !out.expression.allFinite() || !(out.deviation.minCoeff() > 0)) {
    throw Error(ErrorCode::kBadFile, fmt::format("{} holds numbers that make no sense", path.string()),
                "fetch the program's models again");
  }
  return out;
}

void LandmarkResponse::save(const std::filesystem::path& path) const {
  const auto scaled = [](const auto& matrix, double unit = kUnit) {
    std::vector<float> out;
    for (Eigen::Index i = 0; i < matrix.size(); ++i) {
      out.push_back(static_cast<float>(matrix.data()[i] / unit));
    }
    return out;
  };
  SafetensorsWriter writer;
  writer.metadata("format", kFormat);
  writer.metadata("head_model", head_model);
  writer.add_half("offset", {kSightedPoints, 3}, scaled(offset));
  writer.add_half("expression", {kArkitCount, kSightedPoints, 3}, scaled(expression));
  writer.add_half("deviation", {kSightedPoints}, scaled(deviation));
  writer.add_half("habit", {kArkitCount, kArkitCount}, scaled(habit, 1.0));
  writer.write(path);
}

std::optional<LandmarkResponse> find_landmark_response(const std::string& head_model) {
  for (const std::filesystem::path& folder : model_folders()) {
    if (!std::filesystem::exists(folder / kFileName)) continue;
    LandmarkResponse table = LandmarkResponse::load(folder / kFileName);
    if (table.head_model == head_model) return table;
  }
  return std::nullopt;
}

}  // namespace mien::fit
