#include "head/makehuman/rings.h"

#include <algorithm>
#include <map>
#include <set>

#include "mien/base/error.h"

namespace mien::makehuman {
namespace {

// First vertices (MakeHuman's numbers) of the rings, inside to outside: the middle of the upper lip and of the upper
// left lid.
constexpr std::array<int, kMouthRings> kMouthSeeds = {571, 554, 537, 520, 474, 468, 509, 467, 466, 455, 362, 5342};
constexpr std::array<int, kLidRings> kLidSeeds = {7748, 13352, 6785, 11465, 6787, 6789, 11515, 6874, 6930};

// Walks straight on over a mesh of quads.
class QuadWalker {
 public:
  explicit QuadWalker(const std::vector<Quad>& quads) : quads_(quads) {
    for (std::size_t q = 0; q < quads.size(); ++q) {
      for (const int v : quads[q].vertex) around_[v].push_back(static_cast<int>(q));
    }
  }
  std::set<int> neighbours(int v) const {
    std::set<int> out;
    for (const int q : around_.at(v)) {
      const auto& corner = quads_[q].vertex;
      const int k = static_cast<int>(std::find(corner.begin(), corner.end(), v) - corner.begin());
      out.insert(corner[(k + 1) % 4]);
      out.insert(corner[(k + 3) % 4]);
    }
    return out;
  }
  // The vertex opposite to `from` at the four-sided crossing `at`; -1 where the mesh is not regular.
  int straight_on(int from, int at) const {
    std::set<int> candidates = neighbours(at);
    if (candidates.size() != 4) return -1;
    for (const int q : around_.at(at)) {
      const auto& corner = quads_[q].vertex;
      if (std::find(corner.begin(), corner.end(), from) == corner.end()) continue;
      for (const int v : corner) candidates.erase(v);
    }
    return candidates.size() == 1 ? *candidates.begin() : -1;
  }

 private:
  const std::vector<Quad>& quads_;
  std::map<int, std::vector<int>> around_;
};

// The closed ring through `start` that sets out towards +x.
std::vector<int> trace_ring(const QuadWalker& walker, const std::vector<Vec3>& body, int start) {
  int next = start;
  for (const int n : walker.neighbours(start)) {
    // Along the ring means sideways: the other neighbours lie above, below or behind.
    const Vec3 step = (body[n] - body[start]).normalized();
    const Vec3 best = (body[next] - body[start]).normalized();
    if (next == start || step.x() > best.x()) next = n;
  }
  std::vector<int> ring = {start, next};
  while (ring.size() < 100) {
    const int v = walker.straight_on(ring[ring.size() - 2], ring.back());
    if (v < 0 || v == start) break;
    ring.push_back(v);
  }
  return ring;
}

// The mirror image of a body vertex.
int mirrored(const std::vector<Vec3>& body, const std::vector<int>& candidates, int v) {
  const Vec3 want(-body[v].x(), body[v].y(), body[v].z());
  return *std::min_element(candidates.begin(), candidates.end(), [&](int a, int b) {
    return (body[a] - want).squaredNorm() < (body[b] - want).squaredNorm();
  });
}

// All that is reached from inside a ring without crossing it. `outside` is the next ring outwards.
template <typename Ring>
void flood_inside(const QuadWalker& walker, const Ring& ring, const Ring& outside, std::set<int>& out) {
  std::set<int> wall(ring.begin(), ring.end());
  wall.insert(outside.begin(), outside.end());
  std::vector<int> queue(ring.begin(), ring.end());
  while (!queue.empty()) {
    const int v = queue.back();
    queue.pop_back();
    for (const int n : walker.neighbours(v)) {
      if (wall.count(n) == 0 && out.insert(n).second) queue.push_back(n);
    }
  }
}

template <typename Ring>
void copy_ring(const std::vector<int>& from, Ring& to, const char* what, int r) {
  MIEN_CHECK(from.size() == to.size(), "{} ring {} has {} vertices", what, r, from.size());
  std::copy(from.begin(), from.end(), to.begin());
}

}  // namespace

FaceRings trace_face_rings(const Source& source) {
  FaceRings rings;
  const QuadWalker walker(source.group("body"));
  const std::vector<int> body = source.group_vertices("body");
  for (int r = 0; r < kMouthRings; ++r)
    copy_ring(trace_ring(walker, source.positions(), kMouthSeeds[r]), rings.mouth[r], "mouth", r);
  for (int r = 0; r < kLidRings; ++r) {
    copy_ring(trace_ring(walker, source.positions(), kLidSeeds[r]), rings.lids[0][r], "lid", r);
    for (int p = 0; p < kLidRing; ++p) rings.lids[1][r][p] = mirrored(source.positions(), body, rings.lids[0][r][p]);
  }
  std::set<int> sockets;
  for (const auto& lids : rings.lids) flood_inside(walker, lids[0], lids[1], sockets);
  rings.sockets.assign(sockets.begin(), sockets.end());
  return rings;
}

}  // namespace mien::makehuman
