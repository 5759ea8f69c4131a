// mien scene: Gaussians of a still scene, without a head model.
#include "mien/scene/scene.h"

#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"
#include "mien/base/parallel.h"
#include "mien/base/progress.h"
#include "mien/splat/ply.h"

namespace fs = std::filesystem;

namespace mien::app {
namespace {

struct SceneCommand {
  SceneTrainOptions train;
  std::string capture, ply, split = "test", sheet;
  long cache_mb = 1024;
  bool json = false;
};

Json to_json(const SceneScore& score) {
  return {{"camera", score.camera}, {"psnr", score.psnr}, {"ssim", score.ssim}, {"lpips", score.lpips}};
}

bool has_split(const Capture& capture, const std::string& split) {
  for (const CaptureSequence& s : capture.sequences) {
    if (s.split == split) return true;
  }
  return false;
}

void train(SceneCommand command, bool quiet) {
  const fs::path output(command.ply);
  if (output.extension() != ".ply") {
    throw Error(ErrorCode::kBadArgument, fmt::format("output \"{}\" is not a .ply file", command.ply),
                "give a name such as -o head.ply");
  }
  const Capture capture = Capture::load(command.capture);
  make_output_folder(output.has_parent_path() ? output.parent_path() : fs::path("."));
  command.train.cache_bytes = static_cast<std::size_t>(command.cache_mb) << 20;
  ProgressBar bar("training", quiet || command.json);
  command.train.progress = std::ref(bar);
  SceneReport report;
  const Gaussians gaussians = train_scene(capture, command.train, &report);
  bar.finish();
  write_ply(output, gaussians);
  Json result = {{"output", command.ply},     {"gaussians", gaussians.count()}, {"views", report.views},
                 {"steps", report.steps},     {"seconds", report.seconds},      {"final_l1", report.final_l1},
                 {"threads", thread_count()}, {"seed", command.train.seed}};
  if (!command.json) {
    std::printf("%s: %d Gaussians from %d views, %d steps in %.0f s (%.1f steps/s), L1 %.4f\n", command.ply.c_str(),
                gaussians.count(), report.views, report.steps, report.seconds, report.steps / report.seconds,
                report.final_l1);
  }
  if (has_split(capture, "test")) {
    const SceneEvaluation held_out = evaluate_scene(gaussians, capture);
    result["held_out"] = to_json(held_out.mean);
    if (!command.sheet.empty()) write_image(command.sheet, held_out.sheet);
    if (!command.json) {
      std::printf("%zu held-out views: PSNR %.2f dB, SSIM %.4f, LPIPS %.4f\n", held_out.views.size(),
                  held_out.mean.psnr, held_out.mean.ssim, held_out.mean.lpips);
    }
  }
  if (command.json) std::printf("%s\n", result.dump().c_str());
}

void evaluate(const SceneCommand& command, bool quiet) {
  const Gaussians gaussians = read_ply(command.ply);
  const Capture capture = Capture::load(command.capture);
  ProgressBar bar("drawing", quiet || command.json);
  const SceneEvaluation out = evaluate_scene(gaussians, capture, command.split, std::ref(bar));
  bar.finish();
  if (!command.sheet.empty()) write_image(command.sheet, out.sheet);
  if (command.json) {
    Json json = {{"views", Json::array()}, {"mean", to_json(out.mean)}};
    for (const SceneScore& score : out.views) json["views"].push_back(to_json(score));
    std::printf("%s\n", json.dump(2).c_str());
    return;
  }
  std::printf("%-24s %8s %8s %8s\n", "camera", "PSNR dB", "SSIM", "LPIPS");
  const auto line = [](const SceneScore& s) {
    std::printf("%-24s %8.2f %8.4f %8.4f\n", s.camera.c_str(), s.psnr, s.ssim, s.lpips);
  };
  for (const SceneScore& score : out.views) line(score);
  line(out.mean);
}

}  // namespace

void add_scene_command(CLI::App& app) {
  CLI::App* scene = app.add_subcommand("scene", "Still scenes: Gaussians from pictures of one moment, as PLY");
  scene->require_subcommand(1);
  auto c = std::make_shared<SceneCommand>();
  const auto common = [&](CLI::App* command) {
    command->add_option("--sheet", c->sheet, "Picture of held-out views: truth above render");
    command->add_flag("--json", c->json, "Print the result as JSON");
  };
  CLI::App* learn = scene->add_subcommand("train", "Gaussians of a capture's first moment, measured on held-out views");
  learn->add_option("CAPTURE", c->capture, "Folder with capture.json (mien capture import makes it)")->required();
  learn->add_option("-o,--output", c->ply, "PLY to write, as 3D Gaussian splatting tools read it")->required();
  learn->add_option("--steps", c->train.steps, "Steps, one picture each")->capture_default_str();
  learn->add_option("--initial-points", c->train.initial_points, "Gaussians to start with")->capture_default_str();
  learn->add_option("--max-gaussians", c->train.max_gaussians, "Gaussians at most")->capture_default_str();
  learn->add_option("--densify-above", c->train.densify_above, "Gradient from which on Gaussians are added")
      ->capture_default_str();
  learn->add_option("--cache-mb", c->cache_mb, "Memory for decoded pictures")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  learn->add_option("--seed", c->train.seed, "Of everything random")->capture_default_str();
  common(learn);
  learn->footer("Example:\n  mien capture import photos/ -o cap && mien scene train cap -o head.ply");
  learn->callback([c, learn] { train(*c, is_quiet(*learn)); });
  CLI::App* score = scene->add_subcommand("eval", "PSNR, SSIM and LPIPS of a PLY against a capture's views");
  score->add_option("PLY", c->ply, "Gaussians")->required();
  score->add_option("CAPTURE", c->capture, "Folder with capture.json")->required();
  score->add_option("--split", c->split, "train or test")->capture_default_str();
  common(score);
  score->footer("Example:\n  mien scene eval head.ply cap --sheet sheet.png");
  score->callback([c, score] { evaluate(*c, is_quiet(*score)); });
}

}  // namespace mien::app
