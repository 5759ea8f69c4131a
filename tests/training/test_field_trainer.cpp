#include <gtest/gtest.h>

#include "mien/cuda/cuda.h"
#include "mien/field_avatar/renderer.h"
#include "mien/training/field_trainer.h"
#include "training/ball_capture.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

// The ball in two appearances: as it is, and with red and blue exchanged.
class FieldTrainer : public BallCapture, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    field_.device = parse_device(GetParam());
    if (field_.device == Device::kCuda && !cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
    BallCapture::SetUp();
    CaptureSequence other = capture_.sequences.front();
    other.id = "other";
    other.appearance = "exchanged";
    for (CaptureView& view : other.views) {
      const std::string from = view.images;
      view.images += "2";
      fs::create_directories(folder_ / view.images);
      for (int f = 0; f < kBallFrames; ++f) {
        const std::string name = fmt::format("{:06}.png", f);
        Image8 picture = read_image(folder_ / from / name);
        for (std::size_t i = 0; i < picture.pixels.size(); i += 3) std::swap(picture.pixels[i], picture.pixels[i + 2]);
        write_image(folder_ / view.images / name, picture);
      }
      // The backgrounds' colours are the cameras', the same for both: what is behind the ball must stay as it was.
      const CaptureCamera& camera = capture_.camera(view.camera);
      for (int f = 0; f < kBallFrames; ++f) {
        const std::string name = fmt::format("{:06}.png", f);
        Image8 picture = read_image(folder_ / view.images / name);
        const Image8 matte = read_image(folder_ / view.masks / name);
        for (std::size_t i = 0; i < matte.pixels.size(); ++i) {
          for (std::size_t c = 0; c < 3; ++c) {
            const float behind = 255 * (1 - static_cast<float>(matte.pixels[i]) / 255) *
                                 (camera.background[c] - camera.background[2 - c]);
            const float value = static_cast<float>(picture.pixels[i * 3 + c]) + behind;
            picture.pixels[i * 3 + c] = static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f));
          }
        }
        write_image(folder_ / view.images / name, picture);
      }
    }
    capture_.sequences.push_back(other);
    capture_.save();
    field_.field.grid = {.levels = 8, .features = 2, .log2_table = 13, .coarsest = 8, .finest = 128};
    field_.field.limit = 0.012f;
    field_.field.step = 0.003f;
    field_.field.occupancy = 32;
    field_.steps = 200;
    field_.rays = 384;
    field_.rate = 1e-2f;
    field_.rate_table = 3e-2f;
    field_.frames = 4;
  }

  // PSNR over all pictures of an appearance, on black.
  double psnr(const FieldAvatar& avatar, int appearance) {
    const CaptureSequence& sequence = capture_.sequences[static_cast<std::size_t>(appearance)];
    const HeadMotion motion = capture_.load_motion(sequence);
    FieldRenderer renderer(avatar, field_.device);
    std::vector<float> worn(2, 0.0f), rgb(kBallSize * kBallSize * 3), alpha(kBallSize * kBallSize);
    worn[static_cast<std::size_t>(appearance)] = 1;
    renderer.wear(worn);
    double sum = 0, count = 0;
    for (const CaptureView& view : sequence.views) {
      for (int f = 0; f < kBallFrames; f += 3) {
        const CaptureCamera& camera = capture_.camera(view.camera);
        renderer.render(motion.frames[static_cast<std::size_t>(f)], camera.camera, rgb.data(), alpha.data());
        const Image8 truth = read_image(capture_.image_path(view, f)), matte = read_image(capture_.mask_path(view, f));
        for (std::size_t i = 0; i < matte.pixels.size(); ++i) {
          for (std::size_t c = 0; c < 3; ++c) {
            const float behind = (1 - static_cast<float>(matte.pixels[i]) / 255) * camera.background[c];
            const double d = rgb[i * 3 + c] - (static_cast<float>(truth.pixels[i * 3 + c]) / 255 - behind);
            sum += d * d;
            ++count;
          }
        }
      }
    }
    return -10 * std::log10(sum / count);
  }

  FieldTrainOptions field_;
};
INSTANTIATE_TEST_SUITE_P(Devices, FieldTrainer, testing::Values("cpu", "cuda"),
                         [](const auto& p) { return std::string(p.param); });

TEST_P(FieldTrainer, LearnsABallInTwoAppearances) {
  const Capture capture = Capture::load(folder_);
  FieldTrainReport report;
  field_.preview = folder_ / "preview.png";
  field_.exposure = true;
  const FieldAvatar avatar = train_field_avatar(capture, field_, &report);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(report.cuda, field_.device == Device::kCuda);
  EXPECT_GT(psnr(avatar, 0), 19);
  EXPECT_GT(psnr(avatar, 1), 19);
  EXPECT_LT(report.occupied, 0.5) << "empty space is known to be empty";
  const Image8 preview = read_image(field_.preview);
  EXPECT_GE(preview.width, 4 * kBallSize);
}

TEST_P(FieldTrainer, WithoutLatentsAppearancesCannotBeToldApart) {
  const Capture capture = Capture::load(folder_);
  field_.field.latents = FieldLatents::kNone;
  field_.steps = 80;
  const FieldAvatar avatar = train_field_avatar(capture, field_, nullptr);
  EXPECT_LT(psnr(avatar, 0), 17.5);
}

TEST_P(FieldTrainer, ResumesExactly) {
  if (field_.device == Device::kCuda) GTEST_SKIP() << "exact on the CPU";
  const Capture capture = Capture::load(folder_);
  field_.steps = 24;
  field_.exposure = true;
  FieldTrainReport report;
  const FieldAvatar whole = train_field_avatar(capture, field_, &report);
  field_.checkpoint = folder_ / "checkpoint";
  field_.progress = [](std::int64_t done, std::int64_t, const std::string&) { return done < 17; };
  train_field_avatar(capture, field_, &report);
  EXPECT_FALSE(report.finished);
  EXPECT_EQ(report.steps, 17);
  field_.progress = nullptr;
  const FieldAvatar resumed = train_field_avatar(capture, field_, &report);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(resumed.parameters.table, whole.parameters.table);
  EXPECT_EQ(resumed.parameters.density, whole.parameters.density);
  EXPECT_EQ(resumed.parameters.offset, whole.parameters.offset);
  EXPECT_EQ(resumed.parameters.colour, whole.parameters.colour);
  EXPECT_EQ(resumed.parameters.latents, whole.parameters.latents);
  EXPECT_EQ(resumed.occupied, whole.occupied);
  EXPECT_EQ(resumed.reach, whole.reach);
  // A checkpoint of other options is refused.
  field_.seed = 2;
  EXPECT_THROW(train_field_avatar(capture, field_, nullptr), Error);
}

TEST_P(FieldTrainer, NamesWhatBecameNotANumber) {
  const Capture capture = Capture::load(folder_);
  field_.steps = 60;
  field_.rate = std::numeric_limits<float>::infinity();
  try {
    train_field_avatar(capture, field_, nullptr);
    FAIL() << "nothing was said";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("is not a number"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace mien
