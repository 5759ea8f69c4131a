// Where the Gaussians of a still scene start: points on which neighbouring pictures agree.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/scene/scene.h"
#include "scene/scene_views.h"

namespace mien {
namespace {

using scene::View;

constexpr int kSide = 256;         // pixels: pictures are compared at this size
constexpr int kReach = 3;          // of a patch round its centre, pixels
constexpr int kDepths = 96;        // tried along a ray, evenly in 1 / depth
constexpr int kNeighbours = 6;     // cameras compared with
constexpr float kNearest = 0.35f;  // of the distance to where the cameras look
constexpr float kFarthest = 8.0f;  // likewise
constexpr float kAgreed = 0.75f;   // correlation that settles a depth
constexpr float kShDc = 0.28209479177387814f;
constexpr float kOpacity = 0.3f;

struct SmallView {
  Camera camera;
  ImageF grey;
  Image8 rgb, matte;
};

Camera reduced(Camera camera, float sx, float sy, int width, int height) {
  camera.fx *= sx;
  camera.cx *= sx;
  camera.fy *= sy;
  camera.cy *= sy;
  camera.width = width;
  camera.height = height;
  return camera;
}

SmallView small_view(const View& view, const CaptureFrame& frame) {
  const float scale =
      std::min(1.0f, static_cast<float>(kSide) / static_cast<float>(std::max(frame.rgb.width, frame.rgb.height)));
  const int w = std::max(1, static_cast<int>(std::lround(static_cast<float>(frame.rgb.width) * scale)));
  const int h = std::max(1, static_cast<int>(std::lround(static_cast<float>(frame.rgb.height) * scale)));
  SmallView out;
  out.camera = reduced(view.camera, static_cast<float>(w) / static_cast<float>(frame.rgb.width),
                       static_cast<float>(h) / static_cast<float>(frame.rgb.height), w, h);
  out.rgb = resize_image(frame.rgb, w, h);
  out.matte = resize_image(frame.matte, w, h);
  out.grey = ImageF(w, h, 1);
  for (std::size_t i = 0; i < out.grey.pixels.size(); ++i) {
    const std::uint8_t* p = &out.rgb.pixels[i * 3];
    out.grey.pixels[i] = (0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2]) / 255;
  }
  return out;
}

// The distance at which the cameras' axes come closest to each other.
float focus_distance(const std::vector<SmallView>& views) {
  Mat3 left = Mat3::Identity() * 1e-6f;
  Vec3 right = Vec3::Zero();
  for (const SmallView& v : views) {
    const Vec3 axis = v.camera.world_to_camera.row(2).head<3>();
    const Mat3 across = Mat3::Identity() - axis * axis.transpose();
    left += across;
    right += across * v.camera.centre();
  }
  const Vec3 focus = left.inverse() * right;
  std::vector<float> depths;
  for (const SmallView& v : views) depths.push_back(v.camera.to_camera(focus).z());
  std::nth_element(depths.begin(), depths.begin() + static_cast<std::ptrdiff_t>(depths.size() / 2), depths.end());
  return std::max(1e-3f, depths[depths.size() / 2]);
}

// For each view the others, those first whose centres are near but not so near that nothing moves between them.
std::vector<std::vector<int>> neighbours_of(const std::vector<SmallView>& views, float distance) {
  std::vector<std::vector<int>> out(views.size());
  for (std::size_t a = 0; a < views.size(); ++a) {
    std::vector<std::pair<float, int>> order;
    for (std::size_t b = 0; b < views.size(); ++b) {
      const float apart = (views[a].camera.centre() - views[b].camera.centre()).norm() / distance;
      if (a != b) order.emplace_back(std::abs(apart - 0.1f), static_cast<int>(b));
    }
    std::sort(order.begin(), order.end());
    for (std::size_t k = 0; k < std::min<std::size_t>(kNeighbours, order.size()); ++k) {
      out[a].push_back(order[k].second);
    }
  }
  return out;
}

constexpr int kPatch = (2 * kReach + 1) * (2 * kReach + 1);
using Patch = std::array<float, kPatch>;

// Zero mean, unit length. False outside the picture; flat patches keep length 0.
bool take_patch(const ImageF& image, const Vec2& at, Patch& patch) {
  const int x0 = static_cast<int>(std::floor(at.x())) - kReach, y0 = static_cast<int>(std::floor(at.y())) - kReach;
  if (x0 < 0 || y0 < 0 || x0 + 2 * kReach >= image.width || y0 + 2 * kReach >= image.height) return false;
  float mean = 0;
  for (int i = 0; i < kPatch; ++i) {
    patch[i] = *image.at(x0 + i % (2 * kReach + 1), y0 + i / (2 * kReach + 1));
    mean += patch[i] / kPatch;
  }
  float squares = 1e-4f;  // noise: flat patches agree with nothing
  for (float& v : patch) {
    v -= mean;
    squares += v * v;
  }
  for (float& v : patch) v /= std::sqrt(squares);
  return true;
}

struct Seed {
  int view = 0;
  Vec2 pixel = Vec2::Zero();  // in the small view
  float depth = 0;
  float agreement = -1;
};

Vec3 unproject(const Camera& camera, const Vec2& pixel, float depth) {
  const Vec3 local((pixel.x() - camera.cx) / camera.fx * depth, (pixel.y() - camera.cy) / camera.fy * depth, depth);
  return camera.world_to_camera.topLeftCorner<3, 3>().transpose() *
         (local - camera.world_to_camera.topRightCorner<3, 1>());
}

// The depth at which the better half of the neighbours agrees most.
void sweep(const std::vector<SmallView>& views, const std::vector<int>& neighbours, float distance, Seed& seed) {
  const SmallView& home = views[seed.view];
  Patch mine, theirs;
  if (!take_patch(home.grey, seed.pixel, mine)) return;
  for (int d = 0; d < kDepths; ++d) {
    const float t = (static_cast<float>(d) + 0.5f) / kDepths;
    const float depth = distance / ((1 - t) / kNearest + t / kFarthest);
    const Vec3 point = unproject(home.camera, seed.pixel, depth);
    std::vector<float> scores;
    for (const int n : neighbours) {
      const SmallView& other = views[n];
      if (other.camera.to_camera(point).z() <= 0) continue;
      const Vec2 at = other.camera.project(point);
      if (!take_patch(other.grey, at, theirs)) continue;
      if (*other.matte.at(static_cast<int>(at.x()), static_cast<int>(at.y())) < 128) {
        scores.push_back(-1);  // the person is not there
        continue;
      }
      scores.push_back(std::inner_product(mine.begin(), mine.end(), theirs.begin(), 0.0f));
    }
    if (scores.empty()) continue;
    std::sort(scores.begin(), scores.end(), std::greater<>());
    const std::size_t half = (scores.size() + 1) / 2;
    const float score = std::accumulate(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(half), 0.0f) /
                        static_cast<float>(half);
    if (score > seed.agreement) {
      seed.agreement = score;
      seed.depth = depth;
    }
  }
}

// Where nothing agrees (flat skin, walls) the depth of the nearest settled pixels of the picture is taken.
void fill_unsettled(std::vector<Seed>& seeds, std::size_t views, float distance, Random& random) {
  std::vector<std::vector<const Seed*>> settled(views);
  for (const Seed& s : seeds) {
    if (s.agreement >= kAgreed) settled[s.view].push_back(&s);
  }
  for (Seed& s : seeds) {
    if (s.agreement >= kAgreed) continue;
    float best = 1e30f;
    s.depth = distance * random.uniform(0.8f, 1.3f);
    for (const Seed* other : settled[s.view]) {
      const float apart = (other->pixel - s.pixel).squaredNorm();
      if (apart < best) {
        best = apart;
        s.depth = other->depth * random.uniform(0.98f, 1.02f);
      }
    }
  }
}

void add_gaussian(Gaussians& g, const Vec3& mean, float scale, const std::array<std::uint8_t, 3>& colour) {
  for (int k = 0; k < 3; ++k) {
    g.means.push_back(mean[k]);
    g.log_scales.push_back(std::log(std::max(scale, 1e-6f)));
  }
  for (const float q : {1.0f, 0.0f, 0.0f, 0.0f}) g.quats.push_back(q);
  g.opacity_logits.push_back(std::log(kOpacity / (1 - kOpacity)));
  g.sh.resize(g.sh.size() + 3 * kShCoefficients, 0.0f);
  for (std::size_t c = 0; c < 3; ++c) {
    g.sh[g.sh.size() - 3 * kShCoefficients + c] = (static_cast<float>(colour[c]) / 255 - 0.5f) / kShDc;
  }
}

}  // namespace

