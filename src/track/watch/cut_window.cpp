#include "track/watch/cut_window.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "track/watch/face_track.h"

namespace mien::track {
namespace {

// Around the landmarks, in heights of the face (top of the forehead to chin).
struct Margins {
  double hair, neck, side;
};
constexpr Margins kWanted = {0.55, 0.75, 1.05};
constexpr Margins kLeast = {0.42, 0.25, 0.7};  // where the picture ends: the head must be whole, the neck need not

double percentile(std::vector<double> values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(std::lround(share * static_cast<double>(values.size() - 1)));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// Into [low, high], in the middle of it when that is too narrow.
double place(double begin, double size, double low, double high) {
  if (size >= high - low) return (low + high - size) / 2;
  return std::clamp(begin, low, high - size);
}

struct Bounds {
  double left, top, right, bottom;
  double size() const { return std::max(right - left, bottom - top); }
};

Bounds bounds(const Stretch& stretch, const Margins& m) {
  std::vector<double> lefts, tops, rights, bottoms;
  for (const FaceSighting& face : stretch.frames) {
    if (face.weight <= 0) continue;
    const FaceBox box = face_box(face.points);
    const double h = face_height(face.points), x = (box.left + box.right) / 2;
    lefts.push_back(x - m.side * h);
    rights.push_back(x + m.side * h);
    tops.push_back(box.top - m.hair * h);
    bottoms.push_back(box.bottom + m.neck * h);
  }
  return {percentile(lefts, 0.01), percentile(tops, 0.01), percentile(rights, 0.99), percentile(bottoms, 0.99)};
}

}  // namespace

CutWindow cut_window(const Stretch& stretch, int left, int top, int right, int bottom) {
  if (std::none_of(stretch.frames.begin(), stretch.frames.end(), [](const FaceSighting& f) { return f.weight > 0; }))
    return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(right - left)};
  const Bounds wanted = bounds(stretch, kWanted);
  Bounds least = bounds(stretch, kLeast);  // of it, what the picture has
  least = {std::max<double>(least.left, left), std::max<double>(least.top, top), std::min<double>(least.right, right),
           std::min<double>(least.bottom, bottom)};
  const double room = std::min(right - left, bottom - top);
  const double size = wanted.size() > room ? std::max(room, least.size()) : wanted.size();
  // Too little height: hair above matters more than shoulders below.
  const double spare = size - (wanted.bottom - wanted.top);
  const double y = spare >= 0 ? wanted.top - spare / 2 : std::min(wanted.top - spare / 2, least.top);
  return {place((wanted.left + wanted.right - size) / 2, size, left, right), place(y, size, top, bottom), size};
}

}  // namespace mien::track
