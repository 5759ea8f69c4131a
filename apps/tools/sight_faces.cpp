#include "tools/sight_faces.h"

#include <vector>

#include "mien/base/safetensors.h"

namespace mien::tools {

SightedVideo sight(Pictures pictures, const std::string& name, const std::filesystem::path& cache,
                   std::unique_ptr<FaceNetworks>& networks) {
  SightedVideo video;
  video.name = name;
  video.fps = pictures.fps();
  video.stretches.resize(1);
  std::vector<FaceSighting>& frames = video.stretches[0].frames;
  const std::filesystem::path file = cache / (name + ".points");
  if (!cache.empty() && std::filesystem::exists(file)) {
    const SafetensorsFile stored = SafetensorsFile::open(file);
    const std::vector<float> size = stored.floats("size", {2}), points = stored.floats("points", {-1});
    video.width = static_cast<int>(size[0]);
    video.height = static_cast<int>(size[1]);
    constexpr std::size_t kRow = 3 * kSightedPoints + 1;
    frames.resize(points.size() / kRow);
    for (std::size_t t = 0; t < frames.size(); ++t) {
      const float* row = points.data() + t * kRow;
      for (int i = 0; i < kSightedPoints; ++i) {
        for (int k = 0; k < 3; ++k) frames[t].points[i][k] = row[3 * i + k];
      }
      frames[t].presence = frames[t].weight = row[kRow - 1];
      if (frames[t].presence < 0.5f) frames[t].weight = 0;
    }
    return video;
  }
  if (!networks) networks = std::make_unique<FaceNetworks>();
  std::vector<float> points;
  FaceLandmarks last;
  for (Image8 image; pictures.next(image);) {
    video.width = image.width;
    video.height = image.height;
    const std::span<const Image8> one(&image, 1);
    FaceRegion region;
    FaceSighting sighting;
    bool there = last.presence >= 0.5;
    if (there) {
      region = face_region(last);
    } else {
      const auto found = networks->detect(one)[0];
      there = !found.empty();
      if (there) region = face_region(found[0]);
    }
    if (there) {
      last = networks->landmarks(one, std::span<const FaceRegion>(&region, 1), true)[0];
      sighting.presence = static_cast<float>(last.presence);
      for (int i = 0; i < kSightedPoints; ++i) sighting.points[i] = last.points[i];
    }
    sighting.weight = sighting.presence >= 0.5f ? sighting.presence : 0;
    frames.push_back(sighting);
    for (const auto& p : sighting.points) points.insert(points.end(), p.begin(), p.end());
    points.push_back(sighting.presence);
  }
  video.frames = static_cast<int>(frames.size());
  if (!cache.empty()) {
    std::filesystem::create_directories(cache);
    SafetensorsWriter writer;
    const std::vector<float> size = {static_cast<float>(video.width), static_cast<float>(video.height)};
    writer.add("size", {2}, size);
    writer.add("points", {static_cast<std::int64_t>(points.size())}, points);
    writer.write(file);
  }
  return video;
}

}  // namespace mien::tools
