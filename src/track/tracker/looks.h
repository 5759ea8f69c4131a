// Which videos show the person in the same look: same clothes, hair, room and light.
#pragma once

#include <filesystem>
#include <vector>

namespace mien {

// Colours of a video: shares of the person's and of the background's pixels in each cell of a colour cube, each summing
// to 1 (or all 0 where there are no such pixels).
struct Look {
  std::vector<float> person, background;
};

struct LookPicture {
  std::filesystem::path image, mask;
};

// Of a few pictures with their mattes.
Look look_of(const std::vector<LookPicture>& pictures);

// 0: the same colours, 1: none in common. The mean of person and background (Hellinger distance).
double look_distance(const Look& a, const Look& b);

// A group's number for each look; numbers begin with 0 and rise in order. Looks nearer than `most` to one of a group
// belong to it. On seven settings of one man, shots of one setting are up to 0.24 apart and settings at least 0.36.
std::vector<int> group_looks(const std::vector<Look>& looks, double most = 0.30);

}  // namespace mien
