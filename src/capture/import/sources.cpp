#include "capture/import/sources.h"

#include <cmath>
#include <set>

#include "mien/base/error.h"
#include "mien/media/audio.h"

namespace fs = std::filesystem;

namespace mien::import {

Source read_sources(const std::vector<fs::path>& folders, const ImportOptions& options, std::string& layout_name) {
  if (folders.empty()) throw Error(ErrorCode::kBadArgument, "nothing to import", "name a folder");
  Source source;
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder)) {
      throw Error(ErrorCode::kNotFound, folder.string() + ": no such folder", "check the path");
    }
    const Layout* found = nullptr;
    for (const Layout& layout : layouts()) {
      if (options.layout == layout.name || (options.layout == "auto" && found == nullptr && layout.fits(folder))) {
        found = &layout;
      }
    }
    if (found == nullptr && options.layout != "auto") {
      std::string known;
      for (const Layout& layout : layouts()) known += std::string(", ") + layout.name;
      throw Error(ErrorCode::kBadArgument, fmt::format("layout \"{}\" is unknown", options.layout), "use auto" + known);
    }
    if (found == nullptr) {
      throw Error(ErrorCode::kBadFile, folder.string() + ": holds neither transforms.json nor a COLMAP model",
                  "docs/import.md lists the layouts that are read");
    }
    if (!layout_name.empty() && layout_name != found->name) {
      throw Error(ErrorCode::kBadArgument,
                  fmt::format("{}: layout {} beside {}", folder.string(), found->name, layout_name),
                  "import sets of different layouts one by one");
    }
    layout_name = found->name;
    found->read(folder, source);
  }
  if (source.still && folders.size() > 1) {
    throw Error(ErrorCode::kBadArgument, "several still scenes", "import them one by one");
  }
  if (source.pictures.size() > kMostPictures) {
    throw Error(ErrorCode::kBadFile, fmt::format("{} pictures", source.pictures.size()), "import fewer sequences");
  }
  return source;
}

void leave_out_cameras(Source& source, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    const std::size_t removed = std::erase_if(source.pictures, [&](const Picture& p) { return p.camera == id; });
    if (removed == 0) {
      std::set<std::string> known;
      for (const Picture& p : source.pictures) known.insert(p.camera);
      std::string list;
      for (const std::string& k : known) list += (list.empty() ? "" : ", ") + k;
      throw Error(ErrorCode::kBadArgument, fmt::format("there is no camera \"{}\"", id), "there are " + list);
    }
  }
  if (source.pictures.empty()) throw Error(ErrorCode::kBadFile, "no pictures are left to import", "check the source");
}

void check_sound(const fs::path& path, const PlannedSequence& sequence, double fps) {
  AudioReader reader(path);
  std::vector<float> block(1 << 16);
  double seconds = 0;
  while (const std::size_t got = reader.read(block)) seconds += static_cast<double>(got) / kSpeechRate;
  const auto frames = static_cast<double>(sequence.times.size());
  if (std::abs(seconds - frames / fps) > 0.1 + 1 / fps) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: {:.2f} s of sound; the {} frames of sequence {} last {:.2f} s at {} frames/s",
                            path.string(), seconds, sequence.times.size(), sequence.id, frames / fps, fps),
                fmt::format("give --fps (about {:.2f} would fit), or cut the sound", frames / seconds));
  }
}

}  // namespace mien::import
