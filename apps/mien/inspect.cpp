// mien inspect: what a file is and what it says of itself.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/media/video.h"
#include "mien/motion/s2g_settings.h"

namespace mien::app {
namespace {

Json inspect_tensors(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Json tensors = Json::object();
  for (const std::string& name : file.names()) {
    const TensorView view = file.view(name);
    tensors[name] = {{"dtype", dtype_name(view.dtype)}, {"shape", view.shape}};
  }
  Json result = {{"kind", "safetensors"}, {"metadata", file.metadata()}, {"tensors", tensors}};
  const auto format = file.metadata().find("format");
  if (format != file.metadata().end() && format->second == kSpeechModelFormat) {
    const S2GSettings settings = read_s2g_settings(file);
    result["kind"] = "speech networks";
    result["s2g"] = Json::parse(s2g_settings_json(settings));
    result["latency_seconds"] = settings.latency();
  }
  return result;
}

Json inspect_video(const std::filesystem::path& path) {
  const VideoReader reader(path);
  const VideoInfo& info = reader.info();
  const auto mark = info.metadata.find("mien_provenance");
  return {{"kind", "video"},           {"width", info.width},
          {"height", info.height},     {"fps", info.fps},
          {"duration", info.duration}, {"audio", info.has_audio},
          {"metadata", info.metadata}, {"synthetic", mark != info.metadata.end() && mark->second == "synthetic"}};
}

Json inspect_file(const std::string& name) {
  const std::filesystem::path path = std::filesystem::exists(name) ? std::filesystem::path(name) : find_avatar(name);
  if (path.extension() == ".mien") {
    Json header = read_avatar_header(path);
    header["kind"] = "avatar";
    return header;
  }
  if (path.extension() == ".safetensors") return inspect_tensors(path);
  return inspect_video(path);
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  struct Options {
    std::string file;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "Say what an avatar, a tensor file or a video holds");
  command->add_option("FILE", options->file, "A .mien avatar (or a shipped one's name), .safetensors, or a video")
      ->required();
  command->add_flag("--json", options->json, "One line of JSON");
  command->footer("Example:\n  mien inspect ada");
  command->callback([options] {
    const Json result = inspect_file(options->file);
    if (options->json) {
      std::printf("%s\n", result.dump().c_str());
      return;
    }
    for (const auto& [key, value] : result.items()) std::printf("%-14s %s\n", key.c_str(), value.dump().c_str());
  });
}

}  // namespace mien::app
