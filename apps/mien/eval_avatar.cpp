// mien eval avatar: an avatar against the pictures of a capture, moved by the capture's own motion.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/training/gaussian_trainer.h"

namespace mien::app {

void add_eval_avatar_command(CLI::App& eval) {
  struct Options {
    std::string avatar, capture;
    GaussianEvaluationOptions evaluation;
    std::string sheet;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = eval.add_subcommand("avatar", "PSNR and SSIM of tracked motion against a capture's pictures");
  command->add_option("AVATAR", options->avatar, "Shipped avatar or a .mien file")->required();
  command->add_option("--capture", options->capture, "Folder with capture.json")->required();
  command->add_option("--split", options->evaluation.split, "train or test")->capture_default_str();
  command->add_option("--cameras", options->evaluation.cameras, "Only these cameras")->delimiter(',');
  command->add_option("--every", options->evaluation.every, "Every n-th frame")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--sheet", options->sheet, "PNG with truth above render");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->footer("Example:\n  mien eval avatar me.mien --capture cap/ --split test");
  command->callback([options] {
    options->evaluation.sheet = options->sheet;
    const Avatar avatar = Avatar::load(find_avatar(options->avatar));
    const GaussianEvaluation result =
        evaluate_gaussian_avatar(avatar.gaussian, Capture::load(options->capture), options->evaluation);
    if (options->json) {
      std::printf("%s\n",
                  Json({{"psnr", result.psnr}, {"ssim", result.ssim}, {"pictures", result.pictures}}).dump().c_str());
    } else {
      std::printf("PSNR %.2f dB  SSIM %.4f  (inside the matte, %d pictures)\n", result.psnr, result.ssim,
                  result.pictures);
    }
  });
}

}  // namespace mien::app
