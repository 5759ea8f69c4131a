// The bounding volume hierarchy of nearest.h as plain data, with its two questions: which triangle is nearest to a
// point, and which one a ray meets first. The same code for the processor and the GPU; needs neither Eigen nor CUDA.
#pragma once

#include <cmath>

#ifndef MIEN_HD
#ifdef __CUDACC__
#define MIEN_HD __host__ __device__ inline
#else
#define MIEN_HD inline
#endif
#endif

namespace mien::tree {

struct Node {
  float low[3], high[3];
  int first;  // leaf: first entry of the order; inner: the left child is the next node, this is the right one
  int count;  // triangles of a leaf; 0 for inner nodes
};

// Children have higher indices than their parents; the depth stays below kMostDepth.
constexpr int kMostDepth = 40;
struct View {
  const Node* nodes;
  const int* order;        // [F] faces in the order of the leaves
  const float* positions;  // [V,3]
  const int* faces;        // [F,3]
  int node_count;
};

struct Hit {
  int face;         // -1: nothing within the distance asked for
  float weight[3];  // barycentric, sum 1
  float point[3];   // on the surface
  float distance2;  // squared
};

struct RayHit {
  int face;  // -1: nothing
  float t;   // along the direction
  float weight[3];
};

MIEN_HD float dot(const float* a, const float* b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

MIEN_HD float box_distance2(const float* p, const Node& node) {
  float sum = 0;
  for (int k = 0; k < 3; ++k) {
    const float d = fmaxf(fmaxf(node.low[k] - p[k], p[k] - node.high[k]), 0.0f);
    sum += d * d;
  }
  return sum;
}

// Point of triangle abc nearest to p, as barycentric weights (Ericson, Real-Time Collision Detection, 5.1.5).
MIEN_HD void nearest_weights(const float* p, const float* a, const float* b, const float* c, float* w) {
  float ab[3], ac[3], ap[3], bp[3], cp[3];
  for (int k = 0; k < 3; ++k) {
    ab[k] = b[k] - a[k];
    ac[k] = c[k] - a[k];
    ap[k] = p[k] - a[k];
    bp[k] = p[k] - b[k];
    cp[k] = p[k] - c[k];
  }
  const auto set = [w](float u, float v, float x) {
    w[0] = u;
    w[1] = v;
    w[2] = x;
  };
  const float d1 = dot(ab, ap), d2 = dot(ac, ap);
  if (d1 <= 0 && d2 <= 0) return set(1, 0, 0);
  const float d3 = dot(ab, bp), d4 = dot(ac, bp);
  if (d3 >= 0 && d4 <= d3) return set(0, 1, 0);
  const float vc = d1 * d4 - d3 * d2;
  if (vc <= 0 && d1 >= 0 && d3 <= 0) {
    const float v = d1 > d3 ? d1 / (d1 - d3) : 0;
    return set(1 - v, v, 0);
  }
  const float d5 = dot(ab, cp), d6 = dot(ac, cp);
  if (d6 >= 0 && d5 <= d6) return set(0, 0, 1);
  const float vb = d5 * d2 - d1 * d6;
  if (vb <= 0 && d2 >= 0 && d6 <= 0) {
    const float x = d2 > d6 ? d2 / (d2 - d6) : 0;
    return set(1 - x, 0, x);
  }
  const float va = d3 * d6 - d5 * d4;
  if (va <= 0 && d4 - d3 >= 0 && d5 - d6 >= 0) {
    const float sum = (d4 - d3) + (d5 - d6);
    const float x = sum > 0 ? (d4 - d3) / sum : 0;
    return set(0, 1 - x, x);
  }
  const float inverse = 1 / (va + vb + vc);
  set(va * inverse, vb * inverse, vc * inverse);
}

// Takes `face` into `hit` when it is at most as far.
MIEN_HD void try_face(const View& tree, const float* p, int face, Hit& hit) {
  const float* a = tree.positions + 3 * tree.faces[3 * face];
  const float* b = tree.positions + 3 * tree.faces[3 * face + 1];
  const float* c = tree.positions + 3 * tree.faces[3 * face + 2];
  float w[3], on[3], d2 = 0;
  nearest_weights(p, a, b, c, w);
  for (int k = 0; k < 3; ++k) {
    on[k] = w[0] * a[k] + w[1] * b[k] + w[2] * c[k];
    d2 += (p[k] - on[k]) * (p[k] - on[k]);
  }
  if (!(d2 <= hit.distance2)) return;
  hit.face = face;
  hit.distance2 = d2;
  for (int k = 0; k < 3; ++k) {
    hit.weight[k] = w[k];
    hit.point[k] = on[k];
  }
}

// The nearest triangle at most sqrt(limit2) away. At equal distance any of the nearest may be named. `guess`: a face
// that may be near (of the sample before, say), which makes the search shorter; -1 for none.
MIEN_HD Hit nearest(const View& tree, const float* p, float limit2, int guess = -1) {
  Hit hit = {};
  hit.face = -1;
  hit.distance2 = limit2;
  if (tree.node_count == 0) return hit;
  if (guess >= 0) try_face(tree, p, guess, hit);
  int stack[kMostDepth];
  float far[kMostDepth];
  int top = 0;
  int at = 0;
  float distance2 = box_distance2(p, tree.nodes[0]);
  while (true) {
    if (distance2 <= hit.distance2) {
      const Node& node = tree.nodes[at];
      if (node.count == 0) {
        const float left = box_distance2(p, tree.nodes[at + 1]), right = box_distance2(p, tree.nodes[node.first]);
        const bool left_first = left <= right;
        stack[top] = left_first ? node.first : at + 1;
        far[top++] = left_first ? right : left;
        at = left_first ? at + 1 : node.first;
        distance2 = left_first ? left : right;
        continue;
      }
      for (int i = node.first; i < node.first + node.count; ++i) try_face(tree, p, tree.order[i], hit);
    }
    if (top == 0) return hit;
    at = stack[--top];
    distance2 = far[top];
  }
}

// Whether the ray from o, with the inverse of its direction, meets the box between t = 0 and `limit`.
MIEN_HD bool meets_box(const Node& node, const float* o, const float* inverse, float limit) {
  float near = 0, far = limit;
  for (int k = 0; k < 3; ++k) {
    const float a = (node.low[k] - o[k]) * inverse[k], b = (node.high[k] - o[k]) * inverse[k];
    near = fmaxf(near, fminf(a, b));
    far = fminf(far, fmaxf(a, b));
  }
  return near <= far;
}

// The first triangle, seen from either side, that o + t d meets with t in (0, limit] (Moeller and Trumbore 1997).
MIEN_HD RayHit first_hit(const View& tree, const float* o, const float* d, float limit) {
  RayHit hit = {};
  hit.face = -1;
  hit.t = limit;
  if (tree.node_count == 0) return hit;
  float inverse[3];
  for (int k = 0; k < 3; ++k) inverse[k] = 1 / (d[k] == 0 ? 1e-30f : d[k]);
  int stack[kMostDepth];
  int top = 0;
  stack[top++] = 0;
  while (top > 0) {
    const int at = stack[--top];
    const Node& node = tree.nodes[at];
    if (!meets_box(node, o, inverse, hit.t)) continue;
    if (node.count == 0) {
      stack[top++] = node.first;
      stack[top++] = at + 1;
      continue;
    }
    for (int i = node.first; i < node.first + node.count; ++i) {
      const int face = tree.order[i];
      const float* a = tree.positions + 3 * tree.faces[3 * face];
      const float* b = tree.positions + 3 * tree.faces[3 * face + 1];
      const float* c = tree.positions + 3 * tree.faces[3 * face + 2];
      float ab[3], ac[3], ao[3];
      for (int k = 0; k < 3; ++k) {
        ab[k] = b[k] - a[k];
        ac[k] = c[k] - a[k];
        ao[k] = o[k] - a[k];
      }
      const float p[3] = {d[1] * ac[2] - d[2] * ac[1], d[2] * ac[0] - d[0] * ac[2], d[0] * ac[1] - d[1] * ac[0]};
      const float determinant = dot(ab, p);
      if (determinant == 0) continue;
      const float scale = 1 / determinant;
      const float v = dot(ao, p) * scale;
      const float q[3] = {ao[1] * ab[2] - ao[2] * ab[1], ao[2] * ab[0] - ao[0] * ab[2], ao[0] * ab[1] - ao[1] * ab[0]};
      const float w = dot(d, q) * scale, t = dot(ac, q) * scale;
      if (v < 0 || w < 0 || v + w > 1 || !(t > 0) || t > hit.t) continue;
      hit.face = face;
      hit.t = t;
      hit.weight[0] = 1 - v - w;
      hit.weight[1] = v;
      hit.weight[2] = w;
    }
  }
  return hit;
}

// The box of one node from its triangles or its children's boxes: refitting goes from the last node to the first.
MIEN_HD void fit_box(const View& tree, Node* nodes, int at) {
  Node& node = nodes[at];
  if (node.count == 0) {
    const Node &left = nodes[at + 1], &right = nodes[node.first];
    for (int k = 0; k < 3; ++k) {
      node.low[k] = fminf(left.low[k], right.low[k]);
      node.high[k] = fmaxf(left.high[k], right.high[k]);
    }
    return;
  }
  for (int k = 0; k < 3; ++k) {
    node.low[k] = 3.4e38f;
    node.high[k] = -3.4e38f;
  }
  for (int i = node.first; i < node.first + node.count; ++i) {
    for (int c = 0; c < 3; ++c) {
      const float* p = tree.positions + 3 * tree.faces[3 * tree.order[i] + c];
      for (int k = 0; k < 3; ++k) {
        node.low[k] = fminf(node.low[k], p[k]);
        node.high[k] = fmaxf(node.high[k], p[k]);
      }
    }
  }
}

}  // namespace mien::tree
