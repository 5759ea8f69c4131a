// The sound of stretches, to the sample.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "mien/media/audio.h"

namespace mien::track {

// A part of the video's time, in seconds from its first picture.
struct AudioPart {
  double begin = 0;
  std::size_t samples = 0;
};

// Reads the file once and hands over each part, in order of `parts` (ascending, not overlapping), silence where there
// is no sound. `start`: when the file's first sample sounds. Returns what is wrong with the sound, in words; then the
// rest is silence.
std::string cut_audio(const std::filesystem::path& path, double start, int rate, std::span<const AudioPart> parts,
                      const std::function<void(std::size_t, Audio)>& take);

}  // namespace mien::track
