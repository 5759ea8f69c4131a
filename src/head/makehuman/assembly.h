// From the whole body to our head: which faces stay, and the one vertex list that all parts share.
#pragma once

#include <string>
#include <vector>

#include "head/makehuman/source.h"
#include "mien/head/head_model.h"

namespace mien::makehuman {

// Every vertex of ours as a combination of MakeHuman's: anything known on the body carries over to all parts.
struct Element {
  Index3 body = Index3::Zero();
  Vec3 weights = Vec3(1, 0, 0);
  Vec3 offset = Vec3::Zero();
};

struct Assembly {
  std::vector<Element> elements;  // [V]
  std::vector<int> from_body;     // [body vertices] our vertex, or -1 where the body is cut away
  std::vector<Index3> faces;      // [F]
  std::vector<Vec2> uv;
  std::vector<Index3> face_uv;        // [F]
  std::vector<HeadPart> face_part;    // [F]
  std::vector<HeadPart> vertex_part;  // [V]

  std::vector<Vec3> positions(const std::vector<Vec3>& body) const;      // with offsets
  std::vector<Vec3> displacements(const std::vector<Vec3>& body) const;  // without
  std::vector<int> vertices_of(HeadPart part) const;
  void add(const Proxy& proxy, const std::vector<HeadPart>& quad_part);
};

// `body` is the base person. Keeps the skin down to the armpits and the upper arms.
Assembly assemble(const Source& source, const std::vector<Vec3>& body);

}  // namespace mien::makehuman
