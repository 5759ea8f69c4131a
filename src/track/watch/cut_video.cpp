#include "mien/track/cut_video.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <future>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/media/steady_video.h"
#include "track/watch/cut_audio.h"
#include "track/watch/matte.h"
#include "track/watch/one_thread.h"
#include "track/watch/window_sampler.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr int kWarmUp = 16;  // frames before the first missing one, for the matte's memory

// The face's rim in the mesh, around.
constexpr std::array<std::size_t, 36> kRim = {10,  338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288,
                                              397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
                                              172, 58,  132, 93,  234, 127, 162, 21,  54,  103, 67,  109};

// Is the file there, and written to its end? Files come to their names whole; this finds those of a crashed machine.
bool is_whole(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || size < 16) return false;
  const std::vector<std::uint8_t> bytes = read_file(path);
  if (bytes[0] == 0xff) return bytes[bytes.size() - 2] == 0xff && bytes.back() == 0xd9;
  return std::equal(bytes.end() - 8, bytes.end() - 4, "IEND");
}

// A stretch on its way to disk.
class Cutter {
 public:
  Cutter(const CutStretch& target, const SightedVideo& video, const FaceNetworks& networks, const CutOptions& options)
      : target_(target),
        stretch_(video.stretches[static_cast<std::size_t>(target.stretch)]),
        options_(options),
        sampler_(stretch_.window, options.size, video.picture),
        matting_(networks) {
    make_output_folder(target_.images);
    if (!target_.masks.empty()) make_output_folder(target_.masks);
    missing_ = 0;
    const auto count = static_cast<int>(stretch_.frames.size());
    if (has_size(image_path(0)) && (target_.masks.empty() || has_size(mask_path(0)))) {
      while (missing_ < count && is_whole(image_path(missing_)) &&
             (target_.masks.empty() || is_whole(mask_path(missing_))))
        ++missing_;
    }
  }

  int first() const { return stretch_.first; }
  int end() const { return stretch_.first + static_cast<int>(stretch_.frames.size()); }
  int missing() const { return missing_; }  // the stretch's first frame that is not on disk
  // Does the video's frame matter?
  bool wants(int frame) const { return frame >= first() + missing_ - kWarmUp && frame >= first() && frame < end(); }

  // Returns whether files were written.
  bool add(int frame, const Image8& image) {
    const int i = frame - first();
    Image8 picture = sampler_.cut(image), matte;
    if (!target_.masks.empty()) matte = matting_.add(picture, outline(i));
    if (i < missing_) return false;
    finish();
    writing_ = std::async(std::launch::async, [this, i, p = std::move(picture), m = std::move(matte)] {
      write_image(image_path(i), p, options_.jpeg_quality);
      if (m.width > 0) write_image(mask_path(i), m);
    });
    return true;
  }
  // Waits for the last frame's files; throws what writing them threw.
  void finish() {
    if (writing_.valid()) writing_.get();
  }

 private:
  fs::path image_path(int i) const { return target_.images / fmt::format("{:06}.{}", i, options_.png ? "png" : "jpg"); }
  fs::path mask_path(int i) const { return target_.masks / fmt::format("{:06}.png", i); }

  bool has_size(const fs::path& path) const {
    if (!is_whole(path)) return false;
    try {
      const Image8 image = read_image(path);
      return image.width == options_.size && image.height == options_.size;
    } catch (const Error&) {
      return false;
    }
  }

  std::vector<track::MattePoint> outline(int i) const {
    const FaceSighting& face = stretch_.frames[static_cast<std::size_t>(i)];
    if (face.weight <= 0) return {};
    std::vector<track::MattePoint> out;
    const CutWindow& w = stretch_.window;
    const double scale = options_.size / w.size;
    for (const std::size_t k : kRim)
      out.push_back({static_cast<float>((face.points[k][0] - w.left) * scale),
                     static_cast<float>((face.points[k][1] - w.top) * scale)});
    return out;
  }

  CutStretch target_;
  const Stretch& stretch_;
  const CutOptions& options_;
  track::WindowSampler sampler_;
  track::Matting matting_;
  int missing_ = 0;
  std::future<void> writing_;  // last, so that it ends before what it uses
};

