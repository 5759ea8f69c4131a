#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "actor/performance/eyes.h"
#include "mien/actor/idle.h"
#include "mien/base/error.h"

namespace mien {
namespace {

const EmotionVector kCalm = {1, 0, 0, 0, 0, 0, 0, 0};
constexpr double kStep = 1.0 / 60;
constexpr int kBlinkLeft = 0;

struct Blink {
  double begin, length, closing;
};

std::vector<Blink> blinks_of(IdleMotion& idle, double seconds, const EmotionVector& emotion = kCalm) {
  std::vector<Blink> blinks;
  bool inside = false;
  double begin = 0, peak_time = 0;
  float peak = 0;
  for (double t = kStep; t < seconds; t += kStep) {
    const float b = idle.step(kStep, 0, emotion).expression[kBlinkLeft];
    if (!inside && b > 0) {
      inside = true;
      begin = t - kStep;
      peak = 0;
    }
    if (inside && b > peak + 1e-4f) {
      peak = b;
      peak_time = t;
    }
    if (inside && b == 0) {
      EXPECT_GT(peak, 0.95f) << "a blink at " << begin << " never shut";
      blinks.push_back({begin, t - begin, peak_time - begin});
      inside = false;
    }
  }
  return blinks;
}

TEST(Idle, BlinkStatistics) {
  IdleOptions options;
  options.gaze = 0;  // gaze shifts bring blinks of their own
  IdleMotion idle(options);
  const auto blinks = blinks_of(idle, 3000);
  ASSERT_GT(blinks.size(), 500u);
  std::vector<double> intervals;
  double mean = 0, closing = 0, length = 0;
  for (std::size_t i = 1; i < blinks.size(); ++i) intervals.push_back(blinks[i].begin - blinks[i - 1].begin);
  for (const double i : intervals) mean += i / static_cast<double>(intervals.size());
  for (const Blink& b : blinks) {
    EXPECT_GT(b.length, 0.130);
    EXPECT_LT(b.length, 0.335);  // up to two steps of measuring
    closing += b.closing / static_cast<double>(blinks.size());
    length += b.length / static_cast<double>(blinks.size());
  }
  EXPECT_NEAR(mean, 4.0, 0.4);
  // Log-normal of mean 4 and deviation 2.5: median exp(mu) = 3.39, skewed to the right.
  std::sort(intervals.begin(), intervals.end());
  EXPECT_NEAR(intervals[intervals.size() / 2], 3.39, 0.35);
  EXPECT_NEAR(intervals[intervals.size() * 9 / 10], 3.39 * std::exp(1.2816 * 0.574), 0.9);
  EXPECT_LT(closing, 0.55 * length) << "lids shut faster than they open";
}

TEST(Idle, BlinkProfileIsFastThenSlow) {
  EXPECT_EQ(Blinker::profile(0, 0.2), 0);
  EXPECT_EQ(Blinker::profile(1, 0.2), 0);
  EXPECT_EQ(Blinker::profile(0.35, 0.2), 1);
  EXPECT_NEAR(Blinker::profile(0.8 / 6, 0.2), 0.5, 1e-5);      // half shut after a sixth of the moving time
  EXPECT_NEAR(Blinker::profile(1 - 0.8 / 3, 0.2), 0.5, 1e-5);  // half open two sixths before the end
}

TEST(Idle, FearBlinksMoreOftenThanSurprise) {
  IdleOptions options;
  options.gaze = 0;
  IdleMotion a(options), b(options);
  EXPECT_GT(blinks_of(a, 600, emotion_vector(Emotion::kFear, 1)).size(),
            1.5 * static_cast<double>(blinks_of(b, 600, emotion_vector(Emotion::kSurprised, 1)).size()));
}

// Saccades keep the main sequence: faster when larger, never slower than the formula's time.
TEST(Idle, GazeMovesInSaccades) {
  Gaze gaze(5, 1);
  int saccades = 0, micro = 0;
  double contact = 0, total = 0;
  std::array<float, 2> last = gaze.step(0, 1, 0);
  for (double t = 0.005; t < 1200; t += 0.005) {
    const auto now = gaze.step(t, 1, 0);
    if (gaze.started() > 0) (gaze.started() < 0.7f * 0.01745f ? micro : saccades)++;
    const double speed = std::hypot(now[0] - last[0], now[1] - last[1]) / 0.005 / 0.01745;
    EXPECT_LT(speed, 800) << "degrees a second";
    if (!gaze.in_saccade(t)) {
      total += 1;
      contact += std::hypot(now[0], now[1]) < 2.5 * 0.01745 ? 1 : 0;
    }
    EXPECT_LT(std::abs(now[0]), 0.37);
    EXPECT_LT(std::abs(now[1]), 0.24);
    last = now;
  }
  EXPECT_GT(contact / total, 0.70);  // mostly eye contact
  EXPECT_LT(contact / total, 0.95);
  EXPECT_NEAR(saccades / 1200.0, 0.65, 0.25);
  EXPECT_NEAR(micro / 1200.0, 0.7, 0.35);
  EXPECT_NEAR(Gaze::saccade_seconds(10), 0.043, 1e-9);
}

TEST(Idle, EyesHoldTheCameraWhileTheHeadTurns) {
  IdleOptions options;
  options.sway = 3;
  options.gaze = 0.01f;  // no looking about
  IdleMotion idle(options);
  float largest_head = 0;
  for (int i = 0; i < 3000; ++i) {
    const IdleFrame f = idle.step(1.0 / 30, 0.5f, kCalm);
    const float yaw = f.head_rotation.y() + f.neck_rotation.y() + f.root_rotation.y();
    largest_head = std::max(largest_head, std::abs(yaw));
    if (std::abs(yaw) < 0.55f) {
      EXPECT_NEAR(f.gaze[0] + yaw, 0, 0.01f);
    }
  }
  EXPECT_GT(largest_head, 0.05f);
}

TEST(Idle, SwayIsSmoothSmallAndCentred) {
  IdleMotion idle;
  Vec3 mean = Vec3::Zero(), square = Vec3::Zero(), last = Vec3::Zero();
  constexpr int kFrames = 30 * 900;
  for (int i = 0; i < kFrames; ++i) {
    const IdleFrame f = idle.step(1.0 / 30, 0, kCalm);
    const Vec3 turn = f.head_rotation + f.neck_rotation;
    if (i > 0) {
      EXPECT_LT((turn - last).norm(), 0.02f);
    }
    last = turn;
    mean += turn / kFrames;
    square += turn.cwiseProduct(turn) / kFrames;
    EXPECT_LT(f.translation.norm(), 0.02f);
  }
  EXPECT_LT(mean.norm(), 0.006f);
  // 0.75 of the stated deviations (pitch 0.9, yaw 1.3, roll 0.8 degrees) while silent.
  const Vec3 deviation = square.cwiseSqrt() / 0.017453f;
  EXPECT_NEAR(deviation.x(), 0.675, 0.15);
  EXPECT_NEAR(deviation.y(), 0.975, 0.2);
  EXPECT_NEAR(deviation.z(), 0.6, 0.15);
}

TEST(Idle, BreathesFourteenTimesAMinute) {
  IdleOptions options;
  options.sway = 0;
  IdleMotion idle(options);
  int rises = 0;
  float last = 0, before = 0;
  for (int i = 0; i < 60 * 300; ++i) {
    const float y = idle.step(kStep, 0, kCalm).translation.y();
    if (before <= last && last > y && last > 0.002f) ++rises;
    before = last;
    last = y;
  }
  EXPECT_NEAR(rises, 14 * 5, 1);
}

TEST(Idle, NodsFollowSpeechOnsets) {
  IdleOptions options;
  options.gaze = 0;
  const auto pitch_change = [&](bool speech) {
    IdleMotion idle(options);
    double sum = 0;
    float last = 0;
    for (int i = 0; i < 3000; ++i) {
      const float energy = speech && i % 30 < 12 ? 0.9f : 0.0f;
      const IdleFrame f = idle.step(1.0 / 30, energy, kCalm);
      const float pitch = f.head_rotation.x() + f.neck_rotation.x();
      sum += std::abs(pitch - last);
      last = pitch;
    }
    return sum;
  };
  EXPECT_GT(pitch_change(true), 1.5 * pitch_change(false));
}

TEST(Idle, PosturesDifferAndComeSmoothly) {
  EXPECT_GT(emotion_posture(emotion_vector(Emotion::kSad, 1)).head_rotation.x(), 0.1f);
  EXPECT_LT(emotion_posture(emotion_vector(Emotion::kContempt, 1)).head_rotation.x(), -0.05f);
  EXPECT_EQ(emotion_posture(kCalm).head_rotation, Vec3::Zero());
  IdleMotion idle;
  float last = 0;
  for (int i = 0; i < 120; ++i) {
    const IdleFrame f = idle.step(1.0 / 30, 0, i < 60 ? kCalm : emotion_vector(Emotion::kSad, 1));
    const float pitch = f.head_rotation.x() + f.neck_rotation.x();
    if (i > 0) {
      EXPECT_LT(std::abs(pitch - last), 0.03f) << i;
    }
    last = pitch;
  }
  EXPECT_GT(last, 0.08f);
}

TEST(Idle, SameSeedSameLife) {
  IdleMotion a({.seed = 9}), b({.seed = 9}), c({.seed = 10});
  bool differs = false;
  for (int i = 0; i < 900; ++i) {
    const IdleFrame x = a.step(0.04, 0.3f, kCalm), y = b.step(0.04, 0.3f, kCalm), z = c.step(0.04, 0.3f, kCalm);
    ASSERT_EQ(x.expression, y.expression);
    ASSERT_EQ(x.gaze, y.gaze);
    ASSERT_EQ(x.head_rotation, y.head_rotation);
    differs = differs || x.gaze != z.gaze;
  }
  EXPECT_TRUE(differs);
}

TEST(Idle, OffIsStill) {
  IdleMotion idle({.blink = 0, .gaze = 0, .sway = 0, .breathing = 0, .variation = 0});
  for (int i = 0; i < 300; ++i) {
    const IdleFrame f = idle.step(0.1, 1, kCalm);
    EXPECT_EQ(f.expression, (std::array<float, kArkitCount>{}));
    EXPECT_EQ(f.head_rotation, Vec3::Zero());
    EXPECT_EQ(f.translation, Vec3::Zero());
    EXPECT_EQ(f.gaze, (std::array<float, 2>{}));
  }
}

TEST(Idle, AddsToAFrameAndStaysInRange) {
  MotionFrame frame;
  frame.expression.assign(kArkitCount, 0.95f);
  IdleFrame idle;
  idle.expression.fill(0.2f);
  idle.expression[0] = idle.expression[7] = 1;  // blink
  idle.gaze = {0.1f, -0.2f};
  add_idle(idle, frame);
  for (const float w : frame.expression) EXPECT_TRUE(w >= 0 && w <= 1);
  EXPECT_EQ(frame.expression[0], 1);
  EXPECT_EQ(frame.expression[arkit_index("eyeWideLeft")], 0);  // shut eyes are not wide
  EXPECT_FLOAT_EQ(frame.pose.gaze_right[1], -0.2f);
}

TEST(Idle, RefusesNonsense) {
  EXPECT_THROW(IdleMotion({.sway = -1}), Error);
  EXPECT_THROW(IdleMotion({.gaze = std::nanf("")}), Error);
  IdleMotion idle;
  EXPECT_THROW(idle.step(-1, 0, kCalm), Error);
  EXPECT_THROW(idle.step(5, 0, kCalm), Error);
  EXPECT_NO_THROW(idle.step(0.1, std::nanf(""), kCalm));
}

}  // namespace
}  // namespace mien
