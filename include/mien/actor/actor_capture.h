// Captures made by the actor: sentences spoken with emotions, filmed by a rig, with everything known exactly.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/actor/rig.h"
#include "mien/actor/stage.h"
#include "mien/actor/wardrobe.h"
#include "mien/base/progress.h"
#include "mien/head/emotion.h"

namespace mien {

struct ActorCaptureOptions {
  Performer performer;
  // "emotalk": 11 cameras over 180 degrees; "dome": 8 more above and below; "mono": one slowly moving camera
  std::string rig = "emotalk";
  double seconds = 10;  // of each sequence, [1, 3600]; with `text`, 0 = as long as the text takes
  double fps = 30;
  int sequences = 1;  // [1, 10000]; each with other sentences. The last fifth (from 3 on) is the test split
  std::vector<EmotionVector> emotions = {{1, 0, 0, 0, 0, 0, 0, 0}};  // taken in turn
  std::string text;                                                  // what to say; empty = sentences from the corpus
  std::string voice = "slt";
  std::string appearance = "default";
  bool extra_views = false;  // also film from extra_views(), as sequences "...-views" of split "test"
  bool png = false;          // pictures as PNG instead of JPEG
  int jpeg_quality = 96;
  std::uint64_t seed = 1;
  RigOptions rig_options;
  StageOptions stage;
};

// Writes capture.json, head.safetensors, actor.json, preview.jpg and a folder a sequence into `folder`. Each sequence
// starts with 0.3 s of the neutral face, mouth closed, head straight: the canonical moment. Files that exist already
// are kept when they were made with the same options, so an interrupted run continues. Deterministic.
//
// Throws kBadArgument for options out of range or when `folder` holds a capture made otherwise; kIo; kInterrupted when
// `progress` returns false.
void make_actor_capture(const HeadModel& model, const HeadAssets& assets, const ActorCaptureOptions& options,
                        const std::filesystem::path& folder, const ProgressCallback& progress = {});

// One person filmed by one camera on several occasions, with other hair, beard, glasses, clothes and light each time:
// what somebody's own videos are, but with everything known. For each of `appearances` (2 to performer_looks()'s) there
// are, all with motion and cameras as they truly were:
//   NAME        train: the person speaks and turns the head this way and that before a camera that stands still
//   NAME-later  test: the same camera, other sentences
//   NAME-views  test: cameras 30 degrees to the left and right of it (L30, R30), few frames
//   NAME-faces  test: the first camera, strong emotions that training never saw, few frames
// Of `options` rig, sequences, emotions, appearance and extra_views do not count. Everything else is as with
// make_actor_capture(), of which it also throws.
void make_actor_collection(const HeadModel& model, const HeadAssets& assets, const ActorCaptureOptions& options,
                           int appearances, const std::filesystem::path& folder, const ProgressCallback& progress = {});

}  // namespace mien