void check(const SightedVideo& video, std::span<const CutStretch> stretches, const CutOptions& options) {
  if (options.size < 64 || options.size > 4096 || options.jpeg_quality < 0 || options.jpeg_quality > 100 ||
      options.audio_rate < 8000 || options.audio_rate > 192000)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("pictures of {} pixels, JPEG quality {} and sound of {} Hz were asked for", options.size,
                            options.jpeg_quality, options.audio_rate),
                "give 64 to 4096 pixels, a quality of 0 to 100 and 8000 to 192000 Hz");
  int before = -1;
  for (const CutStretch& s : stretches) {
    if (s.stretch <= before || s.stretch >= static_cast<int>(video.stretches.size()))
      throw Error(ErrorCode::kBadArgument,
                  fmt::format("stretch {} after {} of {}", s.stretch, before, video.stretches.size()),
                  "give ascending numbers of stretches that the video has");
    before = s.stretch;
  }
}

void write_sound(const fs::path& path, const SightedVideo& video, std::span<const CutStretch> stretches,
                 const CutOptions& options, double start, CutResult& result) {
  std::vector<track::AudioPart> parts;
  std::vector<fs::path> files;
  for (const CutStretch& s : stretches) {
    const Stretch& stretch = video.stretches[static_cast<std::size_t>(s.stretch)];
    const double seconds = static_cast<double>(stretch.frames.size()) / video.fps;
    const auto samples = static_cast<std::size_t>(std::llround(seconds * options.audio_rate));
    // A WAV file of 44 bytes and two a sample is whole.
    std::error_code error;
    if (s.audio.empty() || fs::file_size(s.audio, error) == 44 + 2 * samples) continue;
    parts.push_back({stretch.first / video.fps, samples});
    files.push_back(s.audio);
  }
  if (parts.empty()) return;
  const std::string damage =
      track::cut_audio(path, start, options.audio_rate, parts, [&](std::size_t i, const Audio& audio) {
        if (files[i].has_parent_path()) make_output_folder(files[i].parent_path());
        write_wav(files[i], audio);
      });
  if (!damage.empty()) result.notes.push_back("sound: " + damage + "; the rest is silent");
}

}  // namespace

CutResult cut_video(const fs::path& path, const SightedVideo& video, std::span<const CutStretch> stretches,
                    const FaceNetworks& networks, const CutOptions& options) {
  const track::OneThread one_thread;
  check(video, stretches, options);
  CutResult result;
  SteadyVideoReader reader(path, {video.fps * 1.001});
  const SteadyVideoInfo& info = reader.info();
  const auto differs = [&](const std::string& what) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: is not the video that was looked at: {}", path.string(), what),
                "look at it again");
  };
  if (info.width != video.width || info.height != video.height || std::abs(info.fps - video.fps) > 1e-6 * video.fps)
    differs(fmt::format("{}x{} at {:.3f} frames a second instead of {}x{} at {:.3f}", info.width, info.height, info.fps,
                        video.width, video.height, video.fps));
  if (video.has_audio) write_sound(path, video, stretches, options, info.audio_start, result);

  std::int64_t total = 0;
  for (const CutStretch& s : stretches)
    total += static_cast<std::int64_t>(video.stretches[static_cast<std::size_t>(s.stretch)].frames.size());
  Image8 frame;
  for (const CutStretch& s : stretches) {
    Cutter cutter(s, video, networks, options);
    result.kept += cutter.missing();
    if (cutter.first() + cutter.missing() == cutter.end()) continue;
    while (reader.position() < cutter.end()) {
      const int now = reader.position();
      if (!(cutter.wants(now) ? reader.read(frame) : reader.skip()))
        differs(fmt::format("it ends after {} frames instead of {}", now, video.frames));
      if (cutter.wants(now) && cutter.add(now, frame)) ++result.written;
      if (options.progress && !options.progress(result.written + result.kept, total, "cutting out pictures"))
        throw Error(ErrorCode::kInterrupted, "interrupted while cutting out pictures");
    }
    cutter.finish();
  }
  return result;
}

}  // namespace mien
