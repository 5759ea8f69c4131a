#include "landmarks/packages.h"

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien {
namespace {

struct Place {
  const char *file, *model;
  std::size_t size, begin, end;  // of the whole file; of the network in it
};

// The three networks of face_mesh 0.4.1657299874 stand one after the other in one file; the places are listed in the
// package's face_mesh_solution_packed_assets_loader.js.
constexpr const char* kFaceMesh = "@mediapipe/face_mesh/face_mesh_solution_packed_assets.data";
constexpr Place kPlaces[] = {
    {kFaceMesh, "face_detection_short_range.tflite", 3986256, 3757224, 3986256},
    {kFaceMesh, "face_landmark.tflite", 3986256, 2495952, 3737848},
    {kFaceMesh, "face_landmark_with_attention.tflite", 3986256, 0, 2495952},
    {"@mediapipe/selfie_segmentation/selfie_segmentation.tflite", "selfie_segmentation.tflite", 249024, 0, 249024},
};

}  // namespace

ModelFile read_face_model(const std::filesystem::path& packages, FaceModel model) {
  const Place& place = kPlaces[static_cast<int>(model)];
  const std::filesystem::path path = packages / place.file;
  if (!std::filesystem::exists(path))
    throw Error(ErrorCode::kNotFound, fmt::format("{}: the face networks are not there", path.string()),
                "run scripts/setup");
  const std::vector<std::uint8_t> bytes = read_file(path, std::size_t{64} << 20);
  if (bytes.size() != place.size)
    throw Error(ErrorCode::kBadFile,
                fmt::format("{} has {} bytes instead of {}", path.string(), bytes.size(), place.size),
                "remove its folder and run scripts/setup");
  using Difference = std::vector<std::uint8_t>::difference_type;
  return {{bytes.begin() + static_cast<Difference>(place.begin), bytes.begin() + static_cast<Difference>(place.end)},
          path.string() + ": " + place.model};
}

}  // namespace mien
