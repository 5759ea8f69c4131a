// mien render: a motion file, ARKit's curves or a tracked capture in, pictures of an avatar out.
#include <cstdio>
#include <memory>
#include <string>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/capture/capture.h"
#include "mien/head/arkit_csv.h"
#include "mien/head/retarget.h"
#include "mien/session/session.h"
#include "motion_video.h"
#include "parse.h"

namespace mien::app {
namespace {

struct RenderOptions {
  std::string motion, drive, avatar = "ada", camera = "front", output, audio, size = "512x512", emotion,
                             device = "auto", appearance;
  int frame = 0;
  RetargetOptions retarget;
};

// "cap/" or "cap/:sequence": a sequence's motion for another head, and its sound unless other sound is given.
HeadMotion load_drive(const RenderOptions& options, std::string& audio) {
  const std::size_t colon = options.drive.rfind(':');
  const bool is_named = colon != std::string::npos && !std::filesystem::exists(options.drive);
  const Capture capture = Capture::load(options.drive.substr(0, is_named ? colon : std::string::npos));
  if (!capture.tracked || capture.sequences.empty()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{}: no tracked sequence in it", capture.folder.string()),
                "make one with mien track");
  }
  const CaptureSequence& sequence =
      is_named ? capture.sequence(options.drive.substr(colon + 1)) : capture.sequences.front();
  if (audio.empty() && !sequence.audio.empty()) audio = (capture.folder / sequence.audio).string();
  return retarget(capture.load_motion(sequence), capture.load_head_model(), options.retarget);
}

void render(RenderOptions options, bool quiet) {
  SessionOptions session;
  parse_size(options.size, session.width, session.height);
  session.view = parse_view(options.camera);
  session.device = parse_device(options.device);
  session.appearance = options.appearance;
  const auto avatar = std::make_shared<const Avatar>(Avatar::load(find_avatar(options.avatar)));
  HeadMotion motion;
  if (!options.drive.empty()) {
    motion = load_drive(options, options.audio);
  } else if (options.motion.empty()) {  // the neutral face
    motion.expression_names = avatar->head().expression_names;
    motion.frames.emplace_back();
  } else {
    motion = load_motion(options.motion);
  }
  if (std::filesystem::path(options.output).extension() == ".csv") {
    write_arkit_csv(motion, options.output);
    return;
  }
  if (!options.motion.empty() || !options.drive.empty()) add_sound(options.audio, *avatar, motion);
  const std::filesystem::path output(options.output);
  if (output.extension() == ".png" || output.extension() == ".jpg") {
    if (options.frame < 0 || options.frame >= motion.frame_count()) {
      throw Error(ErrorCode::kBadArgument, fmt::format("frame {} of {}", options.frame, motion.frame_count()),
                  "frames count from 0");
    }
    const MotionFrame frame = in_avatar_order(motion.frames[options.frame], motion, avatar->head());
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
  CLI::Option* drive = command->add_option(
      "--drive", options->drive,
      "A tracked capture that moves the avatar: its folder, or folder:sequence (default: the first sequence)");
  drive->excludes("MOTION");
  command->add_flag("--keep-pose", options->retarget.keep_pose,
                    "With --drive: head as tracked, not relative to the driver's mean pose");
  command->add_flag("--keep-rest", options->retarget.keep_rest,
                    "With --drive: keep what the driver's face at rest has of each expression");
  command->add_option("--sway", options->retarget.sway, "With --drive: share of the head's movement through space")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      ->add_option("-o,--output", options->output,
                   "Picture (.png, .jpg) or video (.mp4) to write, or the motion as ARKit curves (.csv)")
      ->required();
  command->add_option("--avatar", options->avatar, "Shipped avatar or a .mien file")->capture_default_str();
  command->add_option("--appearance", options->appearance, "As in mien speak");
  command->add_option("--camera", options->camera, "As in mien speak")->capture_default_str();
  command->add_option("--size", options->size, "Picture size WIDTHxHEIGHT")->capture_default_str();
  command->add_option("--device", options->device, "Draw on: auto, cpu or cuda (an NVIDIA GPU)")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command->add_option("--frame", options->frame, "Which frame, for a picture")->capture_default_str();
  command->add_option("--audio", options->audio, "Sound for the video; moves an avatar without geometry");
  command->footer(
      "Examples:\n  mien render --camera three-quarter -o look.png\n  mien render take.csv --audio take.wav -o "
      "take.mp4\n  mien track me.mp4 -o cap/ && mien render --drive cap/ --avatar chidi -o chidi.mp4");
  command->callback([options, command] { render(*options, is_quiet(*command)); });
}

}  // namespace mien::app
