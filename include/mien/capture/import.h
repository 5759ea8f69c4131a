// Other people's data sets as captures: multi-view video in the layout of VHAP's export (GaussianAvatars' input), still
// scenes as transforms.json (nerfstudio, instant-ngp, Blender) or COLMAP's sparse models. docs/import.md says what each
// layout gives and what it leaves out.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/geometry/types.h"

namespace mien {

struct ImportOptions {
  std::string layout = "auto";          // "auto", or one of import_layouts()
  std::string person;                   // name stored in the capture; empty = the source's folder
  double fps = 30;                      // of video; the layouts do not say
  std::filesystem::path emotion_table;  // JSON: names of sequences to emotions; empty = the built-in table
  std::filesystem::path audio;  // folder of SEQUENCE.wav; empty = audio.wav beside a sequence's pictures, if there
  std::filesystem::path head;   // head model whose topology the meshes have; empty = a head made from the meshes
  std::vector<std::string> skip_cameras;  // ids to leave out
  std::vector<std::string> test;          // sequences of the test split; empty = the last fifth, from 3 on
  int hold_out = 8;                       // still scenes: every so many-th picture is for testing; 0 = none
  int longest_side = 0;                   // pictures are reduced to this many pixels; 0 = as they are
  bool png = false;                       // pictures that must be written anew as PNG instead of JPEG
  int jpeg_quality = 97;

  // Where the head comes to lie. Capture worlds are in metres, y up, the head at the origin looking along +z. "keep"
  // trusts the source's world to be like that, "centre" puts the point that the cameras look at in the origin, their
  // mean upward direction up, their mean position in front, and scales by `distance`. "auto": keep for video (VHAP
  // places heads so), centre for still scenes.
  std::string place = "auto";
  std::optional<Vec3> up, front;  // in the source's world, instead of those means
  double distance = 1;            // metres: median distance of the cameras from the head, with "centre"
  double scale = 0;               // metres a unit of the source, above 0: instead of `distance`

  ProgressCallback progress;
};

struct ImportReport {
  std::string layout;
  int cameras = 0, sequences = 0;
  long pictures = 0;
  long copied = 0;                 // pictures taken over byte for byte
  std::vector<std::string> notes;  // what a person should know: what is missing, what was assumed
};

// Names of the layouts, in the order in which "auto" tries them.
std::vector<std::string> import_layouts();

// Writes a capture into `output`, which must not exist yet or be empty. The whole is written beside it and checked
// (check_capture) before it takes its name, so a failure leaves nothing. `sources`: one folder, or several sequences of
// one person. Throws kBadArgument for options, kNotFound and kBadFile naming file and frame for sources that are
// damaged or hostile, kUnsupported for lenses that Mien cannot straighten, kIo, kInterrupted when `progress` says so.
ImportReport import_capture(const std::vector<std::filesystem::path>& sources, const std::filesystem::path& output,
                            const ImportOptions& options = {});

}  // namespace mien
