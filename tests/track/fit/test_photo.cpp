// Fitting to pictures: slopes against finite differences, light and albedo against known ones, and motion found again
// in pictures drawn of a painted head.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/geometry/raster.h"
#include "mien/head/head_assets.h"
#include "track/fit/photo_fit.h"
#include "track/fit/shared_fit.h"

namespace mien::fit {
namespace {

const HeadModel* built_head() {
  static const std::optional<HeadModel> head = []() -> std::optional<HeadModel> {
    try {
      return HeadModel::load(find_head_asset());
    } catch (const Error&) {
      return std::nullopt;
    }
  }();
  return head ? &*head : nullptr;
}

// Soft blotches all over a head, of three colours.
Eigen::Vector3d paint(const Eigen::Vector3d& p) {
  Eigen::Vector3d out;
  for (int c = 0; c < 3; ++c) {
    out[c] = 0.5 + 0.12 * std::sin(300 * p.x() + 2 * c) * std::cos(260 * p.y() - c) + 0.1 * std::sin(190 * p.y() + c);
  }
  return out;
}

constexpr int kWidth = 320;
const Lens kLens = {900, 160, 160};

FrameState state_of(double turn, double jaw, double brow) {
  FrameState state;
  state.rotation = exp_rotation(Eigen::Vector3d(0.4 * turn, turn, 0.1 * turn));
  state.translation = Eigen::Vector3d(0.004 * turn, 0, -0.8);
  state.weights[arkit_index("jawOpen")] = jaw;
  state.weights[arkit_index("browInnerUp")] = brow;
  return state;
}

// A picture of the painted head, `light` times as bright.
Image8 draw(const HeadModel& head, const FrameState& state, double light) {
  std::vector<float> weights(kArkitCount);
  for (int e = 0; e < kArkitCount; ++e) weights[static_cast<std::size_t>(e)] = static_cast<float>(state.weights[e]);
  std::vector<Vec3> vertices;
  head.deform(weights.data(), kArkitCount, nullptr, vertices);
  for (Vec3& v : vertices) {
    const Eigen::Vector3d c = state.rotation * v.cast<double>() + state.translation;
    v = Vec3(static_cast<float>(c.x()), static_cast<float>(-c.y()), static_cast<float>(-c.z()));
  }
  Camera camera;
  camera.width = camera.height = kWidth;
  camera.fx = camera.fy = static_cast<float>(kLens.focal);
  camera.cx = camera.cy = static_cast<float>(kLens.cx);
  RasterOptions options;
  options.supersample = 3;
  RasterBuffer buffer;
  rasterise(vertices, head.mesh.faces, camera, options, buffer);
  Image8 out(kWidth, kWidth, 3);
  for (int y = 0; y < kWidth; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      Eigen::Vector3d sum = Eigen::Vector3d::Zero();
      for (int s = 0; s < 9; ++s) {
        const std::size_t i = buffer.index(3 * x + s % 3, 3 * y + s / 3);
        if (buffer.face[i] < 0) continue;
        const Index3& face = head.mesh.faces[static_cast<std::size_t>(buffer.face[i])];
        Vec3 at = Vec3::Zero();
        for (int k = 0; k < 3; ++k) {
          at += buffer.weights(i)[k] * head.mesh.positions[static_cast<std::size_t>(face[k])];
        }
        sum += light * paint(at.cast<double>()) / 9;
      }
      for (int c = 0; c < 3; ++c) out.at(x, y)[c] = static_cast<std::uint8_t>(std::lround(255 * std::min(1.0, sum[c])));
    }
  }
  return out;
}

const CutWindow kWhole = {0, 0, kWidth};

TEST(PhotoFit, SlopesOfAPictureAgreeWithFiniteDifferences) {
  Random random(3);
  Image8 noise(60, 60, 3);
  for (auto& p : noise.pixels) p = static_cast<std::uint8_t>(256 * random.uniform());
  const FacePicture picture(noise, {100, 200, 120}, {110, 205, 90}, 48);
  const Lens lens = picture.lens({500, 150, 250});  // 90 pixels of the frame are 48 here
  EXPECT_NEAR(lens.focal, 500 * 48.0 / 90, 1e-9);
  EXPECT_NEAR(lens.cx, 40 * 48.0 / 90, 1e-9);
  for (int i = 0; i < 200; ++i) {
    const Eigen::Vector2d at(1 + 46 * random.uniform(), 1 + 46 * random.uniform());
    Eigen::Vector3d value, low, high;
    Eigen::Matrix<double, 3, 2> slope;
    ASSERT_TRUE(picture.sample(at, value, &slope));
    for (int k = 0; k < 2; ++k) {
      constexpr double kStep = 1e-6;
      if (std::abs(std::remainder(at[k] - 0.5, 1.0)) < 2 * kStep) continue;  // bends between pixels
      ASSERT_TRUE(picture.sample(at - kStep * Eigen::Vector2d::Unit(k), low, nullptr));
      ASSERT_TRUE(picture.sample(at + kStep * Eigen::Vector2d::Unit(k), high, nullptr));
      EXPECT_LT(((high - low) / (2 * kStep) - slope.col(k)).norm(), 1e-6);
    }
  }
  Eigen::Vector3d value;
  EXPECT_FALSE(picture.sample({0.4, 10}, value, nullptr));
  EXPECT_FALSE(picture.sample({10, 47.6}, value, nullptr));
  EXPECT_FALSE(picture.sample({std::nan(""), 10}, value, nullptr));
}

TEST(PhotoFit, TheCostFallsAsItsDerivativesSay) {
  if (built_head() == nullptr) GTEST_SKIP() << "the head is not built: run scripts/setup";
  const HeadModel& head = *built_head();
  const FaceSampler sampler(head, {3, 17, 25, 43, 44});
  const FaceSamples& samples = sampler.samples();
  const FrameState truth = state_of(0.1, 0.3, 0.4);
  const FacePicture picture(draw(head, truth, 1), kWhole, {60, 40, 220}, 160);
  const Lens lens = picture.lens(kLens);
  FrameState state = state_of(0.11, 0.25, 0.5);
  const SampleView view = view_samples(sampler, picture, kLens, truth);
  PhotoTarget target;
  target.wanted = view.seen;
  target.weight = Eigen::VectorXd::Constant(samples.count(), 400.0);
  for (int k = 0; k < samples.count(); ++k) {
    if (view.visible[static_cast<std::size_t>(k)] == 0) target.weight[k] = 0;
  }
  PhotoTerms at, low, high;
  photo_terms(samples, picture, lens, target, state, true, at);
  EXPECT_GT(at.seen, 1000);
  EXPECT_LT((at.h - at.h.transpose()).norm(), 1e-6 * at.h.norm());
  for (int c = 0; c < 6 + 5; ++c) {
    const double step = c < 6 ? 1e-8 : 1e-6;
    const auto moved = [&](double by) {
      FrameState out = state;
      if (c < 3)
        out.rotation = exp_rotation(by * Eigen::Vector3d::Unit(c)) * state.rotation;
      else if (c < 6)
        out.translation[c - 3] += by;
      else
        out.weights[samples.free[static_cast<std::size_t>(c - 6)]] += by;
      return out;
    };
    photo_terms(samples, picture, lens, target, moved(-step), false, low);
    photo_terms(samples, picture, lens, target, moved(step), false, high);
    const double slope = (high.cost - low.cost) / (2 * step);
    EXPECT_NEAR(slope, -2 * at.b[c], 0.01 * std::abs(slope) + 1e-3 * std::sqrt(at.h(c, c) * at.cost)) << "column " << c;
  }
}

TEST(PhotoFit, LightAndAlbedoExplainWhatIsSeen) {
  if (built_head() == nullptr) GTEST_SKIP() << "the head is not built: run scripts/setup";
  const FaceSampler sampler(*built_head(), {});
  const FaceSamples& samples = sampler.samples();
  Random random(8);
  Colours albedo(3, samples.count());
  for (Eigen::Index i = 0; i < albedo.size(); ++i) albedo.data()[i] = 0.3 + 0.3 * random.uniform();
  Eigen::Matrix<double, 9, 3> light = Eigen::Matrix<double, 9, 3>::Zero();
  light.row(0).setConstant(0.9);
  light.row(1) << 0.35, 0.3, 0.25;
  light.row(2).setConstant(0.15);
  std::vector<SampleView> views(30);
  for (std::size_t v = 0; v < views.size(); ++v) {
    SampleView& view = views[v];
    view.rotation = exp_rotation(Eigen::Vector3d(0.4 * std::sin(1.0 * static_cast<double>(v)),
                                                 0.7 * std::sin(0.37 * static_cast<double>(v)), 0));
    view.visible.assign(static_cast<std::size_t>(samples.count()), 1);
    view.seen.resize(3, samples.count());
    const double gain = v % 5 == 0 ? 0.8 : 1.0;
    for (int k = 0; k < samples.count(); ++k) {
      view.seen.col(k) =
          gain * albedo.col(k).cwiseProduct(light.transpose() * harmonics(view.rotation * samples.normal.col(k)));
      if (random.uniform() < 0.05f) view.seen.col(k).setConstant(1);  // something before it
    }
  }
  const Appearance found = estimate_appearance(samples, views);
  std::vector<double> miss, miss_even;
  for (const SampleView& view : views) {
    const Colours wanted = view.gain.asDiagonal() * shaded(samples, found, view.rotation);
    for (int k = 0; k < samples.count(); k += 7) {
      miss.push_back((wanted.col(k) - view.seen.col(k)).norm());
      miss_even.push_back((found.albedo.col(k) - view.seen.col(k)).norm());
    }
  }
  const auto middle = [](std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
  };
  EXPECT_LT(middle(miss), 0.02);
  EXPECT_LT(middle(miss), 0.4 * middle(miss_even));
  EXPECT_NEAR(views[0].gain.mean() / views[1].gain.mean(), 0.8, 0.02);
}

TEST(PhotoFit, FindsMotionAgainThatLandmarksMissed) {
  if (built_head() == nullptr) GTEST_SKIP() << "the head is not built: run scripts/setup";
  const HeadModel& head = *built_head();
  const LandmarkModel landmarks(head, nullptr);
  const Person person = person_of(landmarks, Eigen::VectorXd::Zero(landmarks.identity_count()));
  const ExpressionPrior prior = expression_prior({});
  const FaceSampler sampler(head, prior.free);
  const PhotoScene scene = {person, sampler, kLens, prior};
  // What the face looks like, from frames that are known; a little darker each.
  std::vector<Appearance> appearance(1);
  std::vector<SampleView> views;
  for (int v = 0; v < 8; ++v) {
    const FrameState state = state_of(0.05 * (v - 4), 0.05 * v, 0.1 * v);
    const FacePicture picture(draw(head, state, 1 - 0.02 * v), kWhole, {60, 40, 220}, 192);
    views.push_back(view_samples(sampler, picture, kLens, state));
  }
  appearance[0] = estimate_appearance(sampler.samples(), views);
  const FrameState truth = state_of(0.12, 0.22, 0.5);
  const PicturePyramid pictures = {FacePicture(draw(head, truth, 0.9), kWhole, {60, 40, 220}, 192)};
  // Landmarks that are all wrong in the same way, as the networks' are: a pixel to the side, jaw and brows at rest.
  FrameState wrong = truth;
  wrong.translation.x() += 0.0009;
  wrong.weights[arkit_index("jawOpen")] = 0.15;
  wrong.weights[arkit_index("browInnerUp")] = 0.3;
  Observation seen;
  seen.pixels = project_landmarks(person, kLens, wrong);
  seen.belief = landmark_weights();
  FrameState state = wrong;
  for (int again = 0; again < 3; ++again) refine_frame(scene, seen, pictures, appearance, 0.1, state, nullptr);
  const auto miss = [&](const FrameState& s) {
    return std::abs(s.translation.x() - truth.translation.x()) / 0.0009 +
           std::abs(s.weights[arkit_index("jawOpen")] - 0.22) / 0.07 +
           std::abs(s.weights[arkit_index("browInnerUp")] - 0.5) / 0.2;
  };
  EXPECT_NEAR(miss(wrong), 3, 1e-6);
  EXPECT_LT(miss(state), 1.6);  // both are believed
  EXPECT_LT(std::abs(state.weights[arkit_index("browInnerUp")] - 0.5), 0.1);
}

}  // namespace
}  // namespace mien::fit
