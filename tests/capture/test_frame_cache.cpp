#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "mien/base/random.h"
#include "small_capture.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class FrameCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    make_small_capture(folder_);
    capture_ = Capture::load(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_frames_{}", ::getpid());
  Capture capture_;
};

constexpr std::size_t kDecoded = 16 * 12 * 4;

TEST_F(FrameCacheTest, GivesWhatIsOnDisk) {
  FrameCache cache(capture_, 1 << 20);
  const CaptureSequence& s = capture_.sequence("one");
  EXPECT_EQ(cache.get(s, s.views[0], 2)->rgb.pixels, small_picture(2, 0).pixels);
  EXPECT_EQ(cache.get(s, s.views[0], 2)->matte.pixels, Image8(16, 12, 1, 200).pixels);
  EXPECT_EQ(cache.get(s, s.views[1], 2)->matte.pixels, Image8(16, 12, 1, 255).pixels);
  EXPECT_THROW(cache.get(s, s.views[0], 3), Error);
  EXPECT_THROW(cache.get(s, s.views[0], -1), Error);
}

TEST_F(FrameCacheTest, ServesFromMemoryOnceRead) {
  FrameCache cache(capture_, 1 << 20);
  const CaptureSequence& s = capture_.sequence("one");
  const auto first = cache.get(s, s.views[0], 0);
  fs::remove_all(folder_ / s.views[0].images);
  EXPECT_EQ(cache.get(s, s.views[0], 0), first);  // the same object
  EXPECT_THROW(cache.get(s, s.views[0], 1), Error);
}

TEST_F(FrameCacheTest, KeepsFilesWhenPicturesDoNotFit) {
  const CaptureSequence& s = capture_.sequence("one");
  std::size_t files = 0;
  for (int i = 0; i < 3; ++i) {
    files += fs::file_size(capture_.image_path(s.views[0], i)) + fs::file_size(capture_.mask_path(s.views[0], i));
  }
  // Room for all files and one picture.
  FrameCache cache(capture_, files + kDecoded + 10);
  const auto first = cache.get(s, s.views[0], 0);
  for (int i = 0; i < 3; ++i) cache.get(s, s.views[0], i);
  EXPECT_LE(cache.bytes_used(), files + kDecoded + 10);
  EXPECT_GE(cache.bytes_used(), files);
  fs::remove_all(folder_ / s.views[0].images);
  const auto again = cache.get(s, s.views[0], 0);
  EXPECT_NE(again, first);  // decoded a second time, from the kept file
  EXPECT_EQ(again->rgb.pixels, first->rgb.pixels);
}

TEST_F(FrameCacheTest, TheLimitHoldsEvenWhenNothingFits) {
  FrameCache cache(capture_, 100);
  const CaptureSequence& s = capture_.sequence("one");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cache.get(s, s.views[0], i)->rgb.pixels, small_picture(i, 0).pixels);
  EXPECT_LE(cache.bytes_used(), 100u);
}

TEST_F(FrameCacheTest, ManyThreadsSeeTheRightFrames) {
  for (const std::size_t limit : {std::size_t{2000}, std::size_t{5000}, std::size_t{1} << 20}) {
    FrameCache cache(capture_, limit);
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        Random random(static_cast<std::uint64_t>(t));
        for (int i = 0; i < 200; ++i) {
          const CaptureSequence& s = capture_.sequences[random.below(2)];
          const int frame = static_cast<int>(random.below(3));
          if (cache.get(s, s.views[0], frame)->rgb.pixels != small_picture(frame, 0).pixels) ++wrong;
          if (cache.bytes_used() > limit) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST_F(FrameCacheTest, WrongSizesAreRefused) {
  FrameCache cache(capture_, 1 << 20);
  const CaptureSequence& s = capture_.sequence("two");
  write_image(folder_ / s.views[0].masks / "000001.png", Image8(16, 11, 1));
  try {
    cache.get(s, s.views[0], 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("000001.png"), std::string::npos) << error.what();
  }
}

TEST_F(FrameCacheTest, LabelsComeWhenAskedForAndGiveTheHeadsMatte) {
  const CaptureSequence& one = capture_.sequence("one");
  FrameCache plain(capture_, 1 << 20), labelled(capture_, 1 << 20, true);
  EXPECT_TRUE(plain.get(one, one.views[0], 1)->labels.pixels.empty());
  const auto frame = labelled.get(one, one.views[0], 1);
  EXPECT_EQ(frame->labels.pixels, small_labels().pixels);
  const Image8 head = head_matte(*frame);
  EXPECT_EQ(*head.at(3, 5), 200);
  EXPECT_EQ(*head.at(3, 6), 0);
  EXPECT_EQ(*head.at(3, 11), 0);
  EXPECT_EQ(labelled.bytes_used() - plain.bytes_used(),
            16u * 12 + std::filesystem::file_size(capture_.labels_path(one.views[0], 1)));
  EXPECT_TRUE(labelled.get(one, one.views[1], 1)->labels.pixels.empty()) << "a view without labels";
  EXPECT_THROW(head_matte(*plain.get(one, one.views[0], 1)), Error);
}

}  // namespace
}  // namespace mien
