#include <Eigen/SVD>
#include <cctype>
#include <cmath>

#include "capture/import/layout.h"
#include "mien/base/error.h"

namespace mien::import {

const std::vector<Layout>& layouts() {
  static const std::vector<Layout> table = {
      {"vhap", is_video_transforms, read_video_transforms},
      {"transforms", is_still_transforms, read_still_transforms},
      {"colmap", is_colmap, read_colmap},
  };
  return table;
}

std::string folder_name(const std::string& name, const std::string& where) {
  std::string out;
  for (const char c : name.substr(0, 200)) {
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '+' || c == '-';
    out += kept ? c : '_';
  }
  if (!out.empty() && out[0] == '.') out[0] = '_';
  if (out.empty()) {
    throw Error(ErrorCode::kBadFile, where + ": a camera or sequence without a name", "give each a name of its own");
  }
  return out;
}

void check_lens(const Camera& lens, const std::string& where) {
  bool sound = lens.fx > 0 && lens.fy > 0 && std::isfinite(lens.fx) && std::isfinite(lens.fy) &&
               std::isfinite(lens.cx) && std::isfinite(lens.cy) && lens.width >= 0 && lens.height >= 0 &&
               lens.width <= kLargestSide && lens.height <= kLargestSide;
  for (const float k : lens.distortion) sound = sound && std::isfinite(k);
  if (!sound) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: impossible camera: {}x{} pixels, focal lengths {} and {}, principal point {}, {}",
                            where, lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy),
                "correct the camera's intrinsics, which are in pixels");
  }
}

Mat4d nearest_rigid(const Mat4d& matrix, const std::string& where) {
  const auto refuse = [&](const char* what, const char* mend) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: the camera's matrix {}", where, what), mend);
  };
  if (!matrix.allFinite() || matrix.cwiseAbs().maxCoeff() > 1e6) {
    refuse("holds values that are not numbers, or beyond a million", "export the cameras again");
  }
  const Eigen::Matrix3d upper = matrix.topLeftCorner<3, 3>();
  if (upper.determinant() < 0) refuse("mirrors the world", "export it in a right-handed world");
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(upper, Eigen::ComputeFullU | Eigen::ComputeFullV);
  const Eigen::Matrix3d rotation = svd.matrixU() * svd.matrixV().transpose();
  if (!((upper - rotation).cwiseAbs().maxCoeff() < 0.01)) {
    refuse("is not a rotation and a translation", "take scale and shear out of it");
  }
  Mat4d out = Mat4d::Identity();
  out.topLeftCorner<3, 3>() = rotation;
  out.topRightCorner<3, 1>() = matrix.topRightCorner<3, 1>();
  return out;
}

}  // namespace mien::import
