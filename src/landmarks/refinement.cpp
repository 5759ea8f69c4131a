#include "landmarks/refinement.h"

#include "mien/base/error.h"

namespace mien {
namespace {

// Which points of the mesh the outputs speak of, in their order: rings from the outside in or the inside out, the lower
// half with its corners first, then the upper one. From the graph that MediaPipe publishes for this network.
constexpr std::array<int, kLipPoints> kLips = {
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0,  267, 269, 270, 409,   // outer
    78, 95,  88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,   // inner
    76, 77,  90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,   // near the outer
    62, 96,  89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407};  // near the inner
constexpr std::size_t kRim = 16;  // points of the lids' edges, the first in the lists below
constexpr std::array<int, kEyePoints> kRightEye = {
    33,  7,   163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173,  // rim
    130, 25,  110, 24,  23,  22,  26,  112, 243, 247, 30,  29,  27,  28,  56,  190,  // second ring
    226, 31,  228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189,  // third ring
    35,  124, 46,  53,  52,  65,                                                     // under the brow
    143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70,  63,  105, 66,  107, 55,  193};
constexpr std::array<int, kEyePoints> kLeftEye = {
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255,
    339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449,
    450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295,
    372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417};

template <std::size_t count>
void replace(std::vector<std::array<float, 3>>& points, const std::array<int, count>& indexes,
             std::span<const float> part) {
  MIEN_CHECK(part.size() == 2 * count, "{} numbers for {} points", part.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    points[indexes[i]][0] = part[2 * i];
    points[indexes[i]][1] = part[2 * i + 1];
  }
}

void add_iris(std::vector<std::array<float, 3>>& points, const std::array<int, kEyePoints>& eye,
              std::span<const float> part) {
  MIEN_CHECK(part.size() == 2 * kIrisPoints, "{} numbers for an iris", part.size());
  double depth = 0;
  for (std::size_t i = 0; i < kRim; ++i) depth += points[eye[i]][2];
  for (std::size_t i = 0; i < kIrisPoints; ++i)
    points.push_back({part[2 * i], part[2 * i + 1], static_cast<float>(depth / kRim)});
}

}  // namespace

std::vector<std::array<float, 3>> refine_mesh(const std::vector<std::array<float, 3>>& mesh,
                                              const RefinedParts& parts) {
  MIEN_CHECK(mesh.size() == kMeshPoints, "a mesh of {} points", mesh.size());
  std::vector<std::array<float, 3>> out = mesh;
  replace(out, kLips, parts.lips);
  replace(out, kRightEye, parts.right_eye);
  replace(out, kLeftEye, parts.left_eye);
  add_iris(out, kRightEye, parts.right_iris);
  add_iris(out, kLeftEye, parts.left_iris);
  return out;
}

}  // namespace mien
