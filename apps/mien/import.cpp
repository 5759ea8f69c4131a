#include "import.h"

#include <cstdio>
#include <memory>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/progress.h"
#include "mien/capture/import.h"

namespace mien::app {
namespace {

struct ImportCommand {
  std::vector<std::string> sources;
  std::string output, up, front, emotions, audio, head;
  ImportOptions options;
  bool json = false;
};

Vec3 parse_direction(const std::string& text, const char* option) {
  Vec3 out;
  int used = 0;
  if (std::sscanf(text.c_str(), "%f,%f,%f%n", &out[0], &out[1], &out[2], &used) != 3 || text[used] != '\0' ||
      !out.allFinite() || out.norm() == 0) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{} \"{}\" is no direction", option, text),
                "write it as X,Y,Z, for instance 0,0,1");
  }
  return out;
}

void run(ImportCommand command, bool quiet) {
  ImportOptions& options = command.options;
  if (!command.up.empty()) options.up = parse_direction(command.up, "--up");
  if (!command.front.empty()) options.front = parse_direction(command.front, "--front");
  options.emotion_table = command.emotions;
  options.audio = command.audio;
  options.head = command.head;
  ProgressBar bar("importing", quiet || command.json);
  options.progress = std::ref(bar);
  const ImportReport report = import_capture({command.sources.begin(), command.sources.end()}, command.output, options);
  bar.finish();
  if (command.json) {
    const Json out = {{"capture", command.output},     {"layout", report.layout},     {"cameras", report.cameras},
                      {"sequences", report.sequences}, {"pictures", report.pictures}, {"copied", report.copied},
                      {"notes", report.notes}};
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  std::printf("%s: layout %s: %d cameras, %d sequences, %ld pictures, %ld of them as they were\n",
              command.output.c_str(), report.layout.c_str(), report.cameras, report.sequences, report.pictures,
              report.copied);
  for (const std::string& note : report.notes) std::printf("  note: %s\n", note.c_str());
}

}  // namespace

void add_capture_import(CLI::App& capture) {
  auto c = std::make_shared<ImportCommand>();
  CLI::App* command =
      capture.add_subcommand("import", "Makes a capture of a data set in another layout (docs/import.md)");
  command->add_option("FOLDER", c->sources, "Data set: VHAP's export, transforms.json, or a COLMAP model")->required();
  command->add_option("-o,--output", c->output, "Capture to write, a new folder")->required();
  const auto option = [&](const char* name, auto& value, const char* help) {
    return command->add_option(name, value, help)->capture_default_str();
  };
  ImportOptions& o = c->options;
  option("--layout", o.layout, "auto, vhap, transforms or colmap");
  option("--person", o.person, "Name stored in the capture");
  option("--fps", o.fps, "Frame rate of video");
  option("--emotions", c->emotions, "JSON table: emotion and intensity by sequence name");
  option("--audio", c->audio, "Folder of SEQUENCE.wav");
  option("--head", c->head, "Head model whose topology the meshes have");
  option("--skip-cameras", o.skip_cameras, "Cameras to leave out");
  option("--test", o.test, "Sequences of the test split");
  option("--hold-out", o.hold_out, "Still scenes: every so many-th picture is for testing; 0: none");
  option("--size", o.longest_side, "Longest side of the pictures, pixels; 0: as they are");
  command->add_flag("--png", o.png, "Write pictures that change as PNG, not as JPEG");
  option("--place", o.place, "keep: the head is at the origin, in metres; centre: find it; auto: by layout");
  option("--distance", o.distance, "With centre: the cameras' median distance from the head, metres");
  option("--scale", o.scale, "Metres a unit of the source");
  option("--up", c->up, "Upwards in the source's world, X,Y,Z");
  option("--front", c->front, "Where the head looks in the source's world, X,Y,Z");
  command->add_flag("--json", c->json, "Print the result as JSON");
  command->footer(
      "Examples:\n  mien capture import export/074_EMO-1_v16_* -o cap --fps 25\n"
      "  mien capture import scene/ -o cap");
  command->callback([c, command] { run(*c, is_quiet(*command)); });
}

}  // namespace mien::app
