#include <gtest/gtest.h>

#include <set>

#include "actor/synthetic_head.h"
#include "mien/actor/corpus.h"
#include "mien/actor/lip_score.h"
#include "mien/actor/performance.h"
#include "mien/actor/voice.h"
#include "mien/base/error.h"

namespace mien {
namespace {

EmotionTrack feeling(const char* text) {
  return EmotionTrack::constant(parse_emotion_vector(text));
}

PerformanceOptions mouth_only() {
  PerformanceOptions options;
  options.idle_on = false;
  return options;
}

// The stricter limits of the actor itself: it is the truth that networks learn.
LipScoreOptions strict() {
  LipScoreOptions options;
  options.tolerance = 0;
  options.closed_mm = 0.5f;
  options.labiodental_mm = 1.0f;
  options.open_mm = 6.0f;
  options.silence_closed_mm = 0.3f;
  options.silence_jitter_mm = 0.02f;
  return options;
}

// Every consonant between open vowels, in even 90 ms phones.
PhoneTrack all_consonants() {
  PhoneTrack track;
  double t = 0;
  const auto say = [&](const std::string& name, double length) {
    track.push_back({name, t, t + length});
    t += length;
  };
  say("SIL", 0.5);
  for (int p = 1; p < kPhoneCount; ++p) {
    say("AA", 0.11);
    say(kPhoneNames[p], 0.09);
    say("IY", 0.09);
    say(kPhoneNames[p], 0.06);
  }
  say("SIL", 0.6);
  return track;
}

void expect_all(const LipReport& r, const std::string& what) {
  EXPECT_EQ(r.closures.passed, r.closures.total) << what;
  EXPECT_EQ(r.labiodentals.passed, r.labiodentals.total) << what;
  EXPECT_EQ(r.open_vowels.passed, r.open_vowels.total) << what;
  EXPECT_EQ(r.silences.passed, r.silences.total) << what;
  for (const LipFailure& f : r.failures) {
    ADD_FAILURE() << what << ": " << f.phone << " " << f.begin << "-" << f.end << " reached " << f.value_mm << " mm";
  }
}

// Phones shorter than a frame may fall between two frames: they are judged at 120 frames a second instead.
void expect_speaks(const HeadModel& head, const PhoneTrack& phones, double seconds, const std::string& what) {
  PerformanceOptions options = mouth_only();
  options.fps = 120;
  expect_all(score_lips(measure_lips(head, perform(phones, seconds, {}, head, options)), phones, strict()), what);
}

TEST(Performance, EveryContactOnTheSyntheticMouth) {
  const PhoneTrack phones = all_consonants();
  expect_speaks(test::synthetic_head(), phones, phones.back().end, "synthetic");
}

TEST(Performance, EveryContactOnTheRealHead) {
  const auto head = test::real_head();
  if (!head) GTEST_SKIP() << "no head asset here: run scripts/setup";
  const PhoneTrack phones = all_consonants();
  expect_speaks(*head, phones, phones.back().end, "real");
}

TEST(Performance, GeneratedSentencesOnTheRealHead) {
  const auto head = test::real_head();
  if (!head || !has_voices()) GTEST_SKIP() << "no head asset or no flite here";
  for (int i = 0; i < 6; ++i) {
    const SpokenSentence s = speak_text(test_sentences()[i * 7], {.voice = voice_names()[i % voice_names().size()]});
    expect_speaks(*head, s.phones, s.audio.seconds(), s.text);
  }
}

TEST(Performance, HumanTimingsOnTheRealHead) {
  const auto head = test::real_head();
  const auto folder = test::shared_folder() / "data/speech/librivox";
  if (!head || !std::filesystem::exists(folder)) GTEST_SKIP() << "no head asset or no shared recordings here";
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().string().ends_with(".phone.json")) continue;
    const PhoneTrack phones = read_phones(entry.path());
    expect_speaks(*head, phones, phones.back().end, entry.path().filename());
    ++files;
  }
  EXPECT_EQ(files, 3);
}

