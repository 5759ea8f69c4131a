// From the moving head to the canonical one, as plain code for the processor and the GPU.
//
// Every vertex carries a turn B_v: the mean, over the triangles round it, of what turns the posed triangle's frame
// (tangent, bitangent, normal) back into the canonical one, made a rotation again and divided by how much the surface
// round it has grown. A point x whose nearest surface point p has the barycentric weights w goes to
//     x_c = c + B (x - p),  B = sum_k w_k B_k,  c = sum_k w_k c_k.
// Unlike one frame a triangle (PAV, INSTA, which blend it with its edge neighbours') this has no seams, and points of
// the surface stay points of the surface.
#pragma once

#include "mien/geometry/triangle_tree.h"

namespace mien::carry {

// Unit frame of a triangle as rows: tangent, bitangent, normal; returns twice its area (0: no frame).
MIEN_HD float triangle_frame(const float* a, const float* b, const float* c, float* rows) {
  float ab[3], ac[3];
  for (int k = 0; k < 3; ++k) {
    ab[k] = b[k] - a[k];
    ac[k] = c[k] - a[k];
  }
  float n[3] = {ab[1] * ac[2] - ab[2] * ac[1], ab[2] * ac[0] - ab[0] * ac[2], ab[0] * ac[1] - ab[1] * ac[0]};
  const float area = sqrtf(tree::dot(n, n)), length = sqrtf(tree::dot(ab, ab));
  if (!(area > 1e-14f) || !(length > 1e-14f)) return 0;
  for (int k = 0; k < 3; ++k) {
    rows[k] = ab[k] / length;
    rows[6 + k] = n[k] / area;
  }
  rows[3] = rows[7] * rows[2] - rows[8] * rows[1];
  rows[4] = rows[8] * rows[0] - rows[6] * rows[2];
  rows[5] = rows[6] * rows[1] - rows[7] * rows[0];
  return area;
}

// What never changes of a head.
struct Rest {
  int vertices;
  const float* canonical;  // [V,3]
  const int* faces;        // [F,3]
  const float* frames;     // [F,9] canonical triangle frames
  const float* areas;      // [F] twice the canonical areas
  const int* ring_begin;   // [V+1]
  const int* ring;         // the triangles round each vertex
};

constexpr float kLeastGrowth = 0.5f, kMostGrowth = 2.0f;

// The turn of a vertex, [9] row-major.
MIEN_HD void turn_of(const Rest& rest, const float* posed, int vertex, float* turn) {
  float sum[9] = {}, area_now = 0, area_rest = 0;
  for (int i = rest.ring_begin[vertex]; i < rest.ring_begin[vertex + 1]; ++i) {
    const int f = rest.ring[i];
    const int* t = rest.faces + 3 * f;
    float rows[9];
    const float area = triangle_frame(posed + 3 * t[0], posed + 3 * t[1], posed + 3 * t[2], rows);
    if (area == 0 || rest.areas[f] == 0) continue;
    const float* canonical = rest.frames + 9 * f;
    for (int r = 0; r < 3; ++r) {
      for (int c = 0; c < 3; ++c) {
        float value = 0;
        for (int k = 0; k < 3; ++k) value += canonical[3 * k + r] * rows[3 * k + c];
        sum[3 * r + c] += rest.areas[f] * value;
      }
    }
    area_now += area;
    area_rest += rest.areas[f];
  }
  // Gram and Schmidt over the rows; a vertex whose triangles disagree entirely keeps the axes.
  float* x = sum;
  float* y = sum + 3;
  const float lx = sqrtf(tree::dot(x, x));
  float ok = area_now > 0 && lx > 1e-3f * area_rest ? 1.0f : 0.0f;
  if (ok > 0) {
    for (int k = 0; k < 3; ++k) x[k] /= lx;
    const float xy = tree::dot(x, y);
    for (int k = 0; k < 3; ++k) y[k] -= xy * x[k];
    const float ly = sqrtf(tree::dot(y, y));
    ok = ly > 1e-3f * area_rest ? 1.0f : 0.0f;
    if (ok > 0) {
      for (int k = 0; k < 3; ++k) y[k] /= ly;
    }
  }
  if (ok == 0) {
    for (int k = 0; k < 9; ++k) turn[k] = k % 4 == 0 ? 1.0f : 0.0f;
    return;
  }
  const float growth = fminf(fmaxf(sqrtf(area_now / area_rest), kLeastGrowth), kMostGrowth);
  const float scale = 1 / growth;
  for (int k = 0; k < 3; ++k) {
    turn[k] = x[k] * scale;
    turn[3 + k] = y[k] * scale;
  }
  turn[6] = (x[1] * y[2] - x[2] * y[1]) * scale;
  turn[7] = (x[2] * y[0] - x[0] * y[2]) * scale;
  turn[8] = (x[0] * y[1] - x[1] * y[0]) * scale;
}

// A point's place in the canonical head.
struct Place {
  int face;  // -1: too far from the head
  int vertex[3];
  float weight[3];
  float x[3];      // canonical, metres
  float turn[9];   // turns and scales posed directions into canonical ones, row-major
  float distance;  // from the posed surface, metres
};

// `turns` [V,9] of the moment; `moved` is the tree over the posed head. `guess` as in tree::nearest().
MIEN_HD Place place_of(const Rest& rest, const tree::View& moved, const float* turns, const float* p, float limit,
                       int guess = -1) {
  const tree::Hit hit = tree::nearest(moved, p, limit * limit, guess);
  Place out;
  out.face = hit.face;
  if (hit.face < 0) return out;
  out.distance = sqrtf(hit.distance2);
  for (int k = 0; k < 9; ++k) out.turn[k] = 0;
  for (int k = 0; k < 3; ++k) out.x[k] = 0;
  for (int c = 0; c < 3; ++c) {
    const int v = rest.faces[3 * hit.face + c];
    const float w = hit.weight[c];
    out.vertex[c] = v;
    out.weight[c] = w;
    for (int k = 0; k < 9; ++k) out.turn[k] += w * turns[9 * v + k];
    for (int k = 0; k < 3; ++k) out.x[k] += w * rest.canonical[3 * v + k];
  }
  const float d[3] = {p[0] - hit.point[0], p[1] - hit.point[1], p[2] - hit.point[2]};
  for (int r = 0; r < 3; ++r) out.x[r] += tree::dot(out.turn + 3 * r, d);
  return out;
}

// A posed direction seen in the canonical head, unit length.
MIEN_HD void turn_direction(const float* turn, const float* d, float* out) {
  for (int r = 0; r < 3; ++r) out[r] = tree::dot(turn + 3 * r, d);
  const float length = sqrtf(tree::dot(out, out));
  const float scale = length > 1e-12f ? 1 / length : 0;
  for (int k = 0; k < 3; ++k) out[k] *= scale;
}

}  // namespace mien::carry
