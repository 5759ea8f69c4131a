// mien eval features: what a speech encoder makes of a recording.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/safetensors.h"
#include "mien/media/audio.h"
#include "mien/speech/speech_encoder.h"

namespace mien::app {
namespace {

struct Options {
  std::string audio, encoder = "phonetic", output;
  SpeechEncoderOptions encoding;
  bool json = false;
};

void save(const std::string& path, const SpeechEncoderInfo& info, const SpeechFeatures& features) {
  SafetensorsWriter writer;
  writer.metadata("encoder", info.name);
  writer.metadata("rate", fmt::format("{}", info.rate));
  writer.metadata("first_time", fmt::format("{}", info.first_time));
  writer.add("features", {features.count(), features.width}, features.values);
  writer.write(path);
}

void run(Options& options) {
  options.encoding.kind = parse_speech_encoder(options.encoder);
  if (options.encoding.kind == SpeechEncoderKind::kHubert && options.encoding.model.empty()) {
    throw Error(ErrorCode::kBadArgument, "--encoder hubert needs a model",
                "give --model the folder of config.json and model.safetensors");
  }
  const auto encoder = make_speech_encoder(options.encoding);
  const SpeechEncoderInfo& info = encoder->info();
  const Audio audio = read_audio(options.audio);
  const auto start = std::chrono::steady_clock::now();
  const SpeechFeatures features = encoder->encode(audio.samples);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  double sum = 0;
  double squares = 0;
  for (const float value : features.values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const double count = std::max<double>(1, static_cast<double>(features.values.size()));
  const double mean = sum / count;
  const double deviation = std::sqrt(std::max(0.0, squares / count - mean * mean));
  if (!options.output.empty()) save(options.output, info, features);
  if (options.json) {
    const Json out = {{"encoder", info.name},
                      {"seconds", audio.seconds()},
                      {"features", features.count()},
                      {"width", features.width},
                      {"rate", info.rate},
                      {"first_time", info.first_time},
                      {"look_ahead", info.look_ahead},
                      {"causal", info.causal},
                      {"encode_seconds", took.count()},
                      {"mean", mean},
                      {"deviation", deviation}};
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%s: %d features of %d values, %.0f a second, the first at %.4f s\n", info.name.c_str(), features.count(),
              features.width, info.rate, info.first_time);
  std::printf("%.2f s of sound took %.3f s\n", audio.seconds(), took.count());
  std::printf("mean %.4f, deviation %.4f; a stream gives %s features %.3f s after their moment\n", mean, deviation,
              info.causal ? "the same" : "nearly the same", info.look_ahead);
}

}  // namespace

void add_eval_features_command(CLI::App& eval) {
  auto options = std::make_shared<Options>();
  CLI::App* command = eval.add_subcommand("features", "What a speech encoder makes of a recording");
  command->add_option("AUDIO", options->audio, "Sound or video file, - for standard input")->required();
  command->add_option("--encoder", options->encoder, "mel, phonetic or hubert")->capture_default_str();
  command->add_option("--model", options->encoding.model,
                      "hubert: folder with config.json and model.safetensors of a HuBERT or wav2vec 2.0 model (Hugging "
                      "Face); phonetic: another speech.safetensors");
  command->add_option("--device", options->encoding.device, "cpu or cuda (hubert)")->capture_default_str();
  command
      ->add_option("--context", options->encoding.context_seconds,
                   "hubert: seconds heard around a window and forgotten")
      ->capture_default_str();
  command
      ->add_option("--whole", options->encoding.longest_seconds,
                   "hubert: recordings up to this many seconds are not cut")
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "Write them as safetensors: features [T, width]");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Example:\n  mien eval features speech.wav --encoder hubert --model hubert-base/ -o f.safetensors");
  command->callback([options] { run(*options); });
}

}  // namespace mien::app
