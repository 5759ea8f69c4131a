// From folders of any known layout to a checked capture.
#include "mien/capture/import.h"

#include <algorithm>
#include <fstream>

#include "capture/import/mesh_file.h"
#include "capture/import/mesh_motion.h"
#include "capture/import/pictures.h"
#include "capture/import/placement.h"
#include "capture/import/plan.h"
#include "capture/import/sequence_names.h"
#include "capture/import/sources.h"
#include "capture/import/workplace.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/parallel.h"
#include "mien/base/safetensors.h"
#include "mien/capture/capture.h"

namespace fs = std::filesystem;

namespace mien::import {
namespace {

// Without the flush of AtomicFile: the folder gets its name only when all is there.
void write_bytes(const fs::path& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw Error(ErrorCode::kIo, path.string() + ": cannot write", "is the disk full?");
}

class Importer {
 public:
  Importer(Source source, const fs::path& folder, const ImportOptions& options, ImportReport& report)
      : source_(std::move(source)), folder_(folder), options_(options), report_(report) {}

  void run() {
    placement_ = choose_placement(source_, options_);
    plan_ = make_plan(source_, placement_, options_);
    fill_capture();
    write_sound();
    write_tracking();
    write_pictures();
    write_points();
    capture_.save();
    const std::vector<CaptureProblem> problems = check_capture(folder_);
    if (!problems.empty()) {
      throw Error(ErrorCode::kBadFile, fmt::format("{}: {}", problems[0].where, problems[0].what), problems[0].mend);
    }
    report_.cameras = static_cast<int>(capture_.cameras.size());
    report_.sequences = static_cast<int>(capture_.sequences.size());
  }

 private:
  void fill_capture() {
    capture_.folder = folder_;
    capture_.person = options_.person.empty() ? source_.person : options_.person;
    for (const PlannedCamera& c : plan_.cameras) {
      CaptureCamera camera;
      camera.id = c.id;
      camera.camera = c.target;
      camera.moving = c.moving;
      capture_.cameras.push_back(camera);
    }
    const SequenceNames names =
        options_.emotion_table.empty() ? SequenceNames::built_in() : SequenceNames::load(options_.emotion_table);
    int unnamed = 0;
    for (const PlannedSequence& planned : plan_.sequences) {
      CaptureSequence s;
      s.id = planned.id;
      s.fps = options_.fps;
      s.frames = static_cast<int>(planned.times.size());
      s.split = planned.test ? "test" : "train";
      if (!source_.still) {
        const std::optional<EmotionVector> emotion = names.find(planned.id);
        if (emotion) s.emotion = EmotionTrack::constant(*emotion);
        unnamed += emotion ? 0 : 1;
      }
      for (const PlannedView& view : planned.views) add_view(view, s);
      capture_.sequences.push_back(std::move(s));
    }
    if (unnamed > 0) {
      report_.notes.push_back(
          fmt::format("{} sequence{}: the name tells no emotion, neutral is assumed (--emotions takes "
                      "a table)",
                      unnamed, unnamed == 1 ? "" : "s"));
    }
  }

  void add_view(const PlannedView& view, CaptureSequence& s) {
    const PlannedCamera& camera = plan_.cameras[view.camera];
    CaptureView out;
    out.camera = camera.id;
    const std::string base = s.id + "/" + camera.id;
    out.images = base + "/images";
    make_output_folder(folder_ / out.images);
    if (view.masked) {
      out.masks = base + "/masks";
      make_output_folder(folder_ / out.masks);
    }
    if (camera.moving) {
      out.camera_path = base + "/camera_path.json";
      std::vector<Mat4> path;
      for (const std::size_t p : view.pictures) path.push_back(placement_.camera(source_.pictures[p].world_to_camera));
      write_camera_path(folder_ / out.camera_path, path);
    }
    s.views.push_back(out);
  }

