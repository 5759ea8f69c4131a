// The rasteriser against a ray caster in double precision, and its promises about shared edges, culling and clipping.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/geometry/cuda.h"
#include "mien/geometry/preview.h"
#include "mien/geometry/raster.h"

namespace mien {
namespace {

struct Soup {
  std::vector<Vec3> positions;
  std::vector<Index3> faces;
};

Soup random_soup(int triangles, float size, std::uint64_t seed) {
  Random random(seed);
  Soup soup;
  for (int i = 0; i < triangles; ++i) {
    const Vec3 centre(random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(-1, 1));
    const int base = static_cast<int>(soup.positions.size());
    for (int k = 0; k < 3; ++k) {
      soup.positions.push_back(centre + size * Vec3(random.normal(), random.normal(), random.normal()));
    }
    soup.faces.emplace_back(base, base + 1, base + 2);
  }
  return soup;
}

struct RayHit {
  int face = -1;
  double depth = 1e30;
  double second = 1e30;  // next surface behind
  Eigen::Vector3d weights;
  double edge = 1;  // how close the ray passes to some edge, as a barycentric weight
};

// Casts the ray through a sample; independent of the rasteriser: intersection by solving the 3x3 system.
RayHit cast(const Soup& soup, const Camera& camera, double px, double py, double near) {
  RayHit hit;
  const Eigen::Matrix4d m = camera.world_to_camera.cast<double>();
  const Eigen::Vector3d ray((px - camera.cx) / camera.fx, (py - camera.cy) / camera.fy, 1);
  for (std::size_t f = 0; f < soup.faces.size(); ++f) {
    Eigen::Matrix3d corners;
    for (int k = 0; k < 3; ++k) {
      corners.col(k) = (m * soup.positions[soup.faces[f][k]].cast<double>().homogeneous()).head<3>();
    }
    const Eigen::Vector3d w = corners.inverse() * ray;  // ray = sum w_k corner_k / depth
    const double sum = w.sum();
    const Eigen::Vector3d b = w / sum;
    hit.edge = std::min(hit.edge, std::abs(b.minCoeff()));
    const double depth = 1 / sum;
    if (b.minCoeff() < 0 || depth < near) continue;
    if (depth < hit.depth) {
      hit.second = hit.depth;
      hit.depth = depth;
      hit.face = static_cast<int>(f);
      hit.weights = b;
    } else {
      hit.second = std::min(hit.second, depth);
    }
  }
  return hit;
}

// One body over the processor and the GPU.
class RasterOn : public testing::TestWithParam<const char*> {
 protected:
  bool cuda() const { return std::string(GetParam()) == "cuda"; }
  void SetUp() override {
    if (cuda() && !cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
  }
  void draw(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
            const RasterOptions& options, RasterBuffer& out) const {
    (cuda() ? rasterise_cuda : rasterise)(positions, faces, camera, options, out);
  }
  void expect_matches_rays(const Soup& soup, const Camera& camera, const RasterOptions& options) const;
};
INSTANTIATE_TEST_SUITE_P(Devices, RasterOn, testing::Values("cpu", "cuda"),
                         [](const auto& test) { return std::string(test.param); });

void RasterOn::expect_matches_rays(const Soup& soup, const Camera& camera, const RasterOptions& options) const {
  RasterBuffer buffer;
  draw(soup.positions, soup.faces, camera, options, buffer);
  int compared = 0, covered = 0, skipped = 0;
  for (int y = 0; y < buffer.height; ++y) {
    for (int x = 0; x < buffer.width; ++x) {
      const double ss = options.supersample;
      const RayHit hit = cast(soup, camera, (x + 0.5) / ss, (y + 0.5) / ss, options.near_plane);
      const std::size_t i = buffer.index(x, y);
      // Snapping moves edges by 1/512 sample: leave out rays that graze an edge or two surfaces at one depth.
      const bool tie = hit.face >= 0 && hit.second - hit.depth < 2e-3;
      if (hit.edge < 2e-3 || tie || std::abs(hit.depth - options.near_plane) < 1e-3) {
        ++skipped;
        continue;
      }
      ++compared;
      ASSERT_EQ(buffer.face[i], hit.face) << x << " " << y;
      if (hit.face < 0) {
        EXPECT_TRUE(std::isinf(buffer.depth[i]));
        continue;
      }
      ++covered;
      EXPECT_NEAR(buffer.depth[i], hit.depth, 4e-3 * hit.depth);
      for (int k = 0; k < 3; ++k) EXPECT_NEAR(buffer.weights(i)[k], hit.weights[k], 0.02);
    }
  }
  EXPECT_GT(compared, 2 * skipped);
  EXPECT_GT(covered, compared / 10);
}

TEST_P(RasterOn, AgreesWithRayCaster) {
  expect_matches_rays(random_soup(12, 0.4f, 1), look_at({0.3f, 0.2f, 4}, {0, 0, 0}, 0.6f, 61, 47), {});
}

TEST_P(RasterOn, SupersamplesLikeALargerPicture) {
  expect_matches_rays(random_soup(8, 0.5f, 2), look_at({1, 2, 3}, {0, 0, 0}, 0.6f, 33, 29), {.supersample = 2});
}

TEST_P(RasterOn, ClipsAtTheNearPlane) {
  // The camera sits inside the soup, so faces cross the near plane and pass behind it.
  expect_matches_rays(random_soup(12, 1.0f, 3), look_at({0, 0, 0.3f}, {0, 0, -1}, 1.2f, 48, 48), {.near_plane = 0.2f});
}

TEST_P(RasterOn, SharedEdgesLeaveNoGapAndNoOverlap) {
  // A fan of thin triangles round a centre that is no sample; every sample inside is covered once.
  const Camera camera = look_at({0, 0, 2}, {0, 0, 0}, 0.8f, 64, 64);
  Soup fan;
  fan.positions.emplace_back(0.0123f, 0.0077f, 0);
  constexpr int kSpokes = 97;
  for (int i = 0; i < kSpokes; ++i) {
    const float a = 6.2831853f * static_cast<float>(i) / kSpokes;
    fan.positions.emplace_back(0.9f * std::cos(a), 0.9f * std::sin(a), 0);
  }
  for (int i = 0; i < kSpokes; ++i) fan.faces.emplace_back(0, 1 + i, 1 + (i + 1) % kSpokes);
  std::vector<int> count(64 * 64, 0);
  for (const Index3& face : fan.faces) {
    RasterBuffer one;
    draw(fan.positions, std::vector<Index3>{face}, camera, {}, one);
    for (std::size_t i = 0; i < count.size(); ++i) count[i] += one.face[i] >= 0 ? 1 : 0;
  }
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const double wx = (x + 0.5 - 32) / camera.fx * 2, wy = (y + 0.5 - 32) / camera.fy * 2;
      const double radius = std::hypot(wx, wy);
      EXPECT_GE(count[y * 64 + x], radius < 0.88 ? 1 : 0) << x << " " << y;
      EXPECT_LE(count[y * 64 + x], 1) << x << " " << y;
    }
  }
}

TEST_P(RasterOn, CullsBackFacesOnly) {
  const Camera camera = look_at({0, 0, 2}, {0, 0, 0}, 0.8f, 16, 16);
  const std::vector<Vec3> positions = {{-1, -1, 0}, {1, -1, 0}, {0, 1, 0}};  // counter-clockwise from +z
  RasterBuffer buffer;
  draw(positions, std::vector<Index3>{{0, 1, 2}}, camera, {.cull_back_faces = true}, buffer);
  EXPECT_EQ(buffer.face[buffer.index(8, 8)], 0);
  draw(positions, std::vector<Index3>{{0, 2, 1}}, camera, {.cull_back_faces = true}, buffer);
  EXPECT_EQ(buffer.face[buffer.index(8, 8)], -1);
  draw(positions, std::vector<Index3>{{0, 2, 1}}, camera, {}, buffer);
  EXPECT_EQ(buffer.face[buffer.index(8, 8)], 0);
}

// The oracle of the GPU's is the processor's: sizes from a part of a sample to many pictures, cut by the near plane.
TEST(Raster, TheGpuSeesTheSameSamples) {
  if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
  for (const float size : {0.01f, 0.1f, 1.0f, 30.0f}) {
    for (const bool cull : {false, true}) {
      const Soup soup = random_soup(size < 1 ? 20000 : 500, size, 7);
      const Camera camera = look_at({0.2f, 0.1f, size < 1 ? 3.0f : 0.5f}, {0, 0, -1}, 0.8f, 203, 157);
      const RasterOptions options = {.supersample = 2, .cull_back_faces = cull, .near_plane = 0.05f};
      RasterBuffer host, device, again;
      rasterise(soup.positions, soup.faces, camera, options, host);
      rasterise_cuda(soup.positions, soup.faces, camera, options, device);
      rasterise_cuda(soup.positions, soup.faces, camera, options, again);
      EXPECT_EQ(device.face, again.face);
      EXPECT_EQ(device.depth, again.depth);
      // Where the weights say the sample lies, in pixels: weights themselves mean little in slivers.
      const auto seen = [&](const RasterBuffer& buffer, std::size_t i) {
        const Index3& face = soup.faces[buffer.face[i]];
        Vec3 at = Vec3::Zero();
        for (int k = 0; k < 3; ++k) at += buffer.weights(i)[k] * soup.positions[face[k]];
        return camera.project(at);
      };
      int different = 0, covered = 0;
      for (std::size_t i = 0; i < host.face.size(); ++i) {
        covered += host.face[i] >= 0 ? 1 : 0;
        if (host.face[i] != device.face[i]) {
          ++different;
        } else if (host.face[i] >= 0) {
          // A corner between two multiples of 1/256 sample may go either way, which tells in steep faces.
          EXPECT_NEAR(device.depth[i], host.depth[i], 1e-4f * host.depth[i]);
          EXPECT_LT((seen(device, i) - seen(host, i)).norm(), 0.02f);
        }
      }
      EXPECT_GT(covered, 1000) << size;
      EXPECT_LE(different, covered / 10000) << size;  // two faces at all but one depth
    }
  }
}

TEST(Raster, SameResultForAnyThreadCount) {
  const Soup soup = random_soup(300, 0.2f, 4);
  const Camera camera = look_at({0, 0, 4}, {0, 0, 0}, 0.6f, 90, 70);
  const int before = thread_count();
  RasterBuffer one, four;
  set_thread_count(1);
  rasterise(soup.positions, soup.faces, camera, {}, one);
  set_thread_count(4);
  rasterise(soup.positions, soup.faces, camera, {}, four);
  set_thread_count(before);
  EXPECT_EQ(one.face, four.face);
  EXPECT_EQ(one.depth, four.depth);
}

TEST(Raster, LayersAreSortedAndEndAtTheFirstOpaque) {
  const Soup soup = random_soup(60, 0.6f, 5);
  const Camera camera = look_at({0, 0, 4}, {0, 0, 0}, 0.6f, 40, 40);
  RasterBuffer empty;
  rasterise(soup.positions, std::vector<Index3>{}, camera, {}, empty);
  const auto alpha = [](int face, float, float) { return face % 7 == 0 ? 1.0f : face % 7 == 1 ? 0.0f : 0.5f; };
  std::vector<std::vector<int>> seen(40 * 40);
  rasterise_layers(soup.positions, soup.faces, camera, {}, empty, 100, alpha,
                   [&](int x, int y, std::span<const Fragment> fragments) {
                     for (const Fragment& f : fragments) seen[y * 40 + x].push_back(f.face);
                   });
  // Oracle: each face drawn alone, kept when visible, sorted by its depth, cut after the first opaque one.
  std::vector<std::map<float, int>> depth_of(40 * 40);
  for (std::size_t f = 0; f < soup.faces.size(); ++f) {
    if (f % 7 == 1) continue;
    RasterBuffer one;
    rasterise(soup.positions, std::vector<Index3>{soup.faces[f]}, camera, {}, one);
    for (std::size_t i = 0; i < one.face.size(); ++i) {
      if (one.face[i] >= 0) depth_of[i][one.depth[i]] = static_cast<int>(f);
    }
  }
  int total = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    std::vector<int> wanted;
    for (const auto& [depth, face] : depth_of[i]) {
      wanted.push_back(face);
      if (face % 7 == 0) break;
    }
    EXPECT_EQ(seen[i], wanted) << i;
    total += static_cast<int>(wanted.size());
  }
  EXPECT_GT(total, 1000);
}

