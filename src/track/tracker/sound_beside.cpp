#include "track/tracker/sound_beside.h"

#include <cmath>

#include "mien/base/error.h"
#include "mien/media/audio.h"
#include "track/watch/cut_audio.h"

namespace mien {

namespace fs = std::filesystem;

fs::path sound_beside(const fs::path& video) {
  fs::path sound = video;
  sound.replace_extension(".wav");
  return fs::is_regular_file(sound) ? sound : fs::path();
}

std::vector<std::string> cut_sound_beside(const SightedVideo& video, const std::vector<fs::path>& outputs) {
  const fs::path sound = sound_beside(video.source);
  std::vector<track::AudioPart> parts;
  for (const Stretch& stretch : video.stretches) {
    const double seconds = static_cast<double>(stretch.frames.size()) / video.fps;
    parts.push_back({stretch.first / video.fps, static_cast<std::size_t>(std::llround(seconds * kSpeechRate))});
  }
  std::vector<std::string> notes = {fmt::format("sound from {}", sound.filename().string())};
  const std::string damage =
      track::cut_audio(sound, 0, kSpeechRate, parts, [&](std::size_t i, Audio audio) { write_wav(outputs[i], audio); });
  if (!damage.empty()) notes.push_back(damage);
  return notes;
}

}  // namespace mien