// A closure holds for two frames of 30 a second when the phone is that long, wherever the frames fall.
TEST(Performance, ClosuresSurviveSampling) {
  const HeadModel head = test::synthetic_head();
  for (int shift = 0; shift < 10; ++shift) {
    const double b = 0.6 + shift / 300.0;
    const PhoneTrack phones = {{"SIL", 0, 0.4},           {"AA", 0.4, b},
                               {"P", b, b + 0.08},        {"AA", b + 0.08, b + 0.3},
                               {"M", b + 0.3, b + 0.345}, {"AA", b + 0.345, b + 0.5},
                               {"SIL", b + 0.5, 1.6}};
    const auto lips = measure_lips(head, perform(phones, 1.6, {}, head, mouth_only()));
    int p_frames = 0, m_frames = 0;
    for (const LipSample& s : lips) {
      if (s.time > b - 0.03 && s.time < b + 0.11 && s.gap_mm < 0.5f) ++p_frames;
      if (s.time > b + 0.27 && s.time < b + 0.375 && s.gap_mm < 0.5f) ++m_frames;
    }
    EXPECT_GE(p_frames, 2) << shift;
    EXPECT_GE(m_frames, 1) << shift;
  }
}

TEST(Performance, EmotionsKeepContactsAndRanges) {
  const PhoneTrack phones = all_consonants();
  std::vector<HeadModel> heads = {test::synthetic_head()};
  if (auto head = test::real_head()) heads.push_back(std::move(*head));
  for (const HeadModel& head : heads) {
    for (int e = 0; e < kEmotionCount; ++e) {
      for (const float intensity : {0.5f, 1.0f}) {
        const EmotionVector emotion = emotion_vector(static_cast<Emotion>(e), intensity);
        PerformanceOptions options;
        options.seed = e + 1;
        options.fps = 60;
        const HeadMotion motion = perform(phones, phones.back().end, EmotionTrack::constant(emotion), head, options);
        for (const MotionFrame& frame : motion.frames) {
          for (const float w : frame.expression) ASSERT_TRUE(w >= 0 && w <= 1) << kEmotionNames[e];
          ASSERT_TRUE(frame.pose.translation.allFinite());
          ASSERT_NEAR(frame.pose.head.norm(), 1, 1e-4);
          ASSERT_LT(Eigen::AngleAxisf(frame.pose.head).angle() + Eigen::AngleAxisf(frame.pose.neck).angle(), 0.45f);
        }
        LipScoreOptions limits;  // what the emotion may cost: the public limits, not the strict ones
        limits.tolerance = 1.0 / 60;
        limits.open_mm = 5.0f;
        limits.silence_jitter_mm = 0.05f;
        expect_all(score_lips(measure_lips(head, motion), phones, limits),
                   head.id + " " + kEmotionNames[e] + fmt::format(" {}", intensity));
      }
    }
  }
}

TEST(Performance, RoundingAndSpreadingShow) {
  const HeadModel head = test::synthetic_head();
  const auto weight = [&](const char* phone, const char* name) {
    const PhoneTrack phones = {
        {"SIL", 0, 0.3}, {"T", 0.3, 0.36}, {phone, 0.36, 0.52}, {"T", 0.52, 0.58}, {"SIL", 0.58, 1}};
    const HeadMotion motion = perform(phones, 1, {}, head, mouth_only());
    return motion.frames[13].expression[arkit_index(name)];  // 0.433 s
  };
  EXPECT_GT(weight("UW", "mouthPucker"), 0.4f);
  EXPECT_GT(weight("W", "mouthPucker"), 0.4f);
  EXPECT_GT(weight("OW", "mouthPucker") + weight("OW", "mouthFunnel"), 0.4f);
  EXPECT_GT(weight("SH", "mouthFunnel"), 0.3f);
  EXPECT_GT(weight("IY", "mouthStretchLeft"), 0.15f);
  EXPECT_LT(weight("IY", "mouthPucker"), 0.1f);
  EXPECT_GT(weight("TH", "tongueOut"), 0.1f);
  EXPECT_LT(weight("AA", "tongueOut"), 0.05f);
}

// Coarticulation: the lips round for "oo" before it begins, and a short vowel opens less than a long one.
TEST(Performance, AnticipatesAndUndershoots) {
  const HeadModel head = test::synthetic_head();
  const PhoneTrack two = {{"SIL", 0, 0.3}, {"T", 0.3, 0.4}, {"UW", 0.4, 0.6}, {"SIL", 0.6, 1}};
  const PhoneTrack tea = {{"SIL", 0, 0.3}, {"T", 0.3, 0.4}, {"IY", 0.4, 0.6}, {"SIL", 0.6, 1}};
  const int pucker = arkit_index("mouthPucker");
  EXPECT_GT(perform(two, 1, {}, head, mouth_only()).frames[11].expression[pucker],
            perform(tea, 1, {}, head, mouth_only()).frames[11].expression[pucker] + 0.2f);
  const auto widest = [&](double length) {
    const PhoneTrack phones = {
        {"SIL", 0, 0.3}, {"T", 0.3, 0.36}, {"AH", 0.36, 0.36 + length}, {"T", 0.36 + length, 0.42 + length}};
    float gap = 0;
    for (const LipSample& s : measure_lips(head, perform(phones, 1, {}, head, mouth_only())))
      gap = std::max(gap, s.gap_mm);
    return gap;
  };
  EXPECT_GT(widest(0.20), widest(0.04) + 1);
}

