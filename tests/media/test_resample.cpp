#include "media/resampler.h"
#include "media_tools.h"
#include "mien/media/audio.h"

namespace mien {
namespace {

TEST(Resample, SinesComeOutAsTheirFormula) {
  const std::pair<int, int> rates[] = {{44100, 16000}, {48000, 16000}, {8000, 16000},  {96000, 16000},
                                       {22050, 16000}, {16000, 48000}, {16000, 16000}, {44099, 16000}};
  for (const auto& [from, to] : rates) {
    const double nyquist = std::min(from, to) / 2.0;
    for (const double share : {0.02, 0.3, 0.88}) {
      const double hertz = share * nyquist;
      const std::vector<float> out = resample(sine(hertz, from, static_cast<std::size_t>(from) / 4), from, to);
      const std::size_t edge = static_cast<std::size_t>(70.0 * to / std::min(from, to)) + 1;
      const std::vector<float> wanted = sine(hertz, to, out.size());
      EXPECT_LT(largest_difference(out, wanted, edge), 2e-5) << from << " -> " << to << " at " << hertz << " Hz";
    }
  }
}

TEST(Resample, RemovesWhatTheLowerRateCannotHold) {
  for (const double hertz : {8001.0, 9000.0, 15000.0, 20000.0}) {
    const std::vector<float> out = resample(sine(hertz, 44100, 22050), 44100, 16000);
    double worst = 0;
    for (std::size_t i = 100; i + 100 < out.size(); ++i) worst = std::max<double>(worst, std::abs(out[i]));
    EXPECT_LT(worst, 0.5 * 1e-4) << hertz;  // -80 dB
  }
}

TEST(Resample, LengthsAndEdges) {
  for (const std::size_t count : {0u, 1u, 2u, 3u, 100u, 4095u}) {
    for (const auto& [from, to] : {std::pair{44100, 16000}, {8000, 16000}, {768000, 1000}, {1000, 768000}}) {
      const std::vector<float> out = resample(std::vector<float>(count, 0.25f), from, to);
      EXPECT_EQ(out.size(), static_cast<std::size_t>(std::llround(static_cast<double>(count) * to / from)));
      for (const float sample : out) ASSERT_TRUE(std::isfinite(sample));
    }
  }
  const std::vector<float> constant = resample(std::vector<float>(8000, 0.25f), 44100, 16000);
  EXPECT_NEAR(constant[1400], 0.25f, 1e-6);
  EXPECT_THROW(resample({}, 0, 16000), Error);
  EXPECT_THROW(resample({}, 16000, -1), Error);
}

TEST(Resample, StreamingInAnyPiecesGivesTheSame) {
  const std::vector<float> input = sine(440, 44100, 10000);
  const std::vector<float> whole = resample(input, 44100, 16000);
  for (const std::size_t piece : {1u, 7u, 160u, 5000u}) {
    media::Resampler resampler(44100, 16000);
    std::vector<float> out;
    for (std::size_t i = 0; i < input.size(); i += piece) {
      resampler.push(std::span(input).subspan(i, std::min(piece, input.size() - i)), out);
    }
    resampler.finish(out);
    EXPECT_EQ(out, whole) << piece;
  }
}

}  // namespace
}  // namespace mien
