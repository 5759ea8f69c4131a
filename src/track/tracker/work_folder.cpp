#include "track/tracker/work_folder.h"

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

// What the files in the folder depend on. How the head is fitted is not among them: that is done anew each time.
Json purpose(const std::vector<fs::path>& videos, const TrackOptions& options) {
  Json out = {{"format", "mien-track"}, {"version", 1},       {"who", options.who.string()},
              {"size", options.size},   {"png", options.png}, {"jpeg_quality", options.jpeg_quality}};
  for (const fs::path& video : videos) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(video, error);
    if (error) throw Error(ErrorCode::kNotFound, fmt::format("{}: {}", video.string(), error.message()), "");
    const auto changed = fs::last_write_time(video, error).time_since_epoch().count();
    out["videos"].push_back({{"path", fs::absolute(video).string()}, {"bytes", size}, {"changed", changed}});
  }
  return out;
}

}  // namespace

WorkFolder::WorkFolder(const fs::path& output, const std::vector<fs::path>& videos, const TrackOptions& options)
    : folder_(output / ".track") {
  const Json wanted = purpose(videos, options);
  const fs::path note = folder_ / "track.json";
  if (fs::exists(note)) {
    if (read_json(note) != wanted) {
      throw Error(ErrorCode::kBadArgument, fmt::format("{} was begun with other videos or options", output.string()),
                  "give another folder with -o, or remove that one");
    }
    resumed_ = true;
    return;
  }
  if (fs::exists(output) && (!fs::is_directory(output) || !fs::is_empty(output))) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{} is there already, and was not made by tracking", output.string()),
                "give a new folder with -o");
  }
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw Error(ErrorCode::kIo, fmt::format("{}: {}", folder_.string(), error.message()), "");
  write_json(note, wanted);
}

fs::path WorkFolder::sighted(const std::string& name) const {
  return folder_ / ("sighted_" + name + ".safetensors");
}

}  // namespace mien
