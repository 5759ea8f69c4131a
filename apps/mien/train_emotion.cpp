// mien train emotion: a user's labelled recordings in, an emotion network out.
#include "train_emotion.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/leftovers.h"
#include "mien/base/log.h"
#include "mien/speech/emotion_training.h"

namespace fs = std::filesystem;

namespace mien::app {
namespace {

struct Options {
  std::string data, output, log;
  EmotionTrainingOptions training;
  bool restart = false, json = false;
};

void print_confusion(const EmotionTrainingReport& r) {
  std::printf("%-10s", "truth");
  for (const Emotion heard : r.classes) std::printf("%10s", kEmotionNames[static_cast<int>(heard)]);
  std::printf("\n");
  for (const Emotion truth : r.classes) {
    std::printf("%-10s", kEmotionNames[static_cast<int>(truth)]);
    for (const Emotion heard : r.classes)
      std::printf("%10d", r.confusion[static_cast<int>(truth)][static_cast<int>(heard)]);
    std::printf("\n");
  }
}

void print(const EmotionTrainingReport& r, const std::string& output) {
  std::printf("%s: %d recordings, %.1f min, %d skipped; %d steps in %.0f s\n", output.c_str(), r.files, r.minutes,
              r.skipped, r.steps, r.seconds);
  if (r.scored == 0) {
    std::printf("trained on all of them: how well it hears was not measured\n");
    return;
  }
  if (r.speakers_known) {
    std::string names;
    for (const std::string& name : r.left_out) names += (names.empty() ? "" : ", ") + name;
    std::printf("scored on %d recordings of speakers it never heard (%s):\n", r.scored, names.c_str());
  } else {
    std::printf("scored on %d recordings held out, of voices that it may have heard:\n", r.scored);
  }
  print_confusion(r);
  std::printf("accuracy %.1f %%, mean over emotions %.1f %% (chance %.1f %%), intensity off by %.2f\n",
              100 * r.accuracy, 100 * r.recall, 100 * r.chance, r.intensity_error);
}

void train(Options options, bool quiet) {
  const fs::path output(options.output);
  if (output.extension() != ".safetensors") {
    throw Error(ErrorCode::kBadArgument, fmt::format("output \"{}\" is not a .safetensors file", options.output),
                "give a name such as -o emotion.safetensors");
  }
  make_output_folder(output.has_parent_path() ? output.parent_path() : fs::path("."));
  EmotionTrainingOptions& training = options.training;
  training.checkpoint = fs::path(output).concat(".checkpoint");
  training.log = options.log;
  remove_leftovers(training.checkpoint);
  if (options.restart) fs::remove(training.checkpoint);
  ProgressBar reading("reading", quiet);
  training.reading = reading;
  std::unique_ptr<ProgressBar> bar;  // its clock starts with the training
  training.progress = [&](std::int64_t done, std::int64_t total, const std::string& note) {
    if (!bar) {
      reading.finish();
      bar = std::make_unique<ProgressBar>("training", quiet);
    }
    return (*bar)(done, total, note);  // the trainer saves its checkpoint before it ends
  };
  const EmotionTrainingReport report = train_emotion(options.data, training, output);
  if (bar) bar->finish();
  if (!report.finished) {
    throw Error(ErrorCode::kInterrupted,
                fmt::format("stopped after {} steps; {} holds them", report.steps, training.checkpoint.string()),
                "run the same command again to go on");
  }
  if (!report.leads) return;  // the first rank says it
  if (!options.json) {
    print(report, options.output);
    return;
  }
  Json result = report.json();
  result["output"] = options.output;
  std::printf("%s\n", result.dump().c_str());
}

}  // namespace

CLI::App* add_train_emotion_command(CLI::App& train_command) {
  auto options = std::make_shared<Options>();
  EmotionTrainingOptions& t = options->training;
  CLI::App* command =
      train_command.add_subcommand("emotion", "A network that hears the emotion of a voice, from your labelled sounds");
  command
      ->add_option("DATA", options->data,
                   "Folder with EMOTION[-INTENSITY]/[SPEAKER/]FILE or labels.csv, or a CSV file with the columns file, "
                   "emotion and, if wanted, intensity and speaker")
      ->required();
  command->add_option("-o,--output", options->output, "Network to write (.safetensors)")->required();
  command->add_option("--leave-out", t.leave_out, "Speakers to score instead of training on (default: one in five)")
      ->delimiter(',');
  command->add_flag("--all", t.train_on_all, "Train on everything, score nothing");
  command->add_option("--steps", t.steps, "Training steps")->capture_default_str();
  command->add_option("--batch", t.batch, "Streams a step")->capture_default_str();
  command->add_option("--seconds", t.seconds, "Of a stream")->capture_default_str();
  command->add_option("--rate", t.rate, "Learning rate")->capture_default_str();
  command->add_option("--seed", t.seed, "Of everything random")->capture_default_str();
  command->add_option("--log", options->log, "JSON lines: step, loss, seconds; at last what was scored");
  command->add_flag("--restart", options->restart, "Ignore a checkpoint of an earlier run");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->footer(
      "Example:\n  mien train emotion recordings/ -o emotion.safetensors\n"
      "  mien speak hello.wav --emotion auto --emotion-model emotion.safetensors -o hello.mp4\n\n"
      "Mien ships no such network: there are no emotional recordings under a licence that would allow it. Without one, "
      "or a classifier of your own, --emotion auto is refused; an emotion that is given always works.");
  command->callback([options, command] { train(*options, is_quiet(*command)); });
  return command;
}

}  // namespace mien::app
