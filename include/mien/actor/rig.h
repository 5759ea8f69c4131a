// Where the cameras stand.
#pragma once

#include <string>
#include <vector>

#include "mien/geometry/camera.h"

namespace mien {

struct RigCamera {
  std::string id;
  Camera camera;
};

struct RigOptions {
  int size = 512;         // pixels a side
  float distance = 1.7f;  // metres from the head
  float frame = 0.40f;    // metres of height seen at the head: head and shoulders with hair
};

// EmoTalk3D's rig: 11 cameras at head height, evenly over 180 degrees: L90, L72 .. L18, F, R18 .. R90, where L stands
// on the person's left (+x).
std::vector<RigCamera> emotalk_rig(const RigOptions& options = {});

// The same, and eight more for looks from above and below: 24 degrees up at UL72, UL36, UF, UR36, UR72, and 18 degrees
// down at DL45, DF, DR45.
std::vector<RigCamera> dome_rig(const RigOptions& options = {});

// Held-out views between those of the rig and above and below them, for novel-view measurements: T0 .. T5.
std::vector<RigCamera> extra_views(const RigOptions& options = {});

// One camera in front that drifts slowly, as if held by hand: world_to_camera of `frames` frames. Deterministic.
std::vector<Camera> moving_camera(int frames, double fps, std::uint64_t seed, const RigOptions& options = {});

}  // namespace mien
