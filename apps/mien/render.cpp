// mien render: a motion file or ARKit's curves in, pictures of an avatar out.
#include <cstdio>
#include <memory>
#include <string>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/interrupt.h"
#include "mien/base/progress.h"
#include "mien/head/arkit_csv.h"
#include "mien/media/audio.h"
#include "mien/media/video.h"
#include "mien/session/session.h"
#include "parse.h"

namespace mien::app {
namespace {

struct RenderOptions {
  std::string motion, avatar = "ada", camera = "front", output, audio, size = "512x512", emotion, device = "auto";
  int frame = 0;
};

MotionFrame in_avatar_order(const MotionFrame& frame, const HeadMotion& motion, const HeadModel& head) {
  MotionFrame mapped = frame;
  mapped.expression.assign(static_cast<std::size_t>(head.expression_count()), 0.0f);
  for (std::size_t i = 0; i < motion.expression_names.size() && i < frame.expression.size(); ++i) {
    for (int e = 0; e < head.expression_count(); ++e) {
      if (head.expression_names[e] == motion.expression_names[i]) mapped.expression[e] = frame.expression[i];
    }
  }
  if (!frame.offsets.empty() && frame.offsets.size() != head.mesh.positions.size()) mapped.offsets.clear();
  return mapped;
}

// An avatar without geometry is moved by the sound: gives every frame its features.
void add_sound(const RenderOptions& options, const Avatar& avatar, HeadMotion& motion) {
  const std::shared_ptr<const SoundContext> context = find_sound_context(avatar.gaussian);
  if (context == nullptr || options.motion.empty()) return;
  if (options.audio.empty()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{} has no geometry: the sound moves it", avatar.name),
                "give the sound of the motion: --audio FILE");
  }
  auto features = context->frames(read_audio(options.audio).samples, motion.fps, motion.frame_count());
  for (int f = 0; f < motion.frame_count(); ++f) motion.frames[f].sound = std::move(features[f]);
}

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
  add_sound(options, *avatar, motion);
  AvatarPainter painter(avatar, session);
  const std::filesystem::path output(options.output);
  if (output.extension() == ".png" || output.extension() == ".jpg") {
    if (options.frame < 0 || options.frame >= motion.frame_count()) {
      throw Error(ErrorCode::kBadArgument, fmt::format("frame {} of {}", options.frame, motion.frame_count()),
                  "frames count from 0");
    }
    const MotionFrame frame = in_avatar_order(motion.frames[options.frame], motion, avatar->gaussian.head);
    write_image(output, painter.paint(frame, options.frame / motion.fps));
    return;
  }
  if (output.extension() != ".mp4") {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("output \"{}\" is neither .mp4, .png, .jpg nor .csv", options.output),
                "give a name such as -o look.png");
  }
  VideoWriterOptions video;
  video.width = session.width;
  video.height = session.height;
  video.fps = static_cast<int>(motion.fps + 0.5);
  video.audio_rate = options.audio.empty() ? 0 : 44100;
  video.metadata = {{"comment", "Synthetic talking head made with Mien"}, {"mien_provenance", "synthetic"}};
  VideoWriter writer(output, video);
  if (!options.audio.empty()) writer.write_audio(read_audio(options.audio, 44100).samples);
  ProgressBar bar("rendering", quiet);
  for (int f = 0; f < motion.frame_count(); ++f) {
    writer.write_frame(painter.paint(in_avatar_order(motion.frames[f], motion, avatar->gaussian.head), f / motion.fps));
    bar(f + 1, motion.frame_count());
    throw_if_interrupted();
  }
  writer.finish();
  bar.finish();
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
