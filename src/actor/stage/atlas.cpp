#include "actor/stage/atlas.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mien/geometry/raster.h"

namespace mien::stage {
namespace {

constexpr float kGutter = 4;         // texels round each chart
constexpr float kMinorScale = 0.3f;  // texel density of charts other than the face's

struct Chart {
  std::vector<int> faces;
  Vec2 low = Vec2::Constant(1e9f), high = Vec2::Constant(-1e9f);
  int facial = 0;  // faces on the face proper
  Vec2 size() const { return high - low; }
};

int find_root(std::vector<int>& parent, int i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

std::vector<Chart> find_charts(const HeadModel& model) {
  std::vector<int> parent(model.mesh.uv.size());
  std::iota(parent.begin(), parent.end(), 0);
  const int faces = model.mesh.face_count();
  for (int f = 0; f < faces; ++f) {
    if (model.face_part[f] != HeadPart::kSkin) continue;
    const Index3& t = model.mesh.face_uv[f];
    parent[find_root(parent, t[0])] = find_root(parent, t[1]);
    parent[find_root(parent, t[1])] = find_root(parent, t[2]);
  }
  std::vector<int> chart_of(parent.size(), -1);
  std::vector<Chart> charts;
  for (int f = 0; f < faces; ++f) {
    if (model.face_part[f] != HeadPart::kSkin) continue;
    const int root = find_root(parent, model.mesh.face_uv[f][0]);
    if (chart_of[root] < 0) {
      chart_of[root] = static_cast<int>(charts.size());
      charts.emplace_back();
    }
    Chart& chart = charts[chart_of[root]];
    chart.faces.push_back(f);
    for (int k = 0; k < 3; ++k) {
      chart.low = chart.low.cwiseMin(model.mesh.uv[model.mesh.face_uv[f][k]]);
      chart.high = chart.high.cwiseMax(model.mesh.uv[model.mesh.face_uv[f][k]]);
    }
    const HeadRegion region = model.region[model.mesh.faces[f][0]];
    chart.facial += region == HeadRegion::kFace || region == HeadRegion::kNose || region == HeadRegion::kForehead;
  }
  std::sort(charts.begin(), charts.end(), [](const Chart& a, const Chart& b) {
    return a.facial != b.facial ? a.facial > b.facial : a.size().y() > b.size().y();
  });
  return charts;
}

}  // namespace

Atlas make_atlas(const HeadModel& model, int width) {
  Atlas atlas;
  atlas.width = width;
  atlas.corner.resize(model.mesh.faces.size(), {Vec2::Zero(), Vec2::Zero(), Vec2::Zero()});
  const std::vector<Chart> charts = find_charts(model);
  if (charts.empty()) return atlas;
  const float density = (static_cast<float>(width) - 2 * kGutter) / std::max(charts[0].size().x(), 1e-6f);
  Vec2 at(kGutter, kGutter);  // where the next chart goes: shelves from left to right, then up
  float shelf = 0;
  double area = 0, texels = 0;
  for (std::size_t c = 0; c < charts.size(); ++c) {
    const Chart& chart = charts[c];
    float scale = c == 0 ? density : density * kMinorScale;
    scale = std::min(scale, (static_cast<float>(width) - 2 * kGutter) / std::max(chart.size().x(), 1e-6f));
    const Vec2 size = chart.size() * scale;
    if (at.x() + size.x() > static_cast<float>(width) - kGutter + 0.5f) {
      at = Vec2(kGutter, at.y() + shelf + kGutter);
      shelf = 0;
    }
    for (const int f : chart.faces) {
      for (int k = 0; k < 3; ++k) {
        atlas.corner[f][k] = at + (model.mesh.uv[model.mesh.face_uv[f][k]] - chart.low) * scale;
      }
      if (c != 0) continue;
      const Index3& v = model.mesh.faces[f];
      const std::vector<Vec3>& p = model.mesh.positions;
      const Vec2 e1 = atlas.corner[f][1] - atlas.corner[f][0], e2 = atlas.corner[f][2] - atlas.corner[f][0];
      area += (p[v[1]] - p[v[0]]).cross(p[v[2]] - p[v[0]]).norm();
      texels += std::abs(e1.x() * e2.y() - e1.y() * e2.x());
    }
    at.x() += size.x() + kGutter;
    shelf = std::max(shelf, size.y());
  }
  atlas.height = (static_cast<int>(std::ceil(at.y() + shelf + kGutter)) + 3) / 4 * 4;
  atlas.texel = static_cast<float>(std::sqrt(area / std::max(texels, 1e-9)));
  return atlas;
}

std::vector<AtlasTexel> cover_atlas(const Atlas& atlas, const HeadModel& model, int reduction) {
  // The rasteriser draws the flat layout: depth 1, focal length 1, principal point 0.
  std::vector<Vec3> flat;
  std::vector<Index3> faces;
  std::vector<int> face_of;
  const auto scale = 1 / static_cast<float>(reduction);
  for (std::size_t f = 0; f < atlas.corner.size(); ++f) {
    if (model.face_part[f] != HeadPart::kSkin) continue;
    const int base = static_cast<int>(flat.size());
    for (const Vec2& c : atlas.corner[f]) flat.emplace_back(c.x() * scale, c.y() * scale, 1);
    faces.emplace_back(base, base + 1, base + 2);
    face_of.push_back(static_cast<int>(f));
  }
  Camera camera;
  camera.width = atlas.width / reduction;
  camera.height = atlas.height / reduction;
  camera.fx = camera.fy = 1;
  camera.cx = camera.cy = 0;
  RasterBuffer buffer;
  rasterise(flat, faces, camera, {}, buffer);
  std::vector<AtlasTexel> texels(buffer.face.size());
  for (std::size_t i = 0; i < texels.size(); ++i) {
    if (buffer.face[i] < 0) continue;
    texels[i] = {face_of[buffer.face[i]], buffer.barycentric[i].x(), buffer.barycentric[i].y()};
  }
  return texels;
}

}  // namespace mien::stage
