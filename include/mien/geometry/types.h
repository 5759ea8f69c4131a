// The vector types of the whole program. Right-handed world, metres, y up; the neutral head looks along +z.
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>

namespace mien {

using Vec2 = Eigen::Vector2f;
using Vec3 = Eigen::Vector3f;
using Vec4 = Eigen::Vector4f;
using Mat3 = Eigen::Matrix3f;
using Mat4 = Eigen::Matrix4f;
using Quat = Eigen::Quaternionf;  // w, x, y, z wherever it is written out
using Index3 = Eigen::Vector3i;

}  // namespace mien