  void write_sound() {
    if (source_.still) return;
    int silent = 0;
    for (std::size_t i = 0; i < plan_.sequences.size(); ++i) {
      const PlannedSequence& planned = plan_.sequences[i];
      fs::path from;
      if (const auto found = source_.audio.find(planned.id); found != source_.audio.end()) from = found->second;
      if (!options_.audio.empty()) {
        from = options_.audio / (planned.id + ".wav");
        if (!fs::is_regular_file(from)) from.clear();
      }
      if (from.empty()) {
        ++silent;
        continue;
      }
      check_sound(from, planned, options_.fps);
      capture_.sequences[i].audio = planned.id + "/audio.wav";
      fs::copy_file(from, folder_ / capture_.sequences[i].audio);
    }
    if (silent > 0) {
      report_.notes.push_back(fmt::format(
          "{} sequence{} without sound: looks can be trained from {}, speech cannot (--audio takes a folder of "
          "SEQUENCE.wav)",
          silent, silent == 1 ? "" : "s", silent == 1 ? "it" : "them"));
    }
  }

  // Meshes become head model and motion; without them the capture is pictures and cameras.
  void write_tracking() {
    if (!plan_.meshes) {
      capture_.tracked = false;
      if (!source_.still) {
        report_.notes.emplace_back(
            "no tracked meshes: the capture has no motion, so no moving avatar can be trained from it");
      }
      return;
    }
    HeadModel head;
    bool known = false;
    if (!options_.head.empty()) {
      head = HeadModel::load(options_.head);
      known = true;
    }
    std::vector<Index3> faces;
    for (std::size_t i = 0; i < plan_.sequences.size(); ++i) {
      MeshSequence meshes;
      for (const fs::path& path : plan_.sequences[i].meshes) {
        MeshFile file = read_mesh_file(path);
        if (faces.empty()) faces = file.mesh.faces;
        for (Vec3& p : file.mesh.positions) p = placement_.point(p);
        if (head.mesh.positions.empty()) head = head_from_mesh(file.mesh.positions, faces);
        if (file.mesh.vertex_count() != head.vertex_count() || file.mesh.faces != head.mesh.faces) {
          throw Error(
              ErrorCode::kBadFile,
              fmt::format("{}: {} vertices, {} faces; {} has {} and {}, or they are joined otherwise", path.string(),
                          file.mesh.vertex_count(), file.mesh.face_count(), known ? "the head model" : "the first mesh",
                          head.vertex_count(), head.mesh.face_count()),
              known ? "leave --head out for meshes of their own kind" : "give all meshes one topology");
        }
        meshes.frames.push_back(std::move(file.mesh.positions));
        if (options_.progress && !options_.progress(0, 0, "meshes"))
          throw Error(ErrorCode::kInterrupted, "interrupted");
      }
      CaptureSequence& s = capture_.sequences[i];
      s.motion = s.id + "/motion.safetensors";
      motion_from_meshes(head, meshes, s.fps, s.emotion).save(folder_ / s.motion);
    }
    SafetensorsWriter writer;
    head.save(writer, "");
    capture_.head_model = "head.safetensors";
    writer.write(folder_ / capture_.head_model);
    if (!known) {
      report_.notes.emplace_back(
          "the head model has the meshes' topology and moves by offsets: expression weights are not known, so other "
          "people's speech networks cannot drive it (train its own with --stage speech --speech-head pca)");
    }
  }

