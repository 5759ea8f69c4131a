// mien render: a motion file or ARKit's curves in, pictures of an avatar out.
#include <cstdio>
#include <memory>
#include <string>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/head/arkit_csv.h"
#include "mien/session/session.h"
#include "motion_video.h"
#include "parse.h"

namespace mien::app {
namespace {

struct RenderOptions {
  std::string motion, avatar = "ada", camera = "front", output, audio, size = "512x512", emotion, device = "auto";
  int frame = 0;
};

void render(const RenderOptions& options, bool quiet) {
  SessionOptions session;
  parse_size(options.size, session.width, session.height);
  session.view = parse_view(options.camera);
  session.device = parse_device(options.device);
  const auto avatar = std::make_shared<const Avatar>(Avatar::load(find_avatar(options.avatar)));
  HeadMotion motion;
  if (options.motion.empty()) {  // the neutral face
    motion.expression_names = avatar->gaussian.head.expression_names;
    motion.frames.emplace_back();
  } else {
    motion = load_motion(options.motion);
  }
  if (std::filesystem::path(options.output).extension() == ".csv") {
    write_arkit_csv(motion, options.output);
    return;
  }
  if (!options.motion.empty()) add_sound(options.audio, *avatar, motion);
  const std::filesystem::path output(options.output);
  if (output.extension() == ".png" || output.extension() == ".jpg") {
    if (options.frame < 0 || options.frame >= motion.frame_count()) {
      throw Error(ErrorCode::kBadArgument, fmt::format("frame {} of {}", options.frame, motion.frame_count()),
                  "frames count from 0");
    }
    const MotionFrame frame = in_avatar_order(motion.frames[options.frame], motion, avatar->gaussian.head);
    AvatarPainter painter(avatar, session);
    write_image(output, painter.paint(frame, options.frame / motion.fps));
    return;
  }
  write_motion_video(avatar, motion, session, {.output = options.output, .audio = options.audio, .quiet = quiet});
}

}  // namespace

void add_render_command(CLI::App& app) {
  auto options = std::make_shared<RenderOptions>();
  CLI::App* command = app.add_subcommand("render", "Draw an avatar moved by a motion file, as a picture or a video");
  command->add_option(
      "MOTION", options->motion,
      "HeadMotion file (.safetensors) or ARKit curves of Live Link Face (.csv); without it the neutral face");
  command
      ->add_option("-o,--output", options->output,
                   "Picture (.png, .jpg) or video (.mp4) to write, or the motion as ARKit curves (.csv)")
      ->required();
  command->add_option("--avatar", options->avatar, "Shipped avatar or a .mien file")->capture_default_str();
  command->add_option("--camera", options->camera, "As in mien speak")->capture_default_str();
  command->add_option("--size", options->size, "Picture size WIDTHxHEIGHT")->capture_default_str();
  command->add_option("--device", options->device, "Draw on: auto, cpu or cuda (an NVIDIA GPU)")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command->add_option("--frame", options->frame, "Which frame, for a picture")->capture_default_str();
  command->add_option("--audio", options->audio, "Sound for the video; moves an avatar without geometry");
  command->footer(
      "Examples:\n  mien render --camera three-quarter -o look.png\n  mien render take.csv --audio take.wav -o "
      "take.mp4");
  command->callback([options, command] { render(*options, is_quiet(*command)); });
}

}  // namespace mien::app
