#include "motion_video.h"

#include <cmath>
#include <filesystem>

#include "mien/base/error.h"
#include "mien/base/interrupt.h"
#include "mien/base/progress.h"
#include "mien/media/audio.h"
#include "mien/media/video.h"

namespace mien::app {

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

void add_sound(const std::string& audio, const Avatar& avatar, HeadMotion& motion) {
  const std::shared_ptr<const SoundContext> context = find_sound_context(avatar.gaussian);
  if (context == nullptr) return;
  if (audio.empty()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{} has no geometry: the sound moves it", avatar.name),
                "give the sound of the motion: --audio FILE");
  }
  auto features = context->frames(read_audio(audio).samples, motion.fps, motion.frame_count());
  for (int f = 0; f < motion.frame_count(); ++f) motion.frames[f].sound = std::move(features[f]);
}

void write_motion_video(const std::shared_ptr<const Avatar>& avatar, const HeadMotion& motion,
                        const SessionOptions& session, const MotionVideo& video) {
  if (std::filesystem::path(video.output).extension() != ".mp4") {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("output \"{}\" is neither .mp4, .png, .jpg nor .csv", video.output),
                "give a name such as -o look.png");
  }
  VideoWriterOptions settings;
  settings.width = session.width;
  settings.height = session.height;
  settings.fps = static_cast<int>(std::lround(motion.fps));
  settings.audio_rate = video.audio.empty() ? 0 : 44100;
  settings.crf = video.crf;
  settings.metadata = {{"comment", "Synthetic talking head made with Mien"},
                       {"mien_avatar", avatar->name},
                       {"mien_provenance", "synthetic"}};
  AvatarPainter painter(avatar, session);
  VideoWriter writer(video.output, settings);
  if (!video.audio.empty()) writer.write_audio(read_audio(video.audio, 44100).samples);
  ProgressBar bar("rendering", video.quiet);
  for (int f = 0; f < motion.frame_count(); ++f) {
    writer.write_frame(painter.paint(in_avatar_order(motion.frames[f], motion, avatar->head()), f / motion.fps));
    bar(f + 1, motion.frame_count());
    throw_if_interrupted();
  }
  writer.finish();
  bar.finish();
}

}  // namespace mien::app
