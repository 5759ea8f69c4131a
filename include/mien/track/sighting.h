// What a video shows of one person: where the face is in each frame, and which parts of the video are of no use.
//
// Positions are in pixels of the upright frame: turned as the file's rotation flag says, bars of a letterbox still
// there. Continuous: the middle of the first pixel is (0.5, 0.5).
#pragma once

#include <array>
#include <string>
#include <vector>

namespace mien {

constexpr int kSightedPoints = 478;  // MediaPipe's face mesh with refined lips, eyes and irises

// One frame.
struct FaceSighting {
  std::array<std::array<float, 3>, kSightedPoints> points{};  // x, y, z in pixels; z: smaller is nearer
  float presence = 0;                                         // 0..1: how sure the network is that this is a face
  float sharpness = 0;  // 0..1 of the sharpest frames of the video; a blurred face has little
  float weight = 0;  // 0..1: how far the fit should believe the points; 0 = lost for a moment, the points mean nothing
};

// Where the stored pictures are cut from the upright frame: a square, the same for all frames of a stretch. May reach
// beyond the frame, where the picture is filled with what is nearest.
struct CutWindow {
  double left = 0, top = 0, size = 0;  // pixels of the upright frame
};

// Consecutive frames of one shot in which the person is followed. Gaps of a few frames are frames of weight 0.
struct Stretch {
  int first = 0;  // number of its first frame at the video's steady rate
  std::vector<FaceSighting> frames;
  CutWindow window;
};

// What was left out, and why.
struct Omission {
  double begin = 0, end = 0;  // seconds of the video
  std::string reason;         // "no-face", "other-person", "blur", "small-face", "profile", "covered", "short"
  std::string text;           // for people
};

struct SightedVideo {
  std::string name;              // unique in a collection: the file's name without ending, letters, digits, - and _
  std::string source;            // path, as given
  std::string appearance;        // videos of the same look share it
  int width = 0, height = 0;     // of the upright frame
  std::array<int, 4> picture{};  // left, top, right, bottom in it: the picture without the bars of a letterbox
  double fps = 0;                // steady: frame i shows the moment (i + 0.5) / fps, whatever the file's time stamps
  int frames = 0;                // of the whole video at that rate
  bool has_audio = false;
  std::vector<Stretch> stretches;
  std::vector<Omission> omissions;
  std::vector<std::string> notes;  // what was done to it: "letterbox removed", "50 fields a second woven", ...
  std::vector<float> descriptor;   // of the face, unit length; empty without a network for it

  // Resume: a safetensors file. load() checks every size. Throws kNotFound, kBadFile, kIo.
  static SightedVideo load(const std::string& path);
  void save(const std::string& path) const;
};

}  // namespace mien
