// The networks' gradients against finite differences of the reference in double, and the learner against inference.
#include <gtest/gtest.h>

#include "gaussian_avatar/g2a_reference.h"
#include "mien/base/error.h"
#include "mien/gaussian_avatar/initialise.h"
#include "training/g2a_learner.h"
#include "training/gaussian_step.h"

namespace mien {
namespace {

struct Fixture {
  explicit Fixture(const G2aOptions& options, int count = 150)
      : avatar(avatar_with_networks(count, options)), frames(avatar.head), learner(avatar) {
    frames.update(frame, options.geometry());
    sh = avatar.gaussians.sh;
    quats = avatar.gaussians.quats;
    opacities.assign(avatar.gaussians.opacity_logits.size(), 0.0f);
    learner.take_canonical(sh.data(), quats.data());
    means = avatar.gaussians.means;
    learner.apply(frames.unposed(), frame, sh.data(), quats.data(), opacities.data(), means.data());
  }
  GaussianAvatar avatar;
  MotionFrame frame = moved_face(avatar.g2anet.options.sound);
  SurfaceFrames frames;
  G2aLearner learner;
  std::vector<float> sh, quats, opacities, means;
};

TEST(G2aLearner, AppliesWhatInferenceApplies) {
  for (const G2aOptions& options : {G2aOptions{},
                                    G2aOptions{24, 4, true, false, true},
                                    {16, 2, false, true, false},
                                    {24, 3, true, true, true, 37}}) {
    Fixture f(options, 333);
    std::vector<float> sh = f.avatar.gaussians.sh, quats = f.avatar.gaussians.quats;
    std::vector<float> opacities(f.opacities.size(), 0.0f), means = f.avatar.gaussians.means;
    G2aInference inference(f.avatar);
    inference.apply(f.frames.unposed(), f.frame, sh.data(), quats.data(), opacities.data(), means.data());
    for (std::size_t i = 0; i < sh.size(); ++i) ASSERT_NEAR(sh[i], f.sh[i], 1e-5f);
    for (std::size_t i = 0; i < quats.size(); ++i) ASSERT_NEAR(quats[i], f.quats[i], 1e-5f);
    for (std::size_t i = 0; i < opacities.size(); ++i) ASSERT_NEAR(opacities[i], f.opacities[i], 1e-5f);
    for (std::size_t i = 0; i < means.size(); ++i) ASSERT_NEAR(means[i], f.means[i], 1e-6f);
  }
}

// A loss that is linear in everything the networks write, with random coefficients.
void expect_gradients(const G2aOptions& options) {
  Fixture f(options);
  const GaussianAvatar& avatar = f.avatar;
  Random random(8);
  std::vector<float> d_sh(f.sh.size()), d_quats(f.quats.size()), d_logits(f.opacities.size());
  std::vector<float> d_means(f.means.size());
  for (auto* values : {&d_sh, &d_quats, &d_logits, &d_means}) {
    for (float& v : *values) v = random.normal();
  }
  for (float& v : d_means) v *= 100;  // as large as the others: a unit of shift is a centimetre
  const std::vector<float> by_turned = d_quats;
  const auto loss = [&](const DoubleWeights& weights) {
    const G2aReference r = reference_g2a(avatar, weights, f.frames.unposed(), f.frame);
    double sum = 0;
    for (std::size_t i = 0; i < r.sh.size(); ++i) sum += r.sh[i] * d_sh[i];
    for (std::size_t i = 0; i < r.quats.size(); ++i) sum += r.quats[i] * by_turned[i];
    for (std::size_t i = 0; i < r.opacity.size(); ++i) sum += r.opacity[i] * d_logits[i];
    for (std::size_t i = 0; i < r.shift.size(); ++i) sum += r.shift[i] * d_means[i];
    return sum;
  };
  std::vector<std::vector<float>> gradients;
  std::vector<std::vector<float>*> views;
  const auto parameters = f.learner.parameters();
  for (const auto& p : parameters) gradients.emplace_back(p.values->size(), 99.0f);
  for (auto& g : gradients) views.push_back(&g);
  f.learner.backward(d_sh.data(), d_quats.data(), d_logits.data(), options.geometry() ? nullptr : d_means.data(),
                     views);
  DoubleWeights weights = double_weights(avatar.g2anet);
  ASSERT_EQ(weights.size(), parameters.size());
  for (std::size_t a = 0; a < weights.size(); ++a) {
    double error = 0, scale = 0;
    const std::size_t stride = 1 + weights[a].size() / 60;
    for (std::size_t j = 0; j < weights[a].size(); j += stride) {
      constexpr double kStep = 1e-6;
      const double before = weights[a][j];
      weights[a][j] = before + kStep;
      const double up = loss(weights);
      weights[a][j] = before - kStep;
      const double down = loss(weights);
      weights[a][j] = before;
      const double numeric = (up - down) / (2 * kStep);
      error += std::pow(numeric - gradients[a][j], 2);
      scale += numeric * numeric;
    }
    EXPECT_GT(scale, 0) << parameters[a].name;
    EXPECT_LT(std::sqrt(error / scale), 1e-4) << parameters[a].name;
  }
  // The canonical quaternions, at fixed conclusions of RotationNet: q (0, r) is linear in q.
  for (const std::int32_t k : {avatar.g2anet.gaussian.front(), avatar.g2anet.gaussian.back()}) {
    const auto i = static_cast<std::size_t>(k);
    const Eigen::Map<const Eigen::Vector4f> q(&avatar.gaussians.quats[i * 4]), turned(&f.quats[i * 4]);
    // r from the turned quaternion: conj(q) * turned / |q|^2 = 1 + r / 2.
    const Quat a(q[0], q[1], q[2], q[3]), b(turned[0], turned[1], turned[2], turned[3]);
    const Quat half = a.conjugate() * b;
    const Quat step(1, half.x() / q.squaredNorm(), half.y() / q.squaredNorm(), half.z() / q.squaredNorm());
    for (int c = 0; c < 4; ++c) {
      const Quat unit(c == 0, c == 1, c == 2, c == 3);
      const Quat moved = unit * step;
      const float* d = &by_turned[i * 4];
      EXPECT_NEAR(d_quats[i * 4 + c], d[0] * moved.w() + d[1] * moved.x() + d[2] * moved.y() + d[3] * moved.z(), 1e-4f);
    }
  }
}

TEST(G2aLearner, GradientsAreThoseOfTheReference) {
  expect_gradients({24, 3, true, true, true});
}
TEST(G2aLearner, GradientsWithoutFeatureNet) {
  expect_gradients({16, 2, false, true, false});
}
TEST(G2aLearner, GradientsWithoutGeometry) {
  expect_gradients({24, 3, true, true, true, 37});
  expect_gradients({16, 2, false, false, false, 3});
}

TrainingSample black_sample(const MotionFrame& motion) {
  TrainingSample sample;
  sample.camera = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.3f, 48, 48);
  sample.motion = &motion;
  sample.rgb.assign(48 * 48 * 3, 0.0f);  // black: every difference keeps its sign
  sample.matte.assign(48 * 48, 1.0f);
  return sample;
}

TEST(G2aLearner, GradientsReachTheWeightsThroughThePicture) {
  GaussianAvatar avatar = avatar_with_networks(60, {16, 2, true, true, true}, 0.1f);
  const GaussianTrainOptions options;
  const MotionFrame motion = moved_face();
  const TrainingSample sample = black_sample(motion);
  const float background[3] = {0, 0, 0};
  const StepRates still = {0, 0, 0, 0, 0, 0, 0};
  GaussianOptimiser optimiser(avatar, options);
  optimiser.step(sample, background, 3, still);
  std::vector<std::vector<float>> after_one;  // first moments after one step: a tenth of the gradient
  for (const auto& group : optimiser.groups()) after_one.push_back(group.state.first);
  for (std::size_t i = 0; i < after_one.size(); ++i) {
    auto& group = optimiser.groups()[i];
    if (group.name != "g2anet.feature.3.bias" && group.name != "g2anet.rotation.1.bias") continue;
    const std::vector<float>& first = after_one[i];
    double error = 0, scale = 0;
    for (std::size_t j = 0; j < first.size(); ++j) {
      const float step = group.name == "g2anet.rotation.1.bias" ? 0.05f : 0.01f;
      float& value = (*group.parameters)[j];
      const float before = value;
      value = before + step;
      const double up = optimiser.step(sample, background, 3, still).total;
      value = before - step;
      const double down = optimiser.step(sample, background, 3, still).total;
      value = before;
      const double numeric = (up - down) / (2.0 * step);
      error += std::pow(numeric - 10 * first[j], 2);
      scale += numeric * numeric;
    }
    ASSERT_GT(scale, 0) << group.name;
    // A turn moves edges over the cut-off of the rasteriser: coarser.
    EXPECT_LT(std::sqrt(error / scale), group.name == "g2anet.rotation.1.bias" ? 0.15 : 0.03) << group.name;
  }
}

// Colour that geometry does not have: a band that darkens with the expression, and one that darkens with anger on a
// face that does not move. A static avatar can only learn the mean.
class Wrinkles : public testing::Test {
 protected:
  void SetUp() override {
    truth_ = avatar_with_networks(500, {});
    truth_.g2anet = {};
    std::fill(truth_.gaussians.opacity_logits.begin(), truth_.gaussians.opacity_logits.end(), 2.0f);
    for (std::size_t i = 0; i < truth_.gaussians.sh.size(); ++i) truth_.gaussians.sh[i] = i % 48 < 3 ? 0.6f : 0;
    motions_.resize(3);
    motions_[1].expression = {1};
    motions_[2].emotion = {0, 1, 0, 0, 0, 0, 0, 0};
    for (std::size_t m = 0; m < motions_.size(); ++m) {
      GaussianAvatar painted = truth_;
      for (int i = 0; i < painted.gaussians.count(); ++i) {
        const float y = painted.gaussians.means[i * 3 + 1];
        const bool dark = (m == 1 && y > 0.02f && y < 0.05f) || (m == 2 && y < -0.01f && y > -0.04f);
        for (int c = 0; c < 3 && dark; ++c) painted.gaussians.sh[i * 48 + c] = -1;
      }
      TrainingSample sample = black_sample(motions_[m]);
      GaussianRenderer renderer(painted);
      renderer.render(motions_[m], sample.camera, SplatOptions{}, sample.rgb.data(), sample.matte.data());
      samples_.push_back(std::move(sample));
    }
  }
  // Mean loss over the three pictures after some steps.
  double loss_after(bool networks, const G2aOptions& options) {
    GaussianAvatar avatar = truth_;
    if (networks) avatar.g2anet = make_g2anet(avatar, options, 2);
    GaussianTrainOptions train;
    train.mouth_weight = train.eye_weight = 0;
    GaussianOptimiser optimiser(avatar, train);
    const float background[3] = {0.4f, 0.4f, 0.4f};
    double sum = 0;
    constexpr int kSteps = 240;
    for (int step = 0; step < kSteps; ++step) {
      const StepRates rates = {0, 0, 0, 0, 5e-3f, 0, 0, 4e-3f};
      const ImageLossValue loss = optimiser.step(samples_[step % 3], background, 3, rates);
      if (step >= kSteps - 30) sum += loss.l1 / 30;
    }
    return sum;
  }
  GaussianAvatar truth_;
  std::vector<MotionFrame> motions_;
  std::vector<TrainingSample> samples_;
};

TEST_F(Wrinkles, AreLearnedFromExpressionAndEmotion) {
  const double fixed = loss_after(false, {});
  const double unfeeling = loss_after(true, {32, 6, true, false, false});
  const double colourless = loss_after(true, {32, 6, false, true, false});
  const double full = loss_after(true, {});
  std::printf("L1 static %.5f, without emotion %.5f, without FeatureNet %.5f, full %.5f\n", fixed, unfeeling,
              colourless, full);
  EXPECT_LT(full, 0.35 * fixed);
  EXPECT_LT(unfeeling, 0.9 * fixed);
  EXPECT_LT(full, 0.6 * unfeeling) << "anger is in no geometry at all";
  EXPECT_GT(colourless, 0.8 * fixed) << "turning Gaussians does not darken them";
}

// Two sounds, at one of which the face moves: learnt from the pictures alone, with the surface at rest.
TEST(G2aLearner, MotionIsLearnedFromTheSoundWithoutGeometry) {
  GaussianAvatar truth = avatar_with_networks(500, {});
  truth.g2anet = {};
  std::fill(truth.gaussians.opacity_logits.begin(), truth.gaussians.opacity_logits.end(), 2.0f);
  for (std::size_t i = 0; i < truth.gaussians.sh.size(); ++i)
    truth.gaussians.sh[i] = i % 48 < 3 ? (truth.gaussians.means[i / 48 * 3] > 0 ? 0.9f : -0.9f) : 0;
  std::vector<MotionFrame> motions(2);
  motions[0].sound = {1, 0, 0.5f, 0};
  motions[1].sound = {0, 1, 0, 0.5f};
  std::vector<TrainingSample> samples;
  for (int m = 0; m < 2; ++m) {
    GaussianAvatar moved = truth;
    for (const std::int32_t i : facial_gaussians(moved)) moved.gaussians.means[i * 3] += m == 1 ? 0.006f : 0;
    TrainingSample sample = black_sample(motions[m]);
    GaussianRenderer renderer(moved);
    renderer.render(motions[m], sample.camera, SplatOptions{}, sample.rgb.data(), sample.matte.data());
    samples.push_back(std::move(sample));
  }
  GaussianAvatar avatar = truth;
  avatar.g2anet = make_g2anet(avatar, {32, 6, false, true, false, 4}, 2);
  GaussianTrainOptions train;
  train.mouth_weight = train.eye_weight = 0;
  GaussianOptimiser optimiser(avatar, train);
  const float background[3] = {0.4f, 0.4f, 0.4f};
  double before = 0, after = 0;
  constexpr int kSteps = 240;
  for (int step = 0; step < kSteps; ++step) {
    const double l1 = optimiser.step(samples[step % 2], background, 3, {0, 0, 0, 0, 0, 0, 0, 2e-3f}).l1;
    if (step < 2) before += l1 / 2;
    if (step >= kSteps - 20) after += l1 / 20;
  }
  std::printf("L1 %.5f, in the end %.5f\n", before, after);
  EXPECT_LT(after, 0.4 * before);
  EXPECT_EQ(avatar.gaussians.means, truth.gaussians.means);
  // The shifts themselves, of Gaussians well inside the face.
  std::vector<float> sh = avatar.gaussians.sh, quats = avatar.gaussians.quats, means = avatar.gaussians.means;
  std::vector<float> opacities(avatar.gaussians.opacity_logits.size());
  G2aInference inference(avatar);
  inference.apply({}, motions[1], sh.data(), quats.data(), opacities.data(), means.data());
  double shift = 0;
  for (const std::int32_t i : avatar.g2anet.gaussian) shift += means[i * 3] - avatar.gaussians.means[i * 3];
  EXPECT_NEAR(shift / static_cast<double>(avatar.g2anet.gaussian.size()), 0.006, 0.003);
}

TEST(G2aLearner, AValueThatIsNoNumberStopsTrainingByName) {
  for (const char* name : {"g2anet.feature.1.weight", "g2anet.rotation.0.bias"}) {
    GaussianAvatar avatar = avatar_with_networks(60, {16, 2});
    const GaussianTrainOptions options;
    const MotionFrame motion = moved_face();
    const float background[3] = {0, 0, 0};
    GaussianOptimiser optimiser(avatar, options);
    for (auto& group : optimiser.groups()) {
      if (group.name == name) (*group.parameters)[5] = std::nanf("");
    }
    try {
      optimiser.step(black_sample(motion), background, 3, {0, 0, 0, 0, 0, 0, 0});
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace mien
