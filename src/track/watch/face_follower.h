// Follows every face of a video from frame to frame.
#pragma once

#include <functional>
#include <vector>

#include "track/watch/face_track.h"

namespace mien::track {

// A number for a face that tells people apart; empty = cannot say.
using DescribeFace = std::function<std::vector<float>(const Image8&, const FacePoints&)>;

struct FollowOptions {
  int look_every = 10;         // frames between looks for further faces
  int lost_for = 12;           // frames after which a lost face is given up
  int describe_every = 30;     // frames between descriptors
  std::size_t most_faces = 4;  // followed at a time, the largest first
};

// Landmarks in the region of the last frame's landmarks; the detector where there are none, where they are lost, and
// now and then for further faces. A face that jumps starts a new track.
class FaceFollower {
 public:
  FaceFollower(const FaceNetworks& networks, DescribeFace describe, const FollowOptions& options);

  // The next frame; `cut`: it starts a new shot.
  void add(const Image8& image, bool cut);
  std::vector<FaceTrack> finish();  // all tracks, in the order of their beginnings

 private:
  struct Active {
    FaceTrack track;
    FaceLandmarks last;
    FaceRegion region;                // where to look in the next frame
    FaceBox box;                      // in the last frame it was seen in
    std::vector<std::uint8_t> patch;  // what that frame showed there
    int lost = 0;                     // frames since it was seen
    int followed = 0;                 // frames seen
  };
  bool follow(Active& face, const Image8& image);
  bool accept(Active& face, const Image8& image, const FaceLandmarks& found);
  void look(const Image8& image, bool thorough);
  void drop_doubles();
  void end_track(Active& face);

  const FaceNetworks& networks_;
  DescribeFace describe_;
  FollowOptions options_;
  std::vector<Active> active_;
  std::vector<FaceTrack> done_;
  int frame_ = 0, shot_ = 0, since_look_ = 0, since_thorough_ = 0;
};

}  // namespace mien::track
