// mien eval emotion: can a simple classifier, trained on the actor's faces, name the emotion of synthesised motion?
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/actor/corpus.h"
#include "mien/actor/emotion_classifier.h"
#include "mien/actor/performance.h"
#include "mien/actor/voice.h"
#include "mien/base/json.h"
#include "mien/base/progress.h"
#include "motion_source.h"

namespace mien::app {
namespace {

constexpr std::array<float, 2> kIntensities = {1.0f, 0.5f};
constexpr std::array<const char*, 2> kIntensityNames = {"strong", "mild"};

struct Options {
  int train = 16;  // sentences; each is acted in 8 emotions, strong and mild
  int test = 10;
  std::uint64_t seed = 1;
  MotionSource source;
  bool json = false;
};

using Confusion = std::array<std::array<int, kEmotionCount>, kEmotionCount>;  // [truth][named]

SpokenSentence say(const std::string& text, const EmotionVector& emotion, std::size_t index) {
  const auto voices = voice_names();
  VoiceOptions voice;
  if (!voices.empty()) voice.voice = voices[index % voices.size()];
  return speak_text(text, emotional_prosody(voice, emotion));
}

// What is judged has idle motion like everything that Mien shows.
void add_idle_motion(HeadMotion& motion, const EmotionVector& emotion, std::uint64_t seed) {
  IdleMotion idle({.seed = seed});
  for (MotionFrame& frame : motion.frames) add_idle(idle.step(1 / motion.fps, 0.5f, emotion), frame);
}

std::array<Confusion, 2> evaluate(const Options& o) {
  const HeadModel head = load_head(o.source);
  MotionSource truth = o.source;
  truth.motion = "truth";
  const auto features = [&](const MotionSource& source, const std::string& text, int e, float intensity,
                            std::size_t i) {
    const EmotionVector emotion = emotion_vector(static_cast<Emotion>(e), intensity);
    const SpokenSentence spoken = say(text, emotion, i);
    HeadMotion motion = make_motion(source, head, spoken.audio, spoken.phones, EmotionTrack::constant(emotion));
    add_idle_motion(motion, emotion, o.seed + 977 * i + e);
    return EmotionClassifier::features(motion);
  };
  ProgressBar bar("acting", o.json);
  const auto training_text = corpus_sentences(o.train, o.seed);
  std::vector<EmotionClassifier::Sample> samples;
  const std::int64_t steps = 2 * kEmotionCount * (o.train + o.test);
  std::int64_t done = 0;
  for (int e = 0; e < kEmotionCount; ++e) {
    for (const float intensity : kIntensities) {
      for (std::size_t i = 0; i < training_text.size(); ++i) {
        bar(done++, steps);
        samples.push_back({features(truth, training_text[i], e, intensity, i), static_cast<Emotion>(e)});
      }
    }
  }
  const EmotionClassifier classifier = EmotionClassifier::train(samples);
  std::array<Confusion, 2> confusion{};
  for (int k = 0; k < 2; ++k) {
    for (int e = 0; e < kEmotionCount; ++e) {
      for (int i = 0; i < o.test; ++i) {
        bar(done++, steps);
        const auto f = features(o.source, test_sentences()[i], e, kIntensities[k], 5000 + i);
        ++confusion[k][e][static_cast<int>(classifier.classify(f))];
      }
    }
  }
  bar.finish();
  return confusion;
}

double accuracy(const Confusion& confusion) {
  int right = 0, total = 0;
  for (int e = 0; e < kEmotionCount; ++e) {
    right += confusion[e][e];
    for (const int n : confusion[e]) total += n;
  }
  return 100.0 * right / std::max(1, total);
}

void print(const Options& o, const std::array<Confusion, 2>& confusion) {
  if (o.json) {
    Json out = {{"motion", o.source.motion}, {"train_sentences", o.train}, {"test_sentences", o.test}};
    for (int k = 0; k < 2; ++k) {
      out[kIntensityNames[k]] = {{"accuracy_percent", accuracy(confusion[k])}, {"confusion", confusion[k]}};
    }
    out["emotions"] = kEmotionNames;
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  std::printf("emotion named from expression weights (%s motion, %d held-out sentences, classifier trained on %d)\n",
              o.source.motion.c_str(), o.test, o.train);
  for (int k = 0; k < 2; ++k) {
    std::printf("%s (intensity %.1f): %.1f %%\n", kIntensityNames[k], kIntensities[k], accuracy(confusion[k]));
    for (int e = 0; e < kEmotionCount; ++e) {
      std::printf("  %-10s", kEmotionNames[e]);
      for (const int n : confusion[k][e]) std::printf(" %4d", n);
      std::printf("\n");
    }
  }
}

}  // namespace

void add_eval_emotion_command(CLI::App& eval) {
  CLI::App* command = eval.add_subcommand("emotion", "Tells whether emotions can be read from the moving face");
  command->footer("Example:\n  mien eval emotion --json");
  auto options = std::make_shared<Options>();
  command->add_option("--train", options->train, "Sentences the classifier learns from")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--test", options->test, "Held-out sentences")
      ->check(CLI::Range(1, static_cast<int>(test_sentences().size())))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed")->capture_default_str();
  add_motion_options(*command, options->source);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { print(*options, evaluate(*options)); });
}

}  // namespace mien::app
