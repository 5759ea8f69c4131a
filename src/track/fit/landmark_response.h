// Where MediaPipe's points really lie on a head, and how they follow its expressions: measured on performers whose
// every vertex is known (apps/tools/landmark_response.cpp), shipped as models/landmark_response.safetensors.
#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <optional>
#include <string>

namespace mien::fit {

struct LandmarkResponse {
  std::string head_model;      // HeadModel::id that the points belong to
  Eigen::VectorXd offset;      // [3 * 478] from HeadModel::landmarks to where MediaPipe puts them, head at rest, metres
  Eigen::MatrixXd expression;  // [3 * 478, 52] what is to be added to the landmarks' motion a unit of expression
  Eigen::VectorXd deviation;   // [478] how far people and moments stray from that, metres

  Eigen::MatrixXd habit;  // [52, 52] mean products of weights while they talk and feel: what goes together

  // Throws kNotFound, kBadFile.
  static LandmarkResponse load(const std::filesystem::path& path);
  void save(const std::filesystem::path& path) const;
};

// The shipped table, if it is there and was measured on this head model.
std::optional<LandmarkResponse> find_landmark_response(const std::string& head_model);

}  // namespace mien::fit
