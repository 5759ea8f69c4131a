// Videos without sound whose recording lies beside them: hello.mp4 and hello.wav.
#pragma once

#include <filesystem>
#include <vector>

#include "mien/track/sighting.h"

namespace mien {

// The WAV file of the video's name, where there is one; else empty.
std::filesystem::path sound_beside(const std::filesystem::path& video);

// Writes the sound of every stretch; its first sample sounds with the video's first picture. Returns notes for people.
// Throws kBadFile for a file that is no sound, kIo.
std::vector<std::string> cut_sound_beside(const SightedVideo& video, const std::vector<std::filesystem::path>& outputs);

}  // namespace mien
