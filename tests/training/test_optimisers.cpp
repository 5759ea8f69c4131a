// The CUDA optimiser against the CPU's, its oracle: gradients, losses, and where some steps lead.
#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>

#include "mien/base/random.h"
#include "mien/cuda/cuda.h"
#include "mien/gaussian_avatar/initialise.h"
#include "mien/media/audio.h"
#include "speech/random_model.h"
#include "training/avatar_optimiser.h"
#include "training/ball_capture.h"

namespace mien {
namespace {

double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    difference += std::pow(double{got[i]} - double{expected[i]}, 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  EXPECT_GT(norm, 0);
  return std::sqrt(difference / norm);
}

// What an avatar has beside its Gaussians.
struct Look {
  const char* name;
  bool networks;
  G2aOptions g2anet = {};
  bool hears = false;  // sound instead of geometry
  AppearanceFeatures looks = AppearanceFeatures::kNone;
  bool density_offset = true;

  friend void PrintTo(const Look& look, std::ostream* out) { *out << look.name; }
};

class Optimisers : public BallCapture, public ::testing::WithParamInterface<Look> {
 protected:
  void SetUp() override {
    if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
    BallCapture::SetUp();
    capture_ = Capture::load(folder_);
    std::shared_ptr<const SoundContext> context;
    if (GetParam().hears) {
      options_.initialise.colour_modes = false;
      testing::random_speech_model(3).write(folder_ / "speech.safetensors");
      context = SoundContext::load(folder_ / "speech.safetensors");
      write_wav(folder_ / "sound.wav", {kSpeechRate, testing::babble(1, 4)});
      capture_.sequences[0].audio = "sound.wav";
    }
    reader_ = std::make_unique<SampleReader>(capture_, "train", std::size_t{1} << 26, context.get());
    avatar_ = start();
  }
  GaussianAvatar start() const {
    std::vector<CanonicalView> views;
    for (int v = 0; v < kBallCameras; ++v) {
      const TrainingSample sample = reader_->read({0, v, 0});
      CanonicalView view{sample.camera, ImageF(kBallSize, kBallSize, 3), ImageF(kBallSize, kBallSize, 1)};
      view.rgb.pixels = sample.rgb;
      view.matte.pixels = sample.matte;
      views.push_back(view);
    }
    GaussianAvatar avatar =
        initialise_avatar(capture_.load_head_model(), reader_->motion({0, 0, 0}), views, options_.initialise, {});
    Random random(9);
    for (float& c : avatar.modes.colour) c = random.uniform(-0.2f, 0.2f);
    for (float& c : avatar.gaussians.sh) c += random.uniform(-0.02f, 0.02f);
    for (float& m : avatar.gaussians.means) m += random.uniform(-1e-3f, 1e-3f);
    make_appearances(avatar, {"one", "two"}, {GetParam().looks, GetParam().density_offset}, 5);
    for (std::vector<float>& features : avatar.looks.features)
      for (float& v : features) v += 0.1f * random.normal();
    for (auto* stack : {&avatar.looks.colour, &avatar.looks.density}) {
      for (G2aLayer& layer : *stack) {
        for (float& b : layer.bias) b = 0.02f * random.normal();
        for (float& w : layer.weight) w += 0.02f * random.normal();
      }
    }
    if (!GetParam().networks) return avatar;
    G2aOptions networks = GetParam().g2anet;
    networks.sound = static_cast<int>(reader_->motion({0, 0, 0}).sound.size());
    avatar.g2anet = make_g2anet(avatar, networks, 5);
    for (auto* stack : {&avatar.g2anet.feature, &avatar.g2anet.rotation}) {
      for (G2aLayer& layer : *stack) {
        for (float& b : layer.bias) b = 0.05f * random.normal();
        for (float& w : layer.weight) w += 0.03f * random.normal();  // those that start at zero too
      }
    }
    return avatar;
  }
  StepJob job(int view, int frame, float rate) const {
    StepJob out;
    out.key = {0, view, frame};
    if (GetParam().looks != AppearanceFeatures::kNone) {
      out.appearance = frame % 2;
      out.appearances = {frame % 2};
    }
    out.background = {0.7f, 0.2f, 0.4f};
    out.rates = {rate * 2e-5f,   rate * 2e-3f, rate * 5e-3f, rate * 3e-2f, rate * 5e-3f,
                 rate * 2.5e-4f, rate * 4e-3f, rate * 1e-3f, rate * 5e-3f, rate * 1e-3f};
    return out;
  }
  std::unique_ptr<SampleReader> reader_;
  GaussianAvatar avatar_;
};

TEST_P(Optimisers, GradientsAndLossesAgree) {
  ASSERT_NE(avatar_.modes.colour.empty(), !GetParam().hears);
  GaussianAvatar here = avatar_, there = avatar_;
  const auto cpu = make_cpu_optimiser(here, options_, *reader_);
  const auto cuda = make_cuda_optimiser(there, options_, *reader_);
  for (AvatarOptimiser* optimiser : {cpu.get(), cuda.get()}) {
    optimiser->announce({0, 2, 3});
    optimiser->step(job(2, 3, 0));
    optimiser->store();
  }
  const ImageLossValue expected = cpu->losses(), got = cuda->losses();
  EXPECT_NEAR(got.l1, expected.l1, 1e-5 * expected.l1 + 1e-7);
  EXPECT_NEAR(got.ssim, expected.ssim, 2e-5);
  EXPECT_NEAR(got.matte, expected.matte, 1e-4 * expected.matte + 1e-7);
  EXPECT_NEAR(got.total, expected.total, 1e-4 * expected.total);
  EXPECT_EQ(there.gaussians.means, here.gaussians.means) << "no rate, no step";
  ASSERT_EQ(cuda->groups().size(), cpu->groups().size());
  for (std::size_t g = 0; g < cpu->groups().size(); ++g) {
    const ParameterGroup &a = cuda->groups()[g], &b = cpu->groups()[g];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.state.steps, b.state.steps);
    if (b.parameters->empty() || b.state.steps == 0) continue;
    // The first moment after one step is a tenth of the gradient.
    EXPECT_LT(relative_error(a.state.first, b.state.first), 2e-3) << a.name;
    EXPECT_LT(relative_error(a.state.second, b.state.second), 4e-3) << a.name;
  }
}

TEST_P(Optimisers, AFewStepsLeadToTheSamePlace) {
  GaussianAvatar here = avatar_, there = avatar_;
  const auto cpu = make_cpu_optimiser(here, options_, *reader_);
  const auto cuda = make_cuda_optimiser(there, options_, *reader_);
  for (AvatarOptimiser* optimiser : {cpu.get(), cuda.get()}) {
    for (int s = 0; s < 30; ++s) {
      optimiser->use_networks(s >= 5);
      if (s == 15) {  // stored and taken up again, as when Gaussians are added
        optimiser->store();
        optimiser->fetch();
      }
      StepJob next = job(s % kBallCameras, s % kBallFrames, 1);
      next.sh_degree = std::min(3, s / 5);
      optimiser->announce(next.key);
      optimiser->step(next);
    }
    optimiser->store();
  }
  const ImageLossValue expected = cpu->losses(), got = cuda->losses();
  EXPECT_NEAR(got.total, expected.total, 1e-3 * expected.total);
  for (std::size_t g = 0; g < cpu->groups().size(); ++g) {
    const ParameterGroup &a = cuda->groups()[g], &b = cpu->groups()[g];
    EXPECT_EQ(a.state.steps, b.state.steps) << b.name;
    if (b.parameters->empty()) continue;
    EXPECT_LT(relative_error(*a.parameters, *b.parameters), 2e-2) << b.name;
  }
}

TEST_P(Optimisers, TheSameStepsGiveTheSameBits) {
  std::vector<std::vector<float>> results[2];
  for (auto& out : results) {
    GaussianAvatar avatar = avatar_;
    const auto cuda = make_cuda_optimiser(avatar, options_, *reader_);
    for (int s = 0; s < 20; ++s) cuda->step(job(s % kBallCameras, s % kBallFrames, 1));
    cuda->store();
    for (const ParameterGroup& group : cuda->groups()) out.push_back(*group.parameters);
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_P(Optimisers, ATensorThatIsNotANumberIsNamed) {
  const auto cuda = make_cuda_optimiser(avatar_, options_, *reader_);
  std::vector<std::string> names = {"quats"};  // its Gaussian vanishes, which no loss shows
  if (GetParam().networks) names.insert(names.end(), {"g2anet.rotation.0.bias", "g2anet.rotation.1.weight"});
  if (GetParam().looks != AppearanceFeatures::kNone)
    names.insert(names.end(), {"looks.features.0", "looks.colour.1.weight"});
  if (GetParam().networks && GetParam().g2anet.feature_net) names.push_back("g2anet.feature.1.weight");
  for (const std::string& name : names) {
    const auto value = [&]() -> float& {
      if (name == "quats") return avatar_.gaussians.quats[5];
      for (ParameterGroup& group : cuda->groups())
        if (group.name == name) return (*group.parameters)[5];
      throw std::out_of_range(name);
    };
    cuda->store();
    const float before = std::exchange(value(), std::nanf(""));
    cuda->fetch();
    for (int s = 0; s < 3; ++s) cuda->step(job(0, s, 1));  // and more: it must not spread
    try {
      cuda->losses();
      FAIL() << name << " accepted";
    } catch (const Error& error) {
      EXPECT_NE(error.message().find("training stopped: " + name + "[5]"), std::string::npos) << error.message();
    }
    value() = before;
    cuda->fetch();
    cuda->step(job(0, 0, 0));
    EXPECT_GT(cuda->losses().total, 0) << "mended";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Looks, Optimisers,
    ::testing::Values(Look{"modes", false}, Look{"networks", true}, Look{"opacity", true, {24, 3, true, true, true}},
                      Look{"turns", true, {33, 0, false, false, false}},
                      Look{"sound", true, {32, 6, true, true, true}, true},
                      Look{"wide", true, {200, 6, true, true, true}},
                      Look{"local", false, {}, false, AppearanceFeatures::kLocal},
                      Look{"global", false, {}, false, AppearanceFeatures::kGlobal},
                      Look{"coloured", false, {}, false, AppearanceFeatures::kLocal, false},
                      Look{"local_networks", true, {24, 3, true, true, true}, false, AppearanceFeatures::kLocal}),
    [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace mien
