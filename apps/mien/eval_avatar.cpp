// mien eval avatar: an avatar against the pictures of a capture, moved by the capture's own motion or by its sound.
#include <cmath>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/metrics/lpips.h"
#include "mien/training/gaussian_trainer.h"
#include "motion_source.h"

namespace mien::app {
namespace {

struct Options {
  std::string avatar, capture, sheet, lpips_weights;
  std::string motion = "tracked";
  std::string speech;
  GaussianEvaluationOptions evaluation;
  bool json = false;
};

// What the speech networks make of a sequence's sound and emotion.
HeadMotion speech_motion(const Options& options, const Capture& capture, const HeadModel& head,
                         const CaptureSequence& sequence) {
  const std::string where = fmt::format("{}: sequence {}", options.capture, sequence.id);
  if (sequence.audio.empty()) {
    throw Error(ErrorCode::kBadFile, where + " has no audio to drive the avatar",
                "use --motion tracked, or choose a --split whose sequences have audio");
  }
  MotionSource source;
  source.speech = options.speech;
  source.fps = sequence.fps;
  return make_motion(source, head, read_audio(path_inside(capture.folder, sequence.audio, where)), {},
                     sequence.emotion);
}

// A number, or null where there is none.
Json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

void print(const Options& options, const GaussianEvaluation& r) {
  if (options.json) {
    const Json out = {{"motion", options.motion},
                      {"split", options.evaluation.split},
                      {"pictures", r.pictures},
                      {"psnr", number(r.psnr)},
                      {"ssim", r.ssim},
                      {"lpips", number(r.lpips)},
                      {"cpbd", r.cpbd},
                      {"cpbd_truth", r.cpbd_truth},
                      {"lmd_px", number(r.lmd)},
                      {"lmd_lips_px", number(r.lmd_lips)},
                      {"lve_mm", number(r.lve_mm)},
                      {"jitter_ratio", number(r.jitter_ratio)}};
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  const auto line = [](const char* name, const std::optional<double>& value, const char* remark) {
    if (value) std::printf("%-14s %8.4f  %s\n", name, *value, remark);
  };
  std::printf("%d pictures of the split \"%s\", %s motion\n", r.pictures, options.evaluation.split.c_str(),
              options.motion.c_str());
  line("PSNR", r.psnr, "dB, inside the matte");
  line("SSIM", r.ssim, "inside the matte");
  line("LPIPS", r.lpips, "SqueezeNet, whole picture on black");
  line("CPBD", r.cpbd, fmt::format("truth {:.4f}", r.cpbd_truth).c_str());
  line("LMD", r.lmd, "pixels, all landmarks");
  line("LMD, lips", r.lmd_lips, "pixels");
  line("LVE", r.lve_mm, "mm, worst lip vertex of each frame");
  line("jitter", r.jitter_ratio, "times that of the truth");
}

void run(Options& options) {
  options.evaluation.sheet = options.sheet;
  options.evaluation.lpips_weights =
      options.lpips_weights.empty() ? Lpips::find_weights() : std::filesystem::path(options.lpips_weights);
  const Avatar avatar = Avatar::load(find_avatar(options.avatar));
  const Capture capture = Capture::load(options.capture);
  if (options.motion == "speech") {
    options.evaluation.motion = [&](const CaptureSequence& sequence) {
      return speech_motion(options, capture, avatar.gaussian.head, sequence);
    };
  }
  print(options, evaluate_gaussian_avatar(avatar.gaussian, capture, options.evaluation));
}

}  // namespace

void add_eval_avatar_command(CLI::App& eval) {
  auto options = std::make_shared<Options>();
  CLI::App* command = eval.add_subcommand("avatar", "PSNR, SSIM, LPIPS, CPBD and LMD against a capture's pictures");
  command->add_option("AVATAR", options->avatar, "Shipped avatar or a .mien file")->required();
  command->add_option("--capture", options->capture, "Folder with capture.json")->required();
  command->add_option("--split", options->evaluation.split, "train or test")->capture_default_str();
  command
      ->add_option("--motion", options->motion,
                   "\"tracked\": the capture's; \"speech\": from its sound (head pose and gaze stay the capture's)")
      ->check(CLI::IsMember({"tracked", "speech"}))
      ->capture_default_str();
  command->add_option("--speech", options->speech, "Speech networks (default: the shipped ones)");
  command->add_option("--cameras", options->evaluation.cameras, "Only these cameras")->delimiter(',');
  command->add_option("--every", options->evaluation.every, "Every n-th frame")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--lpips-weights", options->lpips_weights,
                      "lpips_squeeze_v0.1.safetensors (default: the shipped one)");
  command->add_option("--sheet", options->sheet, "PNG with truth above render");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->footer(
      "Examples:\n  mien eval avatar me.mien --capture cap/ --split test\n"
      "  mien eval avatar me.mien --capture cap/ --motion speech --json");
  command->callback([options] { run(*options); });
}

}  // namespace mien::app
