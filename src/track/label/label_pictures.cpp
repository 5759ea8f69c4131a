#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/parallel.h"
#include "mien/capture/capture.h"
#include "mien/track/person_labels.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

fs::path picture_path(const fs::path& folder, int frame) {
  const fs::path jpeg = folder / (frame_name(frame) + ".jpg");
  return fs::exists(jpeg) ? jpeg : folder / (frame_name(frame) + ".png");
}

// Is the PNG there, and written to its end?
bool is_whole(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || size < 16) return false;
  const std::vector<std::uint8_t> bytes = read_file(path);
  return std::equal(bytes.end() - 8, bytes.end() - 4, "IEND");
}

void label_frame(const HeadModel& head, const LabelJob& job, int frame) {
  const fs::path path = job.labels / (frame_name(frame) + ".png");
  if (is_whole(path)) return;
  std::vector<Vec3> vertices;
  job.motion->vertices(head, frame, vertices);
  const Image8 picture = read_image(picture_path(job.images, frame));
  const Image8 matte = read_image(job.masks / (frame_name(frame) + ".png"));
  write_image(path, label_person(head, vertices, job.camera, picture, matte));
}

}  // namespace

void label_pictures(const HeadModel& head, std::span<const LabelJob> jobs, const ProgressCallback& progress) {
  constexpr std::int64_t kBatch = 32;  // frames between looks at the progress
  std::int64_t total = 0, done = 0;
  for (const LabelJob& job : jobs) total += job.motion->frame_count();
  for (const LabelJob& job : jobs) {
    make_output_folder(job.labels);
    const std::int64_t frames = job.motion->frame_count();
    for (std::int64_t begin = 0; begin < frames; begin += kBatch) {
      const std::int64_t count = std::min(kBatch, frames - begin);
      std::mutex mutex;
      std::exception_ptr failure;
      parallel_for(count, 1, [&](std::int64_t i) {
        try {
          label_frame(head, job, static_cast<int>(begin + i));
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!failure) failure = std::current_exception();
        }
      });
      if (failure) std::rethrow_exception(failure);
      done += count;
      if (progress && !progress(done, total, "telling head, neck and torso apart"))
        throw Error(ErrorCode::kInterrupted, "interrupted while telling head, neck and torso apart");
    }
  }
}

}  // namespace mien
