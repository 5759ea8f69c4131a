// mien train: a capture in, an avatar out.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/interrupt.h"
#include "mien/base/leftovers.h"
#include "mien/base/log.h"
#include "mien/base/parallel.h"
#include "mien/base/rank_group.h"
#include "mien/capture/capture.h"
#include "mien/capture/split.h"
#include "mien/session/session.h"
#include "mien/training/framing.h"
#include "mien/training/gaussian_trainer.h"
#include "same_person.h"
#include "train_emotion.h"
#include "train_field.h"
#include "train_report.h"
#include "train_speech.h"

namespace fs = std::filesystem;

namespace mien::app {
namespace {

// A GPU takes ten times the steps in a quarter of the time.
constexpr int kSteps = 6000, kCudaSteps = 60000;
constexpr int kGrowTo = 60000, kCudaGrowTo = 105000;

struct TrainOptions {
  std::vector<std::string> inputs;
  std::string output, renderer = "gaussians", device = "auto", name, licence = "not stated", consent, log, report,
                      appearance = "local";
  GaussianTrainOptions gaussians;
  FieldStage field;
  float hold_out = -1;  // -1: as befits the capture
  float ssim_weight = ImageLossOptions{}.ssim;
  int cache_mb = 1024;
  int steps = -1, grow_to = -1;  // -1: as befits the device
  bool all_sequences = false, restart = false, force = false, no_geometry = false, no_emotion = false, json = false;
};

Image8 thumbnail(const Avatar& avatar, const std::string& appearance) {
  SessionOptions options;
  options.appearance = appearance;
  options.width = options.height = 512;
  AvatarPainter painter(std::make_shared<const Avatar>(avatar), options);
  return resize_image(painter.paint(MotionFrame{}, 0), 160, 160);
}

void train(TrainOptions options, const CLI::App& command) {
  const RankGroup ranks = rank_group_from_environment();  // before anything touches a GPU
  const bool quiet = is_quiet(command) || !ranks.leads();
  const fs::path output(options.output);
  if (output.extension() != ".mien") {
    throw Error(ErrorCode::kBadArgument, fmt::format("output \"{}\" is not a .mien file", options.output),
                "give a name such as -o me.mien");
  }
  Capture capture = Capture::load(capture_of(options.inputs, output, options.device, quiet));
  if (options.all_sequences) {
    for (CaptureSequence& sequence : capture.sequences) sequence.split = "train";
  }
  options.gaussians.appearance.features = parse_appearance_features(options.appearance);
  options.gaussians.hold_out = options.hold_out >= 0 ? options.hold_out : usual_hold_out(capture);
  if (options.hold_out < 0 && options.gaussians.hold_out > 0)
    spdlog::info("the last {:.0f} % of each video are kept for tests (--hold-out)", 100 * options.gaussians.hold_out);
  const fs::path parent = output.has_parent_path() ? output.parent_path() : fs::path(".");
  make_output_folder(parent);
  GaussianTrainOptions& gaussians = options.gaussians;
  const fs::path log = options.log.empty() ? fs::path(output).replace_extension(".log") : fs::path(options.log);
  const fs::path page = options.report.empty()     ? fs::path(output).replace_extension(".report.html")
                        : options.report == "none" ? fs::path()
                                                   : fs::path(options.report);
  if (options.renderer == "field") {
    FieldTrainOptions& field = options.field.options;
    options.field.latents = options.appearance;
    field.field.density_offset = gaussians.appearance.density_offset;
    field.device = parse_device(options.device);
    field.hold_out = gaussians.hold_out;
    field.seed = gaussians.seed;
    field.patience = gaussians.patience;
    field.cache_bytes = static_cast<std::size_t>(options.cache_mb) << 20;
    field.log = log;
    if (command.count("--mouth-weight") > 0) field.mouth_weight = gaussians.mouth_weight;
    train_field_stage(
        capture, {output, page, options.name, options.licence, options.consent, options.restart, options.json, quiet},
        options.field, options.steps, command);
    return;
  }
  gaussians.cache_bytes = static_cast<std::size_t>(options.cache_mb) << 20;
  gaussians.checkpoint = fs::path(output).concat(".checkpoint");
  gaussians.preview = fs::path(output).replace_extension(".preview.png");
  gaussians.log = log;
  if (options.no_geometry) {
    gaussians.networks = true;
    gaussians.initialise.colour_modes = false;  // they see the expression
    gaussians.sound = SoundContext::load(find_model("speech.safetensors"));
  }
  gaussians.ranks = ranks;
  gaussians.device = parse_device(options.device);
  const bool cuda = use_cuda(gaussians.device);
  gaussians.dynamic_steps = options.steps >= 0 ? options.steps : cuda ? kCudaSteps : kSteps;
  gaussians.grow_to = options.grow_to >= 0 ? options.grow_to : cuda ? kCudaGrowTo : kGrowTo;
  gaussians.loss.ssim = options.ssim_weight;
  gaussians.loss.l1 = 1 - options.ssim_weight;
  if (ranks.leads()) remove_leftovers(gaussians.checkpoint);
  if (options.restart) fs::remove(gaussians.checkpoint);
  if (fs::exists(gaussians.checkpoint)) spdlog::info("resuming from {}", gaussians.checkpoint.string());
  TrainReporter reporter(ranks.leads() ? page : fs::path(), command, output.filename().string(), gaussians.log,
                         gaussians.preview);
  ProgressBar bar("training", quiet);
  gaussians.progress = [&](std::int64_t done, std::int64_t total, const std::string& note) {
    if (interrupted()) return false;  // the trainer saves its checkpoint before it ends
    reporter.now_and_then(fmt::format("step {} of {}, {}", done, total, note));
    return bar(done, total, note);
  };
  if (ranks.leads() && !options.force && is_monocular(capture) && !fs::exists(gaussians.checkpoint))
    require_one_person(capture);
  GaussianTrainReport report;
  Avatar avatar;
  avatar.gaussian = train_gaussian_avatar(capture, gaussians, &report);
  bar.finish();
  if (!report.finished) {
    reporter.finish(fmt::format("stopped after {} steps", report.steps), {});
    throw Error(ErrorCode::kInterrupted,
                fmt::format("stopped after {} steps; {} holds them", report.steps, gaussians.checkpoint.string()),
                "run the same command again to go on");
  }
  if (!ranks.leads()) return;  // the first rank writes the avatar, and says it
  const int pruned = prune_gaussians(avatar.gaussian, 0.01f);
  const Framing framing = capture_framing(capture);
  avatar.name = options.name.empty() ? output.stem().string() : options.name;
  avatar.licence = options.licence;
  avatar.consent = options.consent;
  avatar.front = framing.front;
  avatar.focus = framing.focus;
  for (const std::string& name : avatar.gaussian.looks.names) avatar.appearances.push_back({name, {}});
  if (avatar.appearances.empty()) avatar.appearances.push_back({capture.sequences.front().appearance, {}});
  avatar.training = {{"person", capture.person},
                     {"sequences", capture.sequences.size()},
                     {"cameras", capture.cameras.size()},
                     {"steps", report.steps},
                     {"seconds", report.seconds},
                     {"steps_per_second", report.steps_per_second},
                     {"final_l1", report.final_l1},
                     {"pruned", pruned},
                     {"threads", thread_count()},
                     {"seed", gaussians.seed},
                     {"hold_out", gaussians.hold_out},
                     {"appearance", options.appearance},
                     {"density_offset", gaussians.appearance.density_offset},
                     {"ranks", ranks.size},
                     {"device", report.cuda ? "cuda" : "cpu"}};
  for (AvatarAppearance& appearance : avatar.appearances) appearance.thumbnail = thumbnail(avatar, appearance.name);
  avatar.save(output);
  fs::remove(gaussians.checkpoint);
  TrainingReportPage::Table figures = {
      {"Gaussians", fmt::format("{}", avatar.gaussian.gaussians.count())},
      {"file", fmt::format("{:.1f} MB", static_cast<double>(fs::file_size(output)) / 1e6)}};
  for (const auto& [name, value] : avatar.training.items())
    figures.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  reporter.finish(report.early ? "settled before the last step (--patience)" : "finished", figures);
  if (options.json) {
    Json result = avatar.training;
    result["output"] = output.string();
    result["gaussians"] = avatar.gaussian.gaussians.count();
    result["bytes"] = fs::file_size(output);
    std::printf("%s\n", result.dump().c_str());
  } else {
    std::printf("%s: %d Gaussians, %.1f MB, %d steps in %.0f s (%.1f steps/s), L1 %.4f\n", output.c_str(),
                avatar.gaussian.gaussians.count(), static_cast<double>(fs::file_size(output)) / 1e6, report.steps,
                report.seconds, report.steps_per_second, report.final_l1);
  }
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  auto speech = std::make_shared<SpeechStage>();
  CLI::App* command = app.add_subcommand("train", "Train an avatar from a capture; stop and resume at will");
  command->add_option("CAPTURE", options->inputs, "Folder with capture.json; or videos of one person, tracked first");
  command->add_option("-o,--output", options->output, "Avatar to write (.mien)");
  const CLI::App* emotion = add_train_emotion_command(*command);
  command->add_option("--renderer", options->renderer, "gaussians (fast) or field (one radiance field for all looks)")
      ->check(CLI::IsMember({"gaussians", "field"}))
      ->capture_default_str();
  command->add_option("--device", options->device, "auto, cpu or cuda (an NVIDIA GPU)")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command
      ->add_option("--steps", options->steps,
                   fmt::format("Steps on moving frames (default: {}, on a GPU {})", kSteps, kCudaSteps))
      ->check(CLI::Range(0, 100000000));
  command->add_option("--canonical-steps", options->gaussians.canonical_steps, "Steps on the canonical moment")
      ->capture_default_str();
  command->add_option("--surface-count", options->gaussians.initialise.surface_count, "Gaussians on the head model")
      ->capture_default_str();
  command->add_option("--volume-count", options->gaussians.initialise.volume_count, "Gaussians for hair and clothing")
      ->capture_default_str();
  command
      ->add_option("--grow-to", options->grow_to,
                   fmt::format("Gaussians to grow to, by splitting where the pictures differ most; 0 = none "
                               "(default: {}, on a GPU {})",
                               kGrowTo, kCudaGrowTo))
      ->check(CLI::Range(0, 2000000));
  command->add_option("--ssim-weight", options->ssim_weight, "Share of SSIM in the loss; the rest is L1")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      ->add_option("--pixel-filter", options->gaussians.pixel_filter,
                   "Blur of every Gaussian in the picture, in pixels^2: small is sharp, but what is thin twinkles")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_flag("!--no-colour-modes", options->gaussians.initialise.colour_modes,
                    "No colour that changes with the expression (wrinkles, light in the mouth)");
  CLI::Option* g2anet = command->add_flag("--g2anet", options->gaussians.networks,
                                          "Networks for the look of the moment (G2ANet), beside the colour modes");
  command->add_flag("!--no-feature-net", options->gaussians.g2anet.feature_net, "G2ANet without colour (FeatureNet)")
      ->needs(g2anet);
  command->add_flag("--no-geometry", options->no_geometry,
                    "G2ANet hears the sound instead of seeing the geometry, and places the Gaussians itself; no colour "
                    "modes (the paper's ablation; every sequence needs its sound)");
  command->add_flag("--no-emotion", options->no_emotion,
                    "Neither G2ANet nor, in the speech stage, S2GNet sees the emotion");
  command->add_flag("--dynamic-opacity", options->gaussians.g2anet.dynamic_opacity, "G2ANet changes the opacity too")
      ->needs(g2anet);
  command
      ->add_option(
          "--appearance", options->appearance,
          "What tells the appearances of a capture apart: local (features of each Gaussian), global (one set of "
          "features an appearance) or none")
      ->check(CLI::IsMember({"none", "global", "local"}))
      ->capture_default_str();
  command->add_flag("!--no-density-offset", options->gaussians.appearance.density_offset,
                    "Appearances differ in colour only: nothing is there in one and not in another");
  command->add_option("--log", options->log, "JSON lines: step, stage, losses, seconds (default: NAME.log)");
  command->add_option("--report", options->report,
                      "Page with curves, preview, options and figures, renewed as training goes on (default: "
                      "NAME.report.html; none: no page)");
  command->add_option("--batch", options->gaussians.batch, "Pictures a step (on the CPU only)")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--patience", options->gaussians.patience,
                   "End when the loss has not fallen for so many steps of the moving stage; 0: never")
      ->check(CLI::Range(0, 100000000))
      ->capture_default_str();
  command->add_option("--mouth-weight", options->gaussians.mouth_weight, "Extra weight of the loss on the mouth")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_flag("--all-sequences", options->all_sequences, "Train on the sequences of the test split too");
  command
      ->add_option("--hold-out", options->hold_out,
                   fmt::format("Share of each video's end that is kept for tests (default: {} for videos by one camera "
                               "without a test split, otherwise 0)",
                               kUsualHoldOut))
      ->check(CLI::Range(0.0F, kMostHoldOut));
  command->add_option("--cache-mb", options->cache_mb, "Memory for decoded pictures")->capture_default_str();
  command->add_option("--name", options->name, "Name stored in the avatar; the file's name by default");
  command->add_option("--licence", options->licence, "Licence stored in the avatar")->capture_default_str();
  command->add_option("--consent", options->consent, "What the person agreed to, stored in the avatar");
  command->add_option("--seed", options->gaussians.seed, "Of everything random")->capture_default_str();
  command->add_flag("--restart", options->restart, "Ignore a checkpoint of an earlier run");
  command->add_flag("--force", options->force, "Train even if a video seems to show somebody else than the others");
  command->add_flag("--json", options->json, "Print the result as JSON");
  add_field_stage(*command, options->field);
  add_speech_stage(*command, *speech);
  command->footer(
      "Examples:\n  mien train cap/ -o me.mien\n  mien train cap/ --stage speech -o me.mien\n  mien train a.mp4 b.mp4 "
      "--renderer field -o me.mien");
  command->callback([options, speech, command, emotion] {
    if (emotion->parsed()) return;
    options->gaussians.g2anet.emotion = speech->tuning.emotion = !options->no_emotion;
    if (options->inputs.empty()) throw CLI::RequiredError("CAPTURE");  // not for `train emotion`
    if (options->output.empty()) throw CLI::RequiredError("--output");
    if (speech->chosen()) {
      train_speech_stage(options->inputs.front(), options->output, *speech, options->gaussians.seed,
                         options->all_sequences, options->restart, options->json, is_quiet(*command));
      return;
    }
    train(*options, *command);
  });
}

}  // namespace mien::app
