// Videos of a ball by one camera each, in two appearances: the second one is blue.
#include <gtest/gtest.h>

#include "mien/capture/split.h"
#include "training/ball_capture.h"

namespace mien {
namespace {

class GaussianCollection : public BallCapture {
 protected:
  // The ball's cameras become videos of their own, of which the odd ones are blue.
  void SetUp() override {
    BallCapture::SetUp();
    Capture capture = Capture::load(folder_);
    const CaptureSequence all = capture.sequences.front();
    capture.sequences.clear();
    for (std::size_t v = 0; v < all.views.size(); ++v) {
      CaptureSequence video = all;
      video.id = fmt::format("video{}", v);
      video.appearance = v % 2 == 0 ? "plain" : "blue";
      video.views = {all.views[v]};
      for (int f = 0; f < all.frames && v % 2 == 1; ++f) {
        const auto path = capture.image_path(video.views[0], f);
        Image8 image = read_image(path);
        const Image8 matte = read_image(capture.mask_path(video.views[0], f));
        for (std::size_t i = 0; i < matte.pixels.size(); ++i) {
          if (matte.pixels[i] < 255) continue;
          image.pixels[3 * i] /= 3;
          image.pixels[3 * i + 2] = static_cast<std::uint8_t>(128 + image.pixels[3 * i + 2] / 2);
        }
        write_image(path, image);
      }
      capture.sequences.push_back(video);
    }
    capture.save();
    capture_ = Capture::load(folder_);
    options_.device = Device::kCpu;
    options_.networks = false;
    options_.canonical_steps = 40;
    options_.dynamic_steps = 110;
    options_.grow_to = 1300;
    options_.initialise.surface_count = 1000;
  }
  double psnr(const GaussianAvatar& avatar, GaussianEvaluation* out = nullptr) const {
    GaussianEvaluationOptions evaluation;
    evaluation.split = "train";
    evaluation.every = 1;
    evaluation.device = Device::kCpu;
    const GaussianEvaluation result = evaluate_gaussian_avatar(avatar, capture_, evaluation);
    if (out != nullptr) *out = result;
    return result.psnr;
  }
};

TEST_F(GaussianCollection, LocalFeaturesBeatGlobalOnesAndNone) {
  ASSERT_TRUE(is_monocular(capture_));
  const GaussianAvatar local = train_gaussian_avatar(capture_, options_, nullptr);
  ASSERT_EQ(local.looks.names, (std::vector<std::string>{"plain", "blue"}));
  EXPECT_FALSE(local.looks.learns()) << "only what they made is kept";
  EXPECT_EQ(local.looks.shift[0].size(), local.anchors.size() * kLookRow);
  GaussianEvaluation result;
  const double of_local = psnr(local, &result);
  ASSERT_EQ(result.appearances.size(), 2u);
  EXPECT_EQ(result.appearances[0].name, "plain");
  EXPECT_EQ(result.appearances[0].pictures + result.appearances[1].pictures, result.pictures);
  EXPECT_NEAR((result.appearances[0].psnr + result.appearances[1].psnr) / 2, result.psnr, 1e-6) << "as many each";
  options_.appearance.features = AppearanceFeatures::kGlobal;
  const double of_global = psnr(train_gaussian_avatar(capture_, options_, nullptr));
  options_.appearance.features = AppearanceFeatures::kNone;
  const GaussianAvatar none = train_gaussian_avatar(capture_, options_, nullptr);
  EXPECT_TRUE(none.looks.empty());
  const double of_none = psnr(none);
  std::printf("local %.2f dB, global %.2f dB, none %.2f dB\n", of_local, of_global, of_none);
  EXPECT_GT(of_local, 24);
  EXPECT_GT(of_global, of_none + 0.5);
  EXPECT_GT(of_local, of_none + 2);
}

TEST_F(GaussianCollection, ResumesToTheSameBits) {
  const GaussianAvatar whole = train_gaussian_avatar(capture_, options_, nullptr);
  options_.checkpoint = folder_ / "checkpoint";
  GaussianTrainReport report;
  options_.progress = [](std::int64_t done, std::int64_t, const std::string&) { return done < 100; };
  train_gaussian_avatar(capture_, options_, &report);
  ASSERT_FALSE(report.finished);
  options_.progress = nullptr;
  GaussianTrainOptions other = options_;
  other.appearance.density_offset = false;
  EXPECT_THROW(train_gaussian_avatar(capture_, other, nullptr), Error) << "of other options";
  const GaussianAvatar resumed = train_gaussian_avatar(capture_, options_, &report);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(resumed.gaussians.means, whole.gaussians.means);
  EXPECT_EQ(resumed.gaussians.sh, whole.gaussians.sh);
  EXPECT_EQ(resumed.looks.shift, whole.looks.shift);
}

TEST_F(GaussianCollection, AnAppearanceThatTheAvatarLacksIsNamed) {
  options_.dynamic_steps = 0;
  options_.canonical_steps = 3;
  const GaussianAvatar avatar = train_gaussian_avatar(capture_, options_, nullptr);
  for (CaptureSequence& sequence : capture_.sequences) sequence.appearance = "moon";
  try {
    psnr(avatar);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("\"moon\""), std::string::npos) << error.message();
    EXPECT_NE(error.mend().find("plain, blue"), std::string::npos) << error.mend();
  }
}

}  // namespace
}  // namespace mien
