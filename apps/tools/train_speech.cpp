// Developers' program: trains the speech networks from a pack. See scripts/train_speech_models.
#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "mien/base/error.h"
#include "mien/base/log.h"
#include "mien/base/parallel.h"
#include "motion/training/trainer.h"

int main(int argc, char** argv) {
  CLI::App app{"Trains the phonetic encoder and S2GNet from a speech pack.", "mien_train_speech"};
  mien::SpeechTrainingOptions options;
  std::string data;
  std::string out = "speech.safetensors";
  std::string init;
  std::string log;
  std::vector<std::string> favour;
  int threads = 0;
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--data", data, "The pack")->required();
  app.add_option("--out", out, "The model file to write");
  app.add_option("--init", init, "Continue from this model file");
  app.add_option("--device", options.device, "auto, cpu or cuda");
  app.add_option("--precision", options.precision, "auto, single or mixed (bfloat16 where it is safe)");
  app.add_option("--threads", threads, "CPU threads, 0 = all");
  app.add_option("--seed", options.seed);
  app.add_option("--batch", options.streams.batch, "Streams a step");
  app.add_option("--seconds", options.streams.seconds, "Length of a stream");
  app.add_option("--encoder-steps", options.encoder_steps);
  app.add_option("--motion-steps", options.motion_steps);
  app.add_option("--encoder-minutes", options.encoder_minutes);
  app.add_option("--motion-minutes", options.motion_minutes);
  app.add_option("--encoder-rate", options.encoder_rate);
  app.add_option("--motion-rate", options.motion_rate);
  app.add_option("--dropout", options.dropout);
  app.add_option("--weight-average", options.weight_average,
                 "Decay of the running average of weights that is saved; 0 = none");
  app.add_option("--leave-out", options.streams.leave_out, "Speakers to validate on instead")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--one-voice", options.streams.one_voice, "Share of streams with one speaker all along");
  app.add_flag("--band-means,!--no-band-means", options.streams.features.band_means,
               "Running mean of each band taken away");
  app.add_option("--depth", options.streams.features.depth, "Of the features, ln units below the level of speech");
  app.add_option("--long-pauses", options.streams.long_pauses, "How often seconds go by without speech")
      ->check(CLI::Range(0.0, 0.5));
  app.add_option("--warp", options.streams.augment.warp, "Range of changes of the vocal tract's length");
  app.add_option("--line", options.streams.augment.line, "How often rooms, lines and noise are put on");
  app.add_option("--mask", options.streams.augment.mask, "How often bands are masked");
  app.add_option("--favour", favour, "PREFIX=FACTOR: speakers that are heard oftener (or, below 1, more rarely)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--encoder", options.encoder, "What S2GNet listens to: phonetic or mel");
  app.add_option("--delay", options.encoder_delay, "Steps of 20 ms by which the phonetic encoder speaks late");
  app.add_option("--lookahead", options.lookahead_frames, "Frames of the future that S2GNet sees");
  app.add_option("--log", log, "JSON log to append to");
  app.add_option("--report-every", options.report_every);
  app.add_option("--save-every", options.save_every);
  CLI11_PARSE(app, argc, argv);
  try {
    mien::init_logging("info");
    at::set_num_threads(mien::set_thread_count(threads));
    options.init = init;
    options.log = log;
    for (const std::string& f : favour) {
      const std::size_t equals = f.find('=');
      if (equals == std::string::npos) {
        throw mien::Error(mien::ErrorCode::kBadArgument, fmt::format("--favour {}", f), "write PREFIX=FACTOR");
      }
      options.streams.favour.emplace_back(f.substr(0, equals), std::stof(f.substr(equals + 1)));
    }
    const mien::SpeechPack pack = mien::SpeechPack::load(data);
    const mien::SpeechTrainingReport r = mien::train_speech(pack, options, out);
    if (!r.leads) return 0;
    std::cout << fmt::format(
        "{{\"phone_accuracy\": {:.4f}, \"viseme_accuracy\": {:.4f}, \"bilabial_recall\": {:.4f}, "
        "\"bilabial_precision\": {:.4f}, "
        "\"lip_mm\": {:.3f}, \"closed_gap_mm\": {:.3f}}}\n",
        r.phone_accuracy, r.viseme_accuracy, r.bilabial_recall, r.bilabial_precision, r.lip_mm, r.closed_gap_mm);
  } catch (const mien::Error& error) {
    std::cerr << "mien_train_speech: " << error.what() << "\n";
    return mien::exit_status(error.code());
  }
  return 0;
}