Gaussians initial_scene(const Capture& capture, const SceneTrainOptions& options) {
  const std::vector<View> views = scene::views_of(capture, options.split, 2);
  FrameCache cache(capture, std::size_t{64} << 20);
  std::vector<SmallView> small;
  for (const View& view : views) small.push_back(small_view(view, *cache.get(*view.sequence, *view.view, 0)));
  const float distance = focus_distance(small);
  const std::vector<std::vector<int>> neighbours = neighbours_of(small, distance);
  Random random(options.seed, 3);
  const int count = std::min(options.initial_points, options.max_gaussians);
  // Pixels between Gaussians in a picture that shows them all: what they must cover.
  const float spacing = std::sqrt(static_cast<float>(small[0].camera.width) *
                                  static_cast<float>(small[0].camera.height) / static_cast<float>(count));
  Gaussians out;
  const CapturePoints known = capture.load_points();
  const std::size_t stride = known.positions.size() / static_cast<std::size_t>(count) + 1;
  for (std::size_t i = 0; i < known.positions.size(); i += stride) {
    float nearest = 1e30f;
    for (const SmallView& v : small) {
      const float depth = v.camera.to_camera(known.positions[i]).z();
      if (depth > 0) nearest = std::min(nearest, depth / v.camera.fx);
    }
    if (nearest < 1e30f) add_gaussian(out, known.positions[i], 0.7f * spacing * nearest, known.colours[i]);
  }
  std::vector<Seed> seeds;
  for (int tries = 0; tries < 50 * count && static_cast<int>(seeds.size()) < count - out.count(); ++tries) {
    Seed s;
    s.view = tries % static_cast<int>(small.size());
    const SmallView& v = small[s.view];
    s.pixel = {random.uniform(0, static_cast<float>(v.camera.width)),
               random.uniform(0, static_cast<float>(v.camera.height))};
    if (*v.matte.at(static_cast<int>(s.pixel.x()), static_cast<int>(s.pixel.y())) >= 128) seeds.push_back(s);
  }
  parallel_for(static_cast<std::int64_t>(seeds.size()), 64,
               [&](std::int64_t i) { sweep(small, neighbours[seeds[i].view], distance, seeds[i]); });
  fill_unsettled(seeds, small.size(), distance, random);
  for (const Seed& s : seeds) {
    const SmallView& v = small[s.view];
    const std::uint8_t* colour = v.rgb.at(static_cast<int>(s.pixel.x()), static_cast<int>(s.pixel.y()));
    add_gaussian(out, unproject(v.camera, s.pixel, s.depth), 0.7f * spacing * s.depth / v.camera.fx,
                 {colour[0], colour[1], colour[2]});
  }
  if (out.count() == 0) {
    throw Error(ErrorCode::kBadArgument, capture.folder.string() + ": the mattes are empty",
                "check the capture's masks: 255 is the person");
  }
  return out;
}

}  // namespace mien
