// mien actor: the synthetic performer before the cameras.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/actor/actor_capture.h"
#include "mien/actor/voice.h"
#include "mien/base/error.h"
#include "mien/base/progress.h"
#include "mien/head/head_assets.h"

namespace mien::app {
namespace {

constexpr double kCollectionSeconds = 6, kCollectionRate = 25;

struct ActorArguments {
  std::string person = "ada", emotion, emotions, output, appearance, hair, clothes, light, background = "0,0,0";
  ActorCaptureOptions options;
  int size = 512, appearances = 1;
  bool no_glasses = false;
};

// "ada", or "random:7".
Performer find_performer(const std::string& name, const HeadModel& model, const HeadAssets& assets) {
  constexpr std::string_view kRandom = "random:";
  if (!name.starts_with(kRandom)) return named_performer(name);
  const std::string digits = name.substr(kRandom.size());
  if (digits.empty() || digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string::npos) {
    throw Error(ErrorCode::kBadArgument, "\"" + name + "\" is not random: and a number", "for example random:7");
  }
  return random_performer(std::stoull(digits), model, assets);
}

std::vector<EmotionVector> find_emotions(const ActorArguments& a) {
  if (a.emotions == "all") {  // each strong and mild, as EmoTalk3D has them
    std::vector<EmotionVector> all = {emotion_vector(Emotion::kNeutral, 1)};
    for (const float intensity : {1.0f, 0.5f}) {
      for (int e = 1; e < kEmotionCount; ++e) all.push_back(emotion_vector(static_cast<Emotion>(e), intensity));
    }
    return all;
  }
  if (!a.emotions.empty()) {
    throw Error(ErrorCode::kBadArgument, "--emotions knows only \"all\"", "for a single one use --emotion happy:0.8");
  }
  return {a.emotion.empty() ? emotion_vector(Emotion::kNeutral, 1) : parse_emotion_vector(a.emotion)};
}

std::array<float, 3> parse_colour(const std::string& text) {
  std::array<float, 3> c{};
  char rest = 0;
  if (std::sscanf(text.c_str(), "%f,%f,%f%c", &c[0], &c[1], &c[2], &rest) != 3 ||
      std::any_of(c.begin(), c.end(), [](float v) { return !(v >= 0 && v <= 1); })) {
    throw Error(ErrorCode::kBadArgument, "\"" + text + "\" is no colour",
                "give three numbers from 0 to 1: 0.2,0.2,0.25");
  }
  return c;
}

void run(ActorArguments a, bool sequences_given, bool seconds_given, bool fps_given, bool quiet) {
  const std::filesystem::path path = find_head_asset();
  const HeadModel model = HeadModel::load(path);
  const HeadAssets assets = HeadAssets::load(path, model);
  ActorCaptureOptions& o = a.options;
  o.performer = find_performer(a.person, model, assets);
  if (!a.hair.empty()) o.performer.hair = a.hair;
  if (!a.clothes.empty()) o.performer.clothes = a.clothes;
  if (!a.light.empty()) o.performer.light = a.light;
  if (a.no_glasses) o.performer.glasses = false;
  if (!a.appearance.empty()) o.appearance = a.appearance;
  o.emotions = find_emotions(a);
  if (!sequences_given) o.sequences = static_cast<int>(o.emotions.size());
  if (!o.text.empty() && !seconds_given) o.seconds = 0;
  o.rig_options.size = a.size;
  o.stage.background = parse_colour(a.background);
  ProgressBar bar("filming", quiet);
  if (a.appearances > 1) {
    if (!seconds_given && o.text.empty()) o.seconds = kCollectionSeconds;
    if (!fps_given) o.fps = kCollectionRate;
    make_actor_collection(model, assets, o, a.appearances, a.output, std::ref(bar));
  } else {
    make_actor_capture(model, assets, o, a.output, std::ref(bar));
  }
  bar.finish();
  if (!quiet) std::printf("%s: done; a preview is in %s/preview.jpg\n", a.output.c_str(), a.output.c_str());
}

}  // namespace

void add_actor_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("actor", "Films a synthetic performer: a capture with everything known exactly");
  auto a = std::make_shared<ActorArguments>();
  ActorCaptureOptions& o = a->options;
  command
      ->add_option("--rig", o.rig,
                   "emotalk (11 cameras over 180 degrees), dome (8 more above and below) or mono (one moving camera)")
      ->check(CLI::IsMember({"emotalk", "dome", "mono"}))
      ->capture_default_str();
  command
      ->add_option("--person", a->person,
                   "Who: " + fmt::format("{}", fmt::join(performer_names(), ", ")) + ", or random:SEED")
      ->capture_default_str();
  auto* seconds = command->add_option("--seconds", o.seconds, "Length of each sequence")->capture_default_str();
  command->add_option("--text", o.text, "What to say, instead of sentences from the corpus");
  command->add_option("--voice", o.voice, "Voice: " + fmt::format("{}", fmt::join(voice_names(), ", ")))
      ->capture_default_str();
  command->add_option("--emotion", a->emotion, "Emotion and intensity, e.g. happy:0.8");
  command->add_option("--emotions", a->emotions,
                      "all: a sequence each of the neutral and the 7 emotions, strong and mild");
  auto* sequences = command->add_option("--sequences", o.sequences, "How many sequences (default: one an emotion)");
  command->add_option("--seed", o.seed, "Of sentences, idle motion and camera drift")->capture_default_str();
  command->add_option("--appearance", a->appearance, "Name of the appearance in the capture");
  auto* appearances =
      command
          ->add_option(
              "--appearances", a->appearances,
              "The same person in so many appearances (hair, beard, glasses, clothes, light), each before one "
              "camera, with test sequences of later sentences, of views from 30 degrees and of unseen emotions")
          ->check(CLI::Range(2, kMostLooks));
  command->add_option("--hair", a->hair, "Another hair style");
  command->add_option("--clothes", a->clothes, "Other clothes");
  command->add_flag("--no-glasses", a->no_glasses, "Without the glasses that some wear");
  command->add_option("--light", a->light, "Another light: " + fmt::format("{}", fmt::join(light_names(), ", ")));
  command->add_option("--background", a->background, "Colour behind the person, e.g. 0.2,0.2,0.25")
      ->capture_default_str();
  command->add_option("--size", a->size, "Pixels a side")->check(CLI::Range(16, 4096))->capture_default_str();
  auto* fps =
      command->add_option("--fps", o.fps, "Frames a second")->check(CLI::Range(1.0, 240.0))->capture_default_str();
  command->add_flag("--extra-views", o.extra_views, "Also film from 6 held-out cameras, as test sequences");
  command->add_flag("--png", o.png, "Lossless pictures");
  command->add_option("-o,--output", a->output, "Folder of the capture")->required();
  for (const char* other : {"--rig", "--sequences", "--emotion", "--emotions", "--appearance", "--extra-views"})
    appearances->excludes(command->get_option(other));
  command->footer(
      "Examples:\n  mien actor --rig emotalk --seconds 10 --emotion happy:0.8 -o cap\n"
      "  mien actor --person omar --appearances 5 -o looks\n\nStopped runs continue when "
      "started again with the same options.");
  command->callback(
      [=] { run(*a, sequences->count() > 0, seconds->count() > 0, fps->count() > 0, is_quiet(*command)); });
}

}  // namespace mien::app
