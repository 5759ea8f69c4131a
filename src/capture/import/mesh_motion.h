// Tracked meshes as head model and motion.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mien/head/head_motion.h"

namespace mien::import {

// Vertices [V] of each moment of a sequence, in the capture's world, metres.
struct MeshSequence {
  std::vector<std::vector<Vec3>> frames;
};

// A head of the meshes' own topology: its template is `vertices`, all of it skin of the face; its 52 expressions are
// empty, since what moves it is free offsets. Throws kUnsupported for a mesh too large for that.
HeadModel head_from_mesh(const std::vector<Vec3>& vertices, const std::vector<Index3>& faces);

// Motion that reproduces the meshes on `head`, which must have their topology: rotation and translation of the whole
// (least squares; over scalp and ears where the head knows them), then expression weights in [0,1] (damped least
// squares) unless the head's expressions are empty, and the rest as free offsets.
HeadMotion motion_from_meshes(const HeadModel& head, const MeshSequence& meshes, double fps,
                              const EmotionTrack& emotion);

}  // namespace mien::import
