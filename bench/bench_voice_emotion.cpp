// How well `mien train emotion` hears emotions that synthetic voices put on: flite's, with the tempo, pitch and
// loudness of each emotion and a little of everything at random, each voice left out in turn. It says whether the
// trainer works, not how well it would hear people.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "mien/actor/corpus.h"
#include "mien/actor/voice.h"
#include "mien/base/error.h"
#include "mien/base/log.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/media/audio.h"
#include "mien/speech/emotion_training.h"

namespace {

namespace fs = std::filesystem;

// EMOTION-INTENSITY/VOICE/NUMBER.wav.
void write_recordings(const fs::path& folder, int sentences) {
  mien::Random random(5);
  const std::vector<std::string> texts = mien::corpus_sentences(sentences * mien::kEmotionCount * 4, 3);
  std::size_t text = 0;
  for (const std::string& voice : mien::voice_names()) {
    for (int e = 0; e < mien::kEmotionCount; ++e) {
      for (int n = 0; n < sentences; ++n) {
        const float intensity = n % 2 == 0 ? 1.0f : 0.5f;
        mien::VoiceOptions base;
        base.voice = voice;
        base.duration_stretch = random.uniform(0.96f, 1.04f);
        base.gain = random.uniform(0.9f, 1.1f);
        const auto options =
            mien::emotional_prosody(base, mien::emotion_vector(static_cast<mien::Emotion>(e), intensity));
        const fs::path place = folder / fmt::format("{}-{}", mien::kEmotionNames[e], intensity) / voice;
        fs::create_directories(place);
        mien::write_wav(place / fmt::format("{:03}.wav", n), mien::speak_text(texts[text++], options).audio);
      }
    }
  }
}

int run(const fs::path& folder, int sentences, int steps) {
  if (!fs::exists(folder)) write_recordings(folder, sentences);
  std::printf("%d threads; %d sentences for each of %d emotions and each voice, %d steps\n", mien::thread_count(),
              sentences, mien::kEmotionCount, steps);
  for (const std::string& voice : mien::voice_names()) {
    mien::EmotionTrainingOptions options;
    options.steps = steps;
    options.leave_out = {voice};
    const fs::path out = fs::path(folder).concat("-without-" + voice + ".safetensors");
    const mien::EmotionTrainingReport r = mien::train_emotion(folder, options, out);
    std::printf("%-6s never heard: %3d recordings, right %.1f %% (chance %.1f %%), intensity off by %.2f; %.0f s\n",
                voice.c_str(), r.scored, 100 * r.accuracy, 100 * r.chance, r.intensity_error, r.seconds);
    std::printf("  %s\n", r.json()["confusion"].dump().c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Emotions of synthetic voices, heard by networks trained without that voice.", "bench_voice_emotion"};
  std::string folder = "voice_emotion";
  int sentences = 20, steps = 800, threads = 0;
  app.add_option("--folder", folder, "For the recordings, made if it is not there, and the networks");
  app.add_option("--sentences", sentences, "For each emotion and voice");
  app.add_option("--steps", steps, "Training steps");
  app.add_option("--threads", threads, "0 = all cores");
  CLI11_PARSE(app, argc, argv);
  try {
    mien::init_logging("warn");
    mien::set_thread_count(threads);
    return run(folder, sentences, steps);
  } catch (const mien::Error& error) {
    std::fprintf(stderr, "bench_voice_emotion: %s\n", error.what());
    return mien::exit_status(error.code());
  }
}
