// Which steady rate suits a video's time stamps.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace mien::media {

struct SteadyRate {
  double native = 0;   // frames a second in the file: the mean, or the usual rate of a variable one
  double fps = 0;      // to read at
  double seconds = 0;  // from the first picture to the end of the last
  std::vector<std::string> notes;
};

// Longer pauses between pictures, and steps back, are jumps of a broken clock.
constexpr double kLongestPause = 10;

// `times`: seconds, ascending, one a picture; `promised`: frames a second as the container says, 0 = unknown, `length`:
// seconds as it says, both used where the times say nothing.
SteadyRate steady_rate(std::span<const double> times, double promised, double length, double most_fps);

}  // namespace mien::media
