// Whose face each track shows, and which person a video is about.
#pragma once

#include <vector>

#include "track/watch/face_track.h"

namespace mien::track {

// Euclidean distance of two descriptors; 0 when either is empty.
double descriptor_distance(const std::vector<float>& a, const std::vector<float>& b);
// Mean of unit vectors, of unit length; empty without any.
std::vector<float> mean_descriptor(const std::vector<std::vector<float>>& all);

// Below: one person. Recordings of one man over seven years are 0.17 to 0.28 apart, of two men 0.46 to 0.53.
constexpr double kSamePerson = 0.38;

struct Person {
  std::vector<FaceTrack> tracks;  // in order, not overlapping in time
  std::vector<float> descriptor;  // empty without descriptors
  std::vector<bool> others;       // [frames]: somebody else is seen
  int people = 0;                 // in the video, as far as descriptors tell
  double distance = 0;            // to the wanted person
};

// Groups the tracks by descriptor and takes the group nearest to `wanted` or, where that is empty, the one seen most
// (frames, weighed by the face's size). Without descriptors, each shot's most prominent track. No tracks: an empty
// person. Where two tracks of the person overlap in time, the more prominent one stays.
Person choose_person(std::vector<FaceTrack> tracks, int frames, const std::vector<float>& wanted);

}  // namespace mien::track
