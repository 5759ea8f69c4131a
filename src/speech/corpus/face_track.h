// Facial motion from elsewhere: a table of control values over time, brought to ARKit's weights by a table of names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mien {

constexpr double kFaceTrackRate = 30;  // frames a second of the tracks that are read

struct FaceTrack {
  std::vector<std::string> names;  // ARKit names
  std::vector<float> values;       // [frames, names] in [0,1]
  int frames() const { return names.empty() ? 0 : static_cast<int>(values.size() / names.size()); }
};

// `track`: .npy [frames, columns] at 30 frames a second; `columns`: the names of its columns, one a line; `map`: CSV of
// "arkit name,columns separated by blanks" with a heading, where the largest of the columns counts. FACEGOOD-Audio2Face
// and its like. Throws kNotFound, kBadFile, kUnsupported with file, line, what was found and the mend.
FaceTrack read_face_track(const std::filesystem::path& track, const std::filesystem::path& columns,
                          const std::filesystem::path& map);

// Names of the weights that move by more than `least` in any of the tracks: what such a recording knows of the face.
// The others stand still since nobody recorded them.
std::vector<std::string> moving_names(const std::vector<FaceTrack>& tracks, float least = 0.03f);

}  // namespace mien
