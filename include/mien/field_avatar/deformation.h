// Where points round a moving head lie in the canonical one: nearest triangle, and the turn of its vertices.
//
// The canonical head is the person's with the jaw open, so that what lies between the lips has a place of its own, and
// with eyeballs and the inside of the mouth set back into the skull, where nothing else is ever seen: lids and lips
// then share no space with what moves behind them. Brows and lashes, thin sheets over the skin, take no part.
#pragma once

#include <span>
#include <vector>

#include "mien/geometry/nearest.h"
#include "mien/head/head_motion.h"

namespace mien {

namespace carry {
struct Rest;
struct Place;
}  // namespace carry

// What never changes: the canonical head and its triangles. Immutable, may be shared by threads.
class CanonicalHead {
 public:
  explicit CanonicalHead(const HeadModel& head);

  int vertex_count() const { return static_cast<int>(positions_.size()); }
  const std::vector<Vec3>& positions() const { return positions_; }  // [V] canonical, metres
  const std::vector<Index3>& faces() const { return faces_; }        // [F] those that take part
  const std::vector<char>& in_face() const { return in_face_; }      // [F] on the face proper, where there is no hair
  carry::Rest rest() const;                                          // valid while the object lives and is not moved
  // Corners of a box round the canonical head, `margin` metres wider.
  void box(float margin, Vec3& low, Vec3& high) const;

 private:
  std::vector<Vec3> positions_;
  std::vector<Index3> faces_;
  std::vector<char> in_face_;
  std::vector<float> frames_, areas_;
  std::vector<int> ring_begin_, ring_;
};

// The head of one moment. update() is for one thread; place() for any number.
class MovedHead {
 public:
  // `canonical` must outlive the object.
  explicit MovedHead(const CanonicalHead& canonical);
  void update(std::span<const Vec3> posed);  // [V] world, metres; throws kBadArgument on another count

  // The place in the canonical head of a world point at most `limit` metres from the surface; face -1 beyond.
  carry::Place place(const Vec3& point, float limit, int guess = -1) const;
  const NearestTriangle& nearest() const { return tree_; }
  const std::vector<float>& turns() const { return turns_; }  // [V,9]
  const std::vector<Vec3>& posed() const { return posed_; }   // [V]

 private:
  const CanonicalHead* canonical_;
  NearestTriangle tree_;
  std::vector<Vec3> posed_;
  std::vector<float> turns_;
};

}  // namespace mien
