// mien eval voice-emotion: the emotion of a voice over time, by a network of ours or a published classifier, as keys
// that speak can follow.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/media/audio.h"
#include "mien/speech/voice_emotion.h"

namespace mien::app {
namespace {

struct Options {
  std::string audio, model, output;
  std::string device = "cpu";
  EmotionWindows windows;
  bool json = false;
};

// "happy:0.612,sad:0.101"; below half a percent is left out.
std::string emotion_text(const EmotionVector& emotion) {
  std::string out;
  for (int e = 1; e < kEmotionCount; ++e) {
    if (emotion[e] >= 0.005f) out += fmt::format("{}{}:{:.3f}", out.empty() ? "" : ",", kEmotionNames[e], emotion[e]);
  }
  return out.empty() ? "neutral" : out;
}

void run(const Options& options) {
  const VoiceEmotion hears = VoiceEmotion::load(options.model, options.device);
  const Audio audio = read_audio(options.audio);
  const EmotionTrack track = hears.track(audio.samples, options.windows);
  Json keys = Json::array();
  for (const EmotionTrack::Key& key : track.keys)
    keys.push_back({{"time", key.time}, {"emotion", emotion_text(key.value)}});
  if (!options.output.empty()) write_json(options.output, keys);
  if (options.json) {
    std::printf("%s\n", Json({{"labels", hears.labels()}, {"keys", keys}}).dump(2).c_str());
    return;
  }
  for (const Json& key : keys)
    std::printf("%8.2f s  %s\n", key["time"].get<double>(), key["emotion"].get<std::string>().c_str());
}

}  // namespace

void add_eval_voice_emotion_command(CLI::App& eval) {
  auto options = std::make_shared<Options>();
  CLI::App* command = eval.add_subcommand("voice-emotion", "The emotion of a voice, by a network of your own");
  command->add_option("AUDIO", options->audio, "Sound or video file, - for standard input")->required();
  command
      ->add_option("--model", options->model,
                   "A file of mien train emotion, or the folder with config.json and model.safetensors of a "
                   "Wav2Vec2ForSequenceClassification or HubertForSequenceClassification (Hugging Face); none is "
                   "shipped")
      ->required();
  command->add_option("--device", options->device, "Of a classifier: cpu or cuda")->capture_default_str();
  command->add_option("--window", options->windows.window_seconds, "Seconds that a classifier hears at once")
      ->capture_default_str();
  command->add_option("--hop", options->windows.hop_seconds, "Seconds from one window of a classifier to the next")
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "Write the keys as JSON, for mien speak --emotion FILE.json");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Example:\n  mien eval voice-emotion speech.wav --model emotion.safetensors -o mood.json\n"
      "  mien speak speech.wav --emotion mood.json -o speech.mp4\n\n"
      "Of a classifier, probabilities are taken as intensities, and labels that mean none of the eight emotions count "
      "as "
      "neutral.");
  command->callback([options] { run(*options); });
}

}  // namespace mien::app
