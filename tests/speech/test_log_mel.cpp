#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "mien/base/error.h"
#include "mien/speech/log_mel.h"
#include "speech/random_model.h"

namespace mien {
namespace {

using testing::babble;

double mel(double hz) {
  return 2595 * std::log10(1 + hz / 700);
}
double hz(double m) {
  return 700 * (std::pow(10, m / 2595) - 1);
}

// The definition, written out in double: windowed DFT sum by sum, triangles evaluated at every bin.
MelFrame naive_frame(const float* samples) {
  double window_sum = 0;
  std::vector<double> windowed(kMelWindow);
  for (int i = 0; i < kMelWindow; ++i) {
    const double w = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * (i + 0.5) / kMelWindow);
    window_sum += w;
    windowed[i] = w * samples[i];
  }
  std::vector<double> power(257);
  for (int k = 0; k <= 256; ++k) {
    double re = 0, im = 0;
    for (int i = 0; i < kMelWindow; ++i) {
      re += windowed[i] * std::cos(2 * std::numbers::pi * k * i / 512);
      im -= windowed[i] * std::sin(2 * std::numbers::pi * k * i / 512);
    }
    power[k] = 4 * (re * re + im * im) / (window_sum * window_sum);
  }
  MelFrame frame;
  for (int b = 0; b < kMelBands; ++b) {
    const double step = (mel(kMelHighHz) - mel(kMelLowHz)) / (kMelBands + 1);
    const double centre = hz(mel(kMelLowHz) + step * (b + 1));
    const double left = std::max(31.25, centre - hz(mel(kMelLowHz) + step * b));
    const double right = std::max(31.25, hz(mel(kMelLowHz) + step * (b + 2)) - centre);
    double sum = 0;
    for (int k = 0; k <= 256; ++k) {
      const double d = 31.25 * k - centre;
      sum += power[k] * std::max(0.0, 1 - (d < 0 ? -d / left : d / right));
    }
    frame[b] = static_cast<float>(std::max<double>(kMelFloor, std::log(sum + 1e-30)));
  }
  return frame;
}

std::vector<MelFrame> frames_of(const std::vector<float>& samples) {
  LogMel analysis;
  std::vector<MelFrame> frames;
  analysis.push(samples, frames);
  return frames;
}

TEST(LogMel, AgreesWithTheDefinition) {
  const std::vector<float> samples = babble(0.6, 3);
  const std::vector<MelFrame> frames = frames_of(samples);
  ASSERT_EQ(static_cast<std::int64_t>(frames.size()), LogMel::frame_count(static_cast<std::int64_t>(samples.size())));
  ASSERT_EQ(frames.size(), 58u);
  for (std::size_t i = 0; i < frames.size(); i += 7) {
    const MelFrame truth = naive_frame(samples.data() + i * kMelHop);
    for (int b = 0; b < kMelBands; ++b) EXPECT_NEAR(frames[i][b], truth[b], 2e-3) << "frame " << i << " band " << b;
  }
}

TEST(LogMel, FullScaleSineIsAboutZero) {
  const double centre = hz(mel(kMelLowHz) + (mel(kMelHighHz) - mel(kMelLowHz)) / (kMelBands + 1) * 41);
  std::vector<float> samples(1600);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(std::sin(2 * std::numbers::pi * centre * static_cast<double>(i) / 16000));
  }
  const MelFrame frame = frames_of(samples)[2];
  EXPECT_NEAR(frame[40], 0, 0.7);
  EXPECT_LT(frame[20], -6);
  EXPECT_LT(frame[60], -6);
}

TEST(LogMel, BlocksDoNotMatter) {
  const std::vector<float> samples = babble(1.0, 4);
  const std::vector<MelFrame> whole = frames_of(samples);
  for (const std::size_t block : {1u, 7u, 159u, 160u, 161u, 400u, 4000u}) {
    LogMel analysis;
    std::vector<MelFrame> frames;
    for (std::size_t at = 0; at < samples.size(); at += block) {
      analysis.push(std::span(samples).subspan(at, std::min(block, samples.size() - at)), frames);
    }
    EXPECT_EQ(frames, whole) << "blocks of " << block;
  }
}

