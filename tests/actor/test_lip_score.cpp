#include <gtest/gtest.h>

#include "mien/actor/lip_score.h"
#include "mien/base/error.h"

namespace mien {
namespace {

const PhoneTrack kPhones = {{"SIL", 0, 0.5}, {"M", 0.5, 0.6}, {"AA", 0.6, 0.8}, {"F", 0.8, 0.9}, {"SIL", 0.9, 1.5}};

std::vector<LipSample> perfect() {
  std::vector<LipSample> samples;
  for (int i = 0; i <= 45; ++i) {
    const double t = i / 30.0;
    LipSample s{t, 0, 5};
    if (t > 0.62 && t < 0.78) s.gap_mm = 9;
    if (t >= 0.8 && t < 0.9) s = {t, 3, 0.5f};
    samples.push_back(s);
  }
  return samples;
}

TEST(LipScore, PerfectLipsPass) {
  const LipReport report = score_lips(perfect(), kPhones);
  EXPECT_EQ(report.closures.passed, 1);
  EXPECT_EQ(report.closures.total, 1);
  EXPECT_EQ(report.labiodentals.passed, 1);
  EXPECT_EQ(report.open_vowels.passed, 1);
  EXPECT_EQ(report.silences.passed, 2);
  EXPECT_EQ(report.silences.total, 2);
  EXPECT_TRUE(report.failures.empty());
}

TEST(LipScore, EachFaultIsFound) {
  auto open = perfect();
  for (LipSample& s : open) s.gap_mm = 9;  // never closes
  LipReport report = score_lips(open, kPhones);
  EXPECT_EQ(report.closures.passed, 0);
  EXPECT_EQ(report.silences.passed, 0);
  EXPECT_EQ(report.open_vowels.passed, 1);
  EXPECT_NEAR(report.failures.front().value_mm, 9, 1e-6);

  auto shut = perfect();
  for (LipSample& s : shut) s = {s.time, 0, 5};
  report = score_lips(shut, kPhones);
  EXPECT_EQ(report.open_vowels.passed, 0);
  EXPECT_EQ(report.labiodentals.passed, 0);
  EXPECT_EQ(report.silences.passed, 2);

  auto late = perfect();  // 300 ms late
  for (LipSample& s : late) s.time += 0.3;
  report = score_lips(late, kPhones);
  EXPECT_EQ(report.open_vowels.passed, 0);

  auto nervous = perfect();
  for (std::size_t i = 0; i < nervous.size(); ++i) {
    if (nervous[i].time < 0.5) nervous[i].gap_mm = i % 2 == 0 ? 0.0f : 0.5f;
  }
  report = score_lips(nervous, kPhones);
  EXPECT_EQ(report.silences.passed, 1);
  EXPECT_NEAR(report.worst_silence_jitter_mm, 1.0, 1e-3);  // second difference of 0, 0.5, 0 is 1
}

TEST(LipScore, PhonesBeyondTheMotionDoNotCount) {
  auto samples = perfect();
  samples.resize(10);  // 0.33 s
  const LipReport report = score_lips(samples, kPhones);
  EXPECT_EQ(report.closures.total + report.open_vowels.total + report.labiodentals.total, 0);
  samples.resize(1);
  EXPECT_THROW(score_lips(samples, kPhones), Error);
}

TEST(LipScore, ReportsPool) {
  LipReport total = score_lips(perfect(), kPhones);
  total += total;
  EXPECT_EQ(total.silences.total, 4);
  EXPECT_EQ(total.closures.percent(), 100);
  EXPECT_EQ(LipCount{}.percent(), 100);
}

}  // namespace
}  // namespace mien