  void write_picture(const PlannedView& view, const CaptureView& out, std::size_t frame) {
    const Picture& picture = source_.pictures[view.pictures[frame]];
    const PlannedCamera& camera = plan_.cameras[view.camera];
    const ConvertedPicture converted = convert_picture(picture, camera.lens, camera.target);
    if (view.masked == converted.matte.pixels.empty()) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: {} alpha, unlike the camera's first picture", picture.image.string(),
                              view.masked ? "has no" : "has"),
                  "give all pictures of a camera alpha, or none");
    }
    const std::string name = frame_name(static_cast<int>(frame));
    const fs::path image = folder_ / out.images / name;
    const std::vector<std::uint8_t> original =
        converted.same_rgb ? read_file(picture.image) : std::vector<std::uint8_t>();
    if (converted.same_rgb) {
      // By content, as it was decoded: JPEG starts with FF D8.
      write_bytes(fs::path(image).concat(original[0] == 0xff ? ".jpg" : ".png"), original);
#pragma omp atomic
      ++report_.copied;
    } else if (options_.png) {
      write_bytes(fs::path(image).concat(".png"), encode_png(converted.rgb));
    } else {
      write_bytes(fs::path(image).concat(".jpg"), encode_jpeg(converted.rgb, options_.jpeg_quality));
    }
    if (view.masked) {
      write_bytes(folder_ / out.masks / (name + ".png"), converted.same_matte && read_file(picture.mask)[0] == 0x89
                                                             ? read_file(picture.mask)
                                                             : encode_png(converted.matte));
    }
  }

  void write_pictures() {
    struct Job {
      const PlannedView* view;
      const CaptureView* out;
      std::size_t frame;
      std::optional<Error> error = {};
    };
    std::vector<Job> jobs;
    for (std::size_t s = 0; s < plan_.sequences.size(); ++s) {
      for (std::size_t v = 0; v < plan_.sequences[s].views.size(); ++v) {
        const PlannedView& view = plan_.sequences[s].views[v];
        for (std::size_t f = 0; f < view.pictures.size(); ++f)
          jobs.push_back({&view, &capture_.sequences[s].views[v], f});
      }
    }
    const auto total = static_cast<std::int64_t>(jobs.size());
    constexpr std::int64_t kBatch = 64;
    for (std::int64_t begin = 0; begin < total; begin += kBatch) {
      if (options_.progress && !options_.progress(begin, total, "pictures")) {
        throw Error(ErrorCode::kInterrupted, "interrupted");
      }
      const std::int64_t count = std::min(kBatch, total - begin);
      parallel_for(count, 1, [&](std::int64_t i) {
        Job& job = jobs[begin + i];
        try {
          write_picture(*job.view, *job.out, job.frame);
        } catch (const Error& error) {
          job.error = error;
        } catch (const std::exception& error) {
          job.error = Error(ErrorCode::kIo, error.what());
        }
      });
      for (std::int64_t i = begin; i < begin + count; ++i) {
        if (jobs[i].error) throw *jobs[i].error;
      }
    }
    report_.pictures = static_cast<long>(total);
  }

  void write_points() {
    CapturePoints points;
    for (const Vec3& p : source_.points) points.positions.push_back(placement_.point(p));
    points.colours = source_.colours;
    if (points.positions.empty()) return;
    capture_.points = "points.safetensors";
    write_capture_points(folder_ / capture_.points, points);
  }

  Source source_;
  const fs::path& folder_;
  const ImportOptions& options_;
  ImportReport& report_;
  Placement placement_;
  Plan plan_;
  Capture capture_;
};

}  // namespace
}  // namespace mien::import

namespace mien {

std::vector<std::string> import_layouts() {
  std::vector<std::string> out;
  for (const import::Layout& layout : import::layouts()) out.emplace_back(layout.name);
  return out;
}

ImportReport import_capture(const std::vector<fs::path>& sources, const fs::path& output,
                            const ImportOptions& options) {
  if (!(options.fps > 0 && options.fps <= 1000) || options.hold_out < 0 || options.longest_side < 0 ||
      options.jpeg_quality < 1 || options.jpeg_quality > 100) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("fps {}, every {}th held out, longest side {}, JPEG quality {}", options.fps,
                            options.hold_out, options.longest_side, options.jpeg_quality),
                "use a rate up to 1000, numbers from 0, and a quality of 1 to 100");
  }
  ImportReport report;
  import::Source source = import::read_sources(sources, options, report.layout);
  import::leave_out_cameras(source, options.skip_cameras);
  report.notes = source.notes;
  fs::path absolute = fs::absolute(output).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();  // "cap/"
  import::Workplace place(absolute);
  import::Importer(std::move(source), place.folder(), options, report).run();
  place.keep();
  return report;
}

}  // namespace mien
