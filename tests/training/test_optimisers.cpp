// The CUDA optimiser against the CPU's, its oracle: gradients, losses, and where some steps lead.
#include <gtest/gtest.h>

#include "mien/base/random.h"
#include "mien/cuda/cuda.h"
#include "mien/gaussian_avatar/initialise.h"
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

class Optimisers : public BallCapture {
 protected:
  void SetUp() override {
    if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
    BallCapture::SetUp();
    capture_ = Capture::load(folder_);
    reader_ = std::make_unique<SampleReader>(capture_, "train", std::size_t{1} << 26);
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
    return avatar;
  }
  StepJob job(int view, int frame, float rate) const {
    StepJob out;
    out.key = {0, view, frame};
    out.background = {0.7f, 0.2f, 0.4f};
    out.rates = {rate * 2e-5f, rate * 2e-3f, rate * 5e-3f, rate * 3e-2f, rate * 5e-3f, rate * 2.5e-4f, rate * 4e-3f};
    return out;
  }
  std::unique_ptr<SampleReader> reader_;
  GaussianAvatar avatar_;
};

TEST_F(Optimisers, GradientsAndLossesAgree) {
  ASSERT_GT(avatar_.modes.colour.size(), 0u);
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
    // The first moment after one step is a tenth of the gradient.
    EXPECT_LT(relative_error(a.state.first, b.state.first), 2e-3) << a.name;
    EXPECT_LT(relative_error(a.state.second, b.state.second), 4e-3) << a.name;
  }
}

TEST_F(Optimisers, AFewStepsLeadToTheSamePlace) {
  GaussianAvatar here = avatar_, there = avatar_;
  const auto cpu = make_cpu_optimiser(here, options_, *reader_);
  const auto cuda = make_cuda_optimiser(there, options_, *reader_);
  for (AvatarOptimiser* optimiser : {cpu.get(), cuda.get()}) {
    for (int s = 0; s < 30; ++s) {
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
  for (std::size_t g = 0; g < cpu->groups().size(); ++g)
    EXPECT_LT(relative_error(*cuda->groups()[g].parameters, *cpu->groups()[g].parameters), 2e-2)
        << cpu->groups()[g].name;
}

TEST_F(Optimisers, TheSameStepsGiveTheSameBits) {
  std::vector<float> means[2];
  for (std::vector<float>& out : means) {
    GaussianAvatar avatar = avatar_;
    const auto cuda = make_cuda_optimiser(avatar, options_, *reader_);
    for (int s = 0; s < 20; ++s) cuda->step(job(s % kBallCameras, s % kBallFrames, 1));
    cuda->store();
    out = avatar.gaussians.means;
  }
  EXPECT_EQ(means[0], means[1]);
}

TEST_F(Optimisers, ATensorThatIsNotANumberIsNamed) {
  const auto cuda = make_cuda_optimiser(avatar_, options_, *reader_);
  cuda->store();
  avatar_.gaussians.quats[5] = std::nanf("");  // its Gaussian vanishes, which no loss shows
  cuda->fetch();
  cuda->step(job(0, 0, 0));
  try {
    cuda->losses();
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("training stopped: quats[5]"), std::string::npos) << error.message();
  }
}

TEST_F(Optimisers, NetworksAreRefused) {
  avatar_.g2anet = make_g2anet(avatar_, options_.g2anet, 1);
  EXPECT_THROW(make_cuda_optimiser(avatar_, options_, *reader_), Error);
}

}  // namespace
}  // namespace mien
