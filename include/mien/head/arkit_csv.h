// Curves of Apple's ARKit as the app Live Link Face writes them: a CSV of 61 channels, into HeadMotion and back.
//
// A line is "HH:MM:SS:FF.fff,61,v1,...,v61": the time code counts frames (FF, at 60 a second) with decimals; the
// channels are the 52 weights and yaw, pitch and roll of head, left and right eye in radians. Yaw is positive to the
// person's right and pitch downwards (as the eyes' channels of real takes go together with eyeLookIn, -Out, -Up and
// -Down); roll is taken as positive when the head leans to the person's right, which no take at hand could confirm.
#pragma once

#include <filesystem>

#include "mien/head/head_motion.h"

namespace mien {

// Frames at an even rate (that of most lines; lines that the app left out are filled in between their neighbours), from
// second 0 on. Expressions have kArkitNames; unknown columns are ignored, missing weights are 0. Throws kNotFound, kIo,
// and kBadFile with the line for what is no such table.
HeadMotion read_arkit_csv(const std::filesystem::path& path);

// All 61 channels; weights that the motion lacks are 0, others than ARKit's and free offsets are left out. The head's
// rotation is that of head and neck together. Atomic; throws kIo.
void write_arkit_csv(const HeadMotion& motion, const std::filesystem::path& path);

// A HeadMotion file, or a table of curves when the name ends in .csv.
HeadMotion load_motion(const std::filesystem::path& path);

}  // namespace mien
