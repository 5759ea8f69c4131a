// Where faces wrinkle, and when: the places on which a look that follows the expression must show what it is worth.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "mien/geometry/camera.h"
#include "mien/geometry/raster.h"
#include "mien/head/head_motion.h"
#include "mien/media/image.h"

namespace mien {

constexpr int kWrinkleRegionCount = 4;
constexpr std::array<const char*, kWrinkleRegionCount> kWrinkleRegionNames = {"forehead", "brows", "eye corners",
                                                                              "nasolabial"};
// From this activation on a region counts as wrinkled.
constexpr float kWrinkledFrom = 0.3f;

// Regions on the skin of a head by its landmarks: the forehead from a little above the brows to the hair line, 16 mm
// round the glabella, 14 mm round a point outside each eye's corner, 8 mm along both nasolabial folds. Not thread-safe.
class WrinkleRegions {
 public:
  explicit WrinkleRegions(const HeadModel& head);      // copies what it needs; the head in its canonical pose
  bool usable() const { return !corner_of_.empty(); }  // needs the 478 landmarks and ARKit expressions

  // How much each region is wrinkled, [0,1], by the movements that crease it (the stronger side counts).
  std::array<float, kWrinkleRegionCount> activations(const std::vector<float>& expression) const;

  // Masks (255 inside) of the visible skin of each region, where `posed` [V] are the head's vertices in the world.
  const std::array<Image8, kWrinkleRegionCount>& masks(const std::vector<Vec3>& posed, const Camera& camera);

  // -1, or the region that a point of the canonical skin belongs to.
  int region_at(const Vec3& canonical) const;

 private:
  using Curve = std::vector<Vec3>;
  struct Place {
    int region;
    Curve curve;  // a single point, or a line
    float radius;
  };
  struct Driver {
    int region, side;
    std::vector<std::pair<int, float>> weights;  // of expressions
  };
  std::vector<Place> places_;
  float forehead_low_ = 0, forehead_high_ = 0, forehead_reach_ = 0, forehead_back_ = 0;
  std::vector<Driver> drivers_;
  std::vector<Index3> faces_;
  std::vector<char> skin_;  // [F]
  std::vector<Vec3> canonical_;
  std::vector<std::array<signed char, 3>> corner_of_;  // [F] region at each corner, -1 = none
  RasterBuffer buffer_;
  std::array<Image8, kWrinkleRegionCount> masks_;
};

}  // namespace mien
