// Model files of the first form (no "s2g" entry in the metadata) keep their output: numbers that the first form
// printed.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "mien/motion/speech_driver.h"
#include "speech/random_model.h"

namespace mien {
namespace {

std::vector<SpeechFrame> drive(const std::shared_ptr<const SpeechModel>& model, double fps) {
  SpeechDriver driver(model, {.fps = fps});
  EmotionTrack emotion;
  emotion.keys = {{0.0, emotion_vector(Emotion::kHappy, 0.2f)}, {1.5, emotion_vector(Emotion::kAngry, 1.0f)}};
  driver.set_emotion(emotion);
  const std::vector<float> samples = testing::babble(2.0, 6);
  std::vector<SpeechFrame> frames;
  driver.push(samples);
  driver.finish();
  for (SpeechFrame frame; driver.pull(frame);) frames.push_back(frame);
  return frames;
}

// Every bit of a run, for comparing two builds by hand: MIEN_GOLDEN_MODEL=speech.safetensors test_motion ...
std::uint64_t fingerprint(const std::vector<SpeechFrame>& frames) {
  std::uint64_t hash = 1469598103934665603ULL;  // any start will do: the numbers below were made with it
  const auto add = [&](float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; ++i) hash = (hash ^ ((bits >> (8 * i)) & 255u)) * 1099511628211ULL;
  };
  for (const SpeechFrame& frame : frames) {
    for (const float w : frame.motion.expression) add(w);
    for (const float p : frame.phones) add(p);
    add(frame.energy);
  }
  return hash;
}

TEST(Golden, FirstFormIsUnchanged) {
  const testing::TemporaryFile file("golden.safetensors");
  testing::random_speech_model(21).write(file.path());
  const std::vector<SpeechFrame> frames = drive(SpeechModel::load(file.path()), 30);
  ASSERT_EQ(frames.size(), 60u);
  if (const char* model = std::getenv("MIEN_GOLDEN_MODEL")) {
    std::cout << std::hex << fingerprint(drive(SpeechModel::load(model), 30)) << " "
              << fingerprint(drive(SpeechModel::load(model), 25)) << " " << fingerprint(frames) << std::dec << "\n";
  }
  struct Expected {
    int frame;
    std::array<float, 7> weights;
    float phone, energy;
  };
  static constexpr Expected kExpected[] = {
      {0, {0.125559047, 0.324710071, 0, 0, 0.334716648, 0.208383873, 0.393226922}, 0.019615557, 1},
      {1, {0.0954679847, 0.318671703, 0, 0, 0.363120317, 0.226989269, 0.42130518}, 0.0183432419, 0.991685867},
      {17, {0.196231946, 0.246193871, 0, 0, 0.425310671, 0.312662691, 0.414731294}, 0.0216316506, 0.934177995},
      {40, {0.310957789, 0.244288042, 0, 0, 0.401363015, 0.413763314, 0.461630493}, 0.0194709748, 0.816607118},
      {59, {0.303544968, 0.252984047, 0, 0, 0.396271288, 0.452439934, 0.485905439}, 0.0211707931, 0}};
  for (const Expected& e : kExpected) {
    const SpeechFrame& f = frames[e.frame];
    // (The last bits are the mathematics library's.)
    for (int w = 0; w < 7; ++w) EXPECT_NEAR(f.motion.expression[w], e.weights[w], 2e-6) << "frame " << e.frame;
    EXPECT_NEAR(f.phones[3], e.phone, 2e-6);
    EXPECT_NEAR(f.energy, e.energy, 2e-6);
    EXPECT_TRUE(f.motion.offsets.empty());
  }
}

}  // namespace
}  // namespace mien
