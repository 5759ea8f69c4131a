#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "mien/base/error.h"
#include "mien/capture/split.h"

namespace mien {
namespace {

CaptureSequence video(const std::string& id, const std::string& appearance, int frames, const char* split = "train") {
  CaptureSequence s;
  s.id = id;
  s.appearance = appearance;
  s.frames = frames;
  s.split = split;
  s.motion = id + ".safetensors";
  s.views.resize(1);
  return s;
}

Capture videos() {
  Capture capture;
  capture.sequences = {video("a", "beach", 60), video("b", "studio", 900), video("c", "beach", 3)};
  return capture;
}

TEST(Split, TailsOfVideosAreHeldOutUnlessThereAreTestsOrSeveralCameras) {
  Capture capture = videos();
  EXPECT_TRUE(is_monocular(capture));
  EXPECT_EQ(usual_hold_out(capture), kUsualHoldOut);
  capture.sequences.push_back(video("d", "beach", 20, "test"));
  EXPECT_TRUE(is_monocular(capture));
  EXPECT_EQ(usual_hold_out(capture), 0);
  capture = videos();
  capture.sequences[1].views.resize(2);
  EXPECT_FALSE(is_monocular(capture));
  EXPECT_EQ(usual_hold_out(capture), 0);
  EXPECT_FALSE(is_monocular(Capture{}));
}

TEST(Split, EveryFrameIsInExactlyOneSplit) {
  Capture capture = videos();
  capture.sequences.push_back(video("d", "beach", 20, "test"));
  std::map<std::pair<int, int>, int> seen;
  int train = 0, last_train = 0;
  for (const SampleKey& key : split_pictures(capture, "train", 0.1f)) {
    ++seen[{key.sequence, key.frame}];
    ++train;
    if (key.sequence == 1) last_train = std::max(last_train, key.frame);
  }
  EXPECT_EQ(train, 54 + 810 + 3);  // three frames are too few to cut
  EXPECT_EQ(last_train, 809);
  for (const SampleKey& key : split_pictures(capture, "test", 0.1f)) ++seen[{key.sequence, key.frame}];
  EXPECT_EQ(seen.size(), 60u + 900 + 3 + 20);
  for (const auto& [place, times] : seen) EXPECT_EQ(times, 1) << place.first << " " << place.second;
  EXPECT_EQ(split_pictures(capture, "test", 0).size(), 20u);
  EXPECT_EQ(split_frames(video("e", "x", 4), "test", 0.1f).count(), 1);
  EXPECT_EQ(split_frames(video("e", "x", 40), "other", 0.1f).count(), 0);
}

TEST(Split, RefusesAHoldOutOutOfRange) {
  for (const float bad : {-0.1f, 0.6f, std::numeric_limits<float>::quiet_NaN()})
    EXPECT_THROW(split_pictures(videos(), "train", bad), Error);
}

TEST(Split, AppearancesAreDrawnByTheRootOfTheirLength) {
  const Capture capture = videos();
  EXPECT_EQ(appearance_names(capture), (std::vector<std::string>{"beach", "studio"}));
  EXPECT_EQ(appearance_of(appearance_names(capture), video("x", "moon", 3)), -1);
  const std::vector<SampleKey> keys = split_pictures(capture, "train", 0);
  const std::vector<double> weights = balanced_weights(capture, keys);
  double sums[2] = {};
  for (std::size_t i = 0; i < keys.size(); ++i) sums[keys[i].sequence == 1 ? 1 : 0] += weights[i];
  EXPECT_NEAR(sums[0], std::sqrt(63.0), 1e-9);
  EXPECT_NEAR(sums[1], std::sqrt(900.0), 1e-9);
  Capture one = videos();
  for (CaptureSequence& s : one.sequences) s.appearance = "same";
  for (const double w : balanced_weights(one, keys)) EXPECT_EQ(w, 1);
}

}  // namespace
}  // namespace mien