TEST_P(RasterOn, RefusesImpossibleOptions) {
  const Soup soup = random_soup(1, 0.5f, 6);
  RasterBuffer buffer;
  Camera camera = look_at({0, 0, 2}, {0, 0, 0}, 0.8f, 16, 16);
  EXPECT_THROW(draw(soup.positions, soup.faces, camera, {.supersample = 0}, buffer), Error);
  EXPECT_THROW(draw(soup.positions, soup.faces, camera, {.near_plane = 0}, buffer), Error);
  camera.width = 0;
  EXPECT_THROW(draw(soup.positions, soup.faces, camera, {}, buffer), Error);
}

TEST(Preview, PaintsVertexColoursOverTheBackground) {
  const Camera camera = look_at({0, 0, 2}, {0, 0, 0}, 0.8f, 32, 32);
  const std::vector<Vec3> positions = {{-0.5f, -0.5f, 0}, {0.5f, -0.5f, 0}, {0, 0.5f, 0}};
  const std::vector<Vec3> red(3, Vec3(1, 0, 0));
  const Image8 image = shade_preview(positions, std::vector<Index3>{{0, 1, 2}}, camera, {.vertex_colour = red});
  EXPECT_GT(image.at(16, 16)[0], 150);
  EXPECT_EQ(image.at(16, 16)[1], 0);
  EXPECT_EQ(image.at(0, 0)[1], 255);
}

}  // namespace
}  // namespace mien
