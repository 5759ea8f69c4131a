// Which frames of a track are believed, how far, and what is cut out of a video.
#pragma once

#include <string>
#include <vector>

#include "track/watch/face_track.h"

namespace mien::track {

enum class Flaw { kNone, kNoFace, kOtherPerson, kBlur, kSmallFace, kProfile, kCovered, kShort };
const char* flaw_name(Flaw flaw);  // Omission::reason
std::string flaw_text(Flaw flaw);  // for people

struct Judgement {
  float weight = 0;
  Flaw flaw = Flaw::kNone;  // what lowers the weight most, where it is low
};

// `sharpest`: sharpness of the video's sharp frames, in measure_sharpness()'s units.
Judgement judge(const TrackedFace& face, double sharpest);

// The sharpness that a tenth of the frames reach; 0 without frames.
double sharp_level(const std::vector<FaceTrack>& tracks);

// By how much (of 255) the pixels of the face change from one frame to the next, in its livelier frames. Photographs
// and drawings stay below kStill, whatever the compression does; a silent person's breath and eyes do not.
double liveliness(const std::vector<FaceTrack>& tracks);
constexpr double kStill = 0.15;

// Cuts the person's tracks (which do not overlap) into stretches, and says of every other frame of the video why it is
// left out. `others`: frames in which somebody else's face is seen. `frames`: of the whole video.
struct Selection {
  std::vector<Stretch> stretches;
  std::vector<Omission> omissions;
};
Selection select(const std::vector<FaceTrack>& person, const std::vector<bool>& others, int frames, double fps,
                 double sharpest);

}  // namespace mien::track
