// The capture that a source will become: cameras, sequences, and which picture goes where. All that can be wrong with
// how the pictures fit together is found here, before anything is written.
#pragma once

#include "capture/import/layout.h"
#include "capture/import/placement.h"

namespace mien::import {

struct PlannedCamera {
  std::string id;
  bool moving = false;
  Camera lens;    // of the source's pictures, as large as they are
  Camera target;  // of the capture's, with its place unless moving
};

struct PlannedView {
  std::size_t camera = 0;  // index into Plan::cameras
  bool masked = false;
  std::vector<std::size_t> pictures;  // indices into Source::pictures, by frame
};

struct PlannedSequence {
  std::string id;
  bool test = false;
  std::vector<int> times;                     // the source's, ascending
  std::vector<PlannedView> views;             // in the order of the cameras
  std::vector<std::filesystem::path> meshes;  // by frame, when Plan::meshes
};

struct Plan {
  std::vector<PlannedCamera> cameras;
  std::vector<PlannedSequence> sequences;
  bool meshes = false;  // every moment has a mesh
};

// Throws kBadFile naming sequence, camera and moment for cameras of unequal length, missing or half-missing mattes and
// meshes, lenses that change, and cameras that look away from the head.
Plan make_plan(Source& source, const Placement& placement, const ImportOptions& options);

}  // namespace mien::import