TEST(Performance, ArticulationScalesOpeningNotClosure) {
  const HeadModel head = test::synthetic_head();
  const PhoneTrack phones = {{"SIL", 0, 0.3}, {"M", 0.3, 0.4}, {"AA", 0.4, 0.6}, {"P", 0.6, 0.7}, {"SIL", 0.7, 1.2}};
  PerformanceOptions options = mouth_only();
  const auto run = [&](float articulation) {
    options.articulation = articulation;
    return measure_lips(head, perform(phones, 1.2, {}, head, options));
  };
  const auto small = run(0.6f), large = run(1.3f);
  EXPECT_GT(large[15].gap_mm, 1.6f * small[15].gap_mm);
  for (const auto& lips : {small, large}) {
    EXPECT_LT(lips[11].gap_mm, 0.5f);
    EXPECT_LT(lips[20].gap_mm, 0.5f);
  }
}

TEST(Performance, DeterministicAndSeeded) {
  const HeadModel head = test::synthetic_head();
  const PhoneTrack phones = all_consonants();
  PerformanceOptions options;
  const auto run = [&](std::uint64_t seed) {
    options.seed = seed;
    std::vector<float> all;
    for (const MotionFrame& f : perform(phones, 5, feeling("happy:0.7"), head, options).frames) {
      all.insert(all.end(), f.expression.begin(), f.expression.end());
      for (const float v : f.pose.head.coeffs()) all.push_back(v);
      all.push_back(f.pose.gaze_left[0]);
    }
    return all;
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

TEST(Performance, FrameCountAndEmotionTrack) {
  const HeadModel head = test::synthetic_head();
  EmotionTrack track;
  track.keys = {{0, parse_emotion_vector("neutral")}, {2, parse_emotion_vector("happy:1")}};
  const HeadMotion motion = perform({}, 2, track, head, mouth_only());
  ASSERT_EQ(motion.frame_count(), 60);
  const int smile = arkit_index("mouthSmileLeft");
  EXPECT_EQ(motion.frames[0].expression[smile], 0);
  EXPECT_GT(motion.frames[59].expression[smile], 0.6f);
  EXPECT_NEAR(motion.frames[30].expression[smile], 0.5f * motion.frames[59].expression[smile], 0.03f);
  EXPECT_NEAR(motion.frames[30].emotion[static_cast<int>(Emotion::kHappy)], 0.5f, 1e-5f);
  EXPECT_EQ(perform({}, 0, {}, head).frame_count(), 0);
}

TEST(Performance, SilenceIsStillAndClosed) {
  const HeadModel head = test::synthetic_head();
  const HeadMotion motion = perform({{"SIL", 0, 2}}, 2, {}, head, mouth_only());
  for (const MotionFrame& frame : motion.frames) EXPECT_EQ(frame.expression, motion.frames[0].expression);
  for (const LipSample& s : measure_lips(head, motion)) EXPECT_LT(s.gap_mm, 0.01f);
}

TEST(Performance, RefusesNonsense) {
  const HeadModel head = test::synthetic_head();
  PerformanceOptions options;
  options.fps = 0;
  EXPECT_THROW(perform({}, 1, {}, head, options), Error);
  EXPECT_THROW(perform({}, -1, {}, head), Error);
  EXPECT_THROW(perform({}, std::nan(""), {}, head), Error);
  EXPECT_THROW(perform({{"AA", 0.5, 0.6}, {"P", 0.2, 0.4}}, 1, {}, head), Error);
  EXPECT_THROW(perform({{"AA", 0.5, 0.4}}, 1, {}, head), Error);
  EXPECT_THROW(perform({}, 1, {}, HeadModel{}), Error);
  options = {};
  options.idle.blink = -1;
  EXPECT_THROW(perform({}, 1, {}, head, options), Error);
}

}  // namespace
}  // namespace mien