TEST(LogMel, SilenceAndBadSamples) {
  EXPECT_TRUE(frames_of({}).empty());
  EXPECT_TRUE(frames_of({0.5f}).empty());
  EXPECT_EQ(LogMel::frame_count(399), 0);
  EXPECT_EQ(LogMel::frame_count(400), 1);
  const MelFrame silent = frames_of(std::vector<float>(400, 0.0f))[0];
  for (const float v : silent) EXPECT_EQ(v, kMelFloor);
  std::vector<float> bad(4000, std::numeric_limits<float>::quiet_NaN());
  bad[7] = std::numeric_limits<float>::infinity();
  bad[9] = 1e30f;
  const std::vector<MelFrame> bad_frames = frames_of(bad);
  for (MelFrame frame : bad_frames) {
    for (const float v : frame) EXPECT_TRUE(std::isfinite(v));
    FeatureNormalizer normalizer;
    normalizer.apply(frame);
    for (const float v : frame) EXPECT_TRUE(std::isfinite(v));
  }
}

TEST(FeatureOptions, TextComesBackAndUnknownWordsAreRefused) {
  for (const FeatureOptions& o : {FeatureOptions{}, FeatureOptions{.band_means = true, .depth = 13.5f}}) {
    const FeatureOptions back = FeatureOptions::parse(o.text());
    EXPECT_EQ(back.band_means, o.band_means);
    EXPECT_EQ(back.depth, o.depth);
  }
  for (const char* bad :
       {"log-mel-80", "log-mel-64 depth-", "log-mel-64 depth-x", "depth-0", "depth-99", "depth-nan", "mfcc"}) {
    EXPECT_THROW(FeatureOptions::parse(bad), Error) << bad;
  }
}

TEST(FeatureNormalizer, BandMeansCancelAMicrophone) {
  // A microphone that colours by up to 6 dB: after seconds of speech the features hardly know of it.
  const auto coloured = [](float strength, bool band_means) {
    std::vector<MelFrame> frames = frames_of(babble(8.0, 6));
    FeatureNormalizer normalizer({.band_means = band_means});
    for (MelFrame& frame : frames) {
      for (int b = 0; b < kMelBands; ++b) {
        frame[b] += strength * std::sin(2 * std::numbers::pi_v<float> * 2 * static_cast<float>(b) / kMelBands);
      }
      normalizer.apply(frame);
    }
    return frames;
  };
  std::vector<bool> spoken;
  FeatureNormalizer level;
  for (MelFrame& frame : frames_of(babble(8.0, 6))) {
    level.apply(frame);
    spoken.push_back(level.relative_energy() > -4);
  }
  const auto difference = [&](bool band_means) {
    const std::vector<MelFrame> flat = coloured(0, band_means);
    const std::vector<MelFrame> bright = coloured(1.4f, band_means);
    double sum = 0;
    int count = 0;
    for (std::size_t i = 500; i < flat.size(); ++i) {
      if (!spoken[i]) continue;  // silence is floor and stays it
      for (int b = 0; b < kMelBands; ++b, ++count) sum += std::abs(flat[i][b] - bright[i][b]);
    }
    return sum / count;
  };
  const double with = difference(true);
  const double without = difference(false);
  EXPECT_GT(without, 0.3);
  EXPECT_LT(with, 0.4 * without);
}

TEST(FeatureNormalizer, LevelDoesNotMatter) {
  const std::vector<float> samples = babble(6.0, 5);
  const auto normalised = [&](float gain) {
    std::vector<float> scaled(samples);
    for (float& s : scaled) s *= gain;
    std::vector<MelFrame> frames = frames_of(scaled);
    FeatureNormalizer normalizer;
    for (MelFrame& frame : frames) normalizer.apply(frame);
    return frames;
  };
  const std::vector<MelFrame> usual = normalised(0.4f);
  // 12 dB up is caught by the attack at once; 4 dB down by the release within six seconds at 1.5 dB/s.
  const std::vector<MelFrame> loud = normalised(1.6f);
  double difference = 0;
  for (std::size_t i = 100; i < usual.size(); ++i) {
    for (int b = 0; b < kMelBands; ++b) difference = std::max<double>(difference, std::abs(usual[i][b] - loud[i][b]));
  }
  EXPECT_LT(difference, 0.05);
  const std::vector<MelFrame> quiet = normalised(0.25f);
  difference = 0;
  for (std::size_t i = usual.size() - 60; i < usual.size(); ++i) {
    for (int b = 0; b < kMelBands; ++b) difference = std::max<double>(difference, std::abs(usual[i][b] - quiet[i][b]));
  }
  EXPECT_LT(difference, 0.1);
}

}  // namespace
}  // namespace mien
