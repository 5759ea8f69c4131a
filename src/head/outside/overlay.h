// The default head laid over another head's surface: what is known on the one is known on the other.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "head/smooth_warp.h"
#include "mien/geometry/nearest.h"
#include "mien/head/head_model.h"

namespace mien::outside {

// A landmark of MediaPipe's 478, and where it lies on the other head.
struct Anchor {
  int landmark = 0;
  Vec3 place = Vec3::Zero();
};

// MediaPipe's landmark for each of the 68 points of Multi-PIE / iBUG from 17 (brows) on; -1 for the jaw line but the
// chin.
int landmark_of_68(int point);

// Position of a landmark, or any surface point.
Vec3 surface_point(const HeadModel& model, const SurfacePoint& point, const std::vector<Vec3>& vertices);

class Overlay {
 public:
  // `model` has mesh (metres, placed as HeadModel asks) and face_part. `jaw_share` [V]: how far a vertex follows the
  // jaw, 0 to 1, which keeps upper and lower lip apart where they touch. Throws kBadFile naming `where` when the
  // anchors are too few or show no head in metres that looks along +z.
  Overlay(const HeadModel& reference, const HeadModel& model, std::vector<float> jaw_share,
          const std::vector<Anchor>& anchors, const std::string& where);

  // Fills region, skin_weights, landmarks, contours, and the joints of neck and head. The eyes' joints must be set.
  void label(HeadModel& model) const;
  // An expression of the reference (displacements) as the other head's skin vertices would show it.
  std::vector<Vec3> carry(const Vec3* displacement) const;
  // How far from the reference's surface a vertex lies, metres; large where there is no counterpart.
  float distance(int vertex) const { return hits_[static_cast<std::size_t>(vertex)].distance; }
  double scale() const { return warp_.scale(); }

 private:
  struct Hit {
    Index3 vertices = Index3::Zero();  // of the reference
    Vec3 barycentric = Vec3(1, 0, 0);
    float distance = 1e9f;
  };
  void bind();
  void label_vertices(HeadModel& model) const;
  void place_landmarks(HeadModel& model) const;
  void trace_contours(HeadModel& model) const;
  int nearest_vertex(const Vec3& place, const std::function<bool(int)>& is_allowed) const;

  const HeadModel& reference_;
  const HeadModel& model_;
  std::vector<float> jaw_share_;
  std::vector<Anchor> anchors_;
  SmoothWarp warp_;
  std::vector<Vec3> warped_;   // the reference's vertices
  std::vector<bool> is_skin_;  // [V]
  std::vector<Hit> hits_;      // [V] skin only
};

// Share of the largest movement that each vertex makes in a jawOpen field, 0 to 1.
std::vector<float> jaw_share_of(const Vec3* displacement, int vertices);

// Centre of the sphere that fits the points best (linear least squares); their mean when there are too few.
Vec3 sphere_centre(const std::vector<Vec3>& points);

}  // namespace mien::outside
