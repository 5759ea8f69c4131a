#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "mien/base/error.h"
#include "mien/head/emotion.h"

namespace mien {
namespace {

TEST(Emotion, NamesAreReadAndWrongOnesListed) {
  for (int i = 0; i < kEmotionCount; ++i) EXPECT_EQ(static_cast<int>(parse_emotion(kEmotionNames[i])), i);
  try {
    parse_emotion("joyful");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadArgument);
    for (const char* name : kEmotionNames) EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << name;
  }
}

TEST(Emotion, VectorsSumToOneWithNeutral) {
  const EmotionVector mild = emotion_vector(Emotion::kHappy, 0.5f);
  EXPECT_FLOAT_EQ(mild[5], 0.5f);
  EXPECT_FLOAT_EQ(mild[0], 0.5f);
  EXPECT_FLOAT_EQ(emotion_vector(Emotion::kNeutral, 0.3f)[0], 1.0f);
  for (const float bad : {-0.1f, 1.1f, NAN}) EXPECT_THROW(emotion_vector(Emotion::kSad, bad), Error);
}

TEST(Emotion, Lists) {
  const EmotionVector both = parse_emotion_vector(" happy:0.5, surprised:0.3 ");
  EXPECT_FLOAT_EQ(both[5], 0.5f);
  EXPECT_FLOAT_EQ(both[7], 0.3f);
  EXPECT_NEAR(both[0], 0.2f, 1e-6f);
  EXPECT_FLOAT_EQ(parse_emotion_vector("angry")[1], 1.0f);
  EXPECT_FLOAT_EQ(parse_emotion_vector("happy:1,angry:1")[0], 0.0f);
  for (const char* bad :
       {"", "happy:", "happy:x", "happy:0.5x", "happy:2", "happy:-1", "happy:nan", "happy,", "happy,happy", ":1"}) {
    EXPECT_THROW(parse_emotion_vector(bad), Error) << bad;
  }
}

TEST(Emotion, TracksAreLinearBetweenKeysAndConstantOutside) {
  EmotionTrack track;
  EXPECT_FLOAT_EQ(track.at(3)[0], 1.0f);
  track.keys = {{1.0, emotion_vector(Emotion::kHappy, 0)},
                {2.0, emotion_vector(Emotion::kHappy, 1)},
                {2.0, emotion_vector(Emotion::kSad, 1)}};
  EXPECT_FLOAT_EQ(track.at(0)[5], 0.0f);
  EXPECT_NEAR(track.at(1.25)[5], 0.25f, 1e-6f);
  EXPECT_NEAR(track.at(1.25)[0], 0.75f, 1e-6f);
  EXPECT_FLOAT_EQ(track.at(2.0)[6], 1.0f);  // a jump: the later key holds from its time on
  EXPECT_FLOAT_EQ(track.at(9)[6], 1.0f);
}

TEST(Emotion, TracksAreWrittenAsKeysOrFiles) {
  const EmotionTrack one = parse_emotion_track("happy:0.5");
  EXPECT_FLOAT_EQ(one.at(7)[5], 0.5f);
  const EmotionTrack keys = parse_emotion_track("neutral@0; happy:0.8@2;angry:0.5,sad:0.25 @ 4;");
  ASSERT_EQ(keys.keys.size(), 3u);
  EXPECT_NEAR(keys.at(1)[5], 0.4f, 1e-6f);
  EXPECT_NEAR(keys.at(3)[1], 0.25f, 1e-6f);
  EXPECT_NEAR(keys.at(9)[6], 0.25f, 1e-6f);
  for (const char* bad : {"happy@", "happy@x", "happy@0;angry", "happy@2;angry@1", "happy@1;angry@1", "joy@1", "@1",
                          ";", "happy@inf", "happy@nan", "happy@0;;angry@1"}) {
    EXPECT_THROW(parse_emotion_track(bad), Error) << bad;
  }
  const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / "mood.json";
  std::ofstream(file) << R"([{"time": 0, "emotion": "neutral"}, {"time": 2, "emotion": "happy:0.8"}])";
  EXPECT_NEAR(parse_emotion_track(file.string()).at(1)[5], 0.4f, 1e-6f);
  std::ofstream(file) << R"({"emotion": "sad:0.3"})";
  EXPECT_NEAR(parse_emotion_track(file.string()).at(1)[6], 0.3f, 1e-6f);
  for (const char* bad :
       {"[", "3", R"([{"time": 1}])", R"([{"time": 1, "emotion": "sad"}, {"time": 0, "emotion": "sad"}])"}) {
    std::ofstream(file) << bad;
    EXPECT_THROW(parse_emotion_track(file.string()), Error) << bad;
  }
  std::filesystem::remove(file);
  EXPECT_THROW(parse_emotion_track(file.string()), Error);
}

}  // namespace
}  // namespace mien
