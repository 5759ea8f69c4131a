// VideoWriter: a bounded queue in front of the muxer, which works on a thread of its own.
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "media/video_muxer.h"
#include "mien/base/error.h"
#include "mien/media/video.h"

namespace mien {
namespace {

constexpr std::size_t kQueueFrames = 8;

void check_options(const std::filesystem::path& path, const VideoWriterOptions& o) {
  const auto refuse = [&](const std::string& what, const char* mend) {
    throw Error(ErrorCode::kBadArgument, path.string() + ": " + what, mend);
  };
  const std::string extension = path.extension().string();
  if (extension != ".mp4" && extension != ".m4v" && extension != ".MP4") {
    refuse("videos are written as MP4 only", "let the name end in .mp4");
  }
  if (o.width < 2 || o.height < 2 || o.width % 2 != 0 || o.height % 2 != 0 || o.width > 8192 || o.height > 8192) {
    refuse(fmt::format("a video of {}x{} pixels cannot be written", o.width, o.height),
           "use even sides of 2 to 8192 pixels");
  }
  if (o.fps < 1 || o.fps > 1000) refuse(fmt::format("{} frames/s", o.fps), "use 1 to 1000");
  if (o.crf < 0 || o.crf > 51) refuse(fmt::format("quality (crf) {}", o.crf), "use 0 (best) to 51");
}

}  // namespace

struct VideoWriter::Impl {
  std::filesystem::path path;
  VideoWriterOptions options;
  media::VideoMuxer muxer;  // only the worker touches it
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Image8> frames;
  std::vector<float> sound;
  bool finishing = false;
  bool aborting = false;
  std::exception_ptr failure;
  std::thread worker;

  Impl(const std::filesystem::path& p, const VideoWriterOptions& o)
      : path(p), options(o), muxer(p, o), worker([this] { work(); }) {}

  ~Impl() {
    if (!worker.joinable()) return;
    {
      const std::lock_guard lock(mutex);
      aborting = true;
    }
    changed.notify_all();
    worker.join();
  }

  void work() {
    try {
      for (;;) {
        std::vector<float> samples;
        Image8 frame;
        bool last = false;
        {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return aborting || finishing || !frames.empty() || !sound.empty(); });
          if (aborting) return;
          samples.swap(sound);
          if (!frames.empty()) {
            frame = std::move(frames.front());
            frames.pop_front();
          }
          last = finishing && frames.empty();
        }
        changed.notify_all();
        muxer.sound(samples);
        if (!frame.pixels.empty()) muxer.frame(frame);
        if (last) {
          muxer.finish();
          return;
        }
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      changed.notify_all();
    }
  }

  // With the lock held: a failure of the worker is thrown here, at each call from then on.
  void check_failure() {
    if (failure) std::rethrow_exception(failure);
    if (finishing) throw Error(ErrorCode::kBadArgument, path.string() + ": written to after finish()");
  }
};

VideoWriter::VideoWriter(const std::filesystem::path& path, const VideoWriterOptions& options) : impl_(nullptr) {
  check_options(path, options);
  impl_ = new Impl(path, options);
}

VideoWriter::~VideoWriter() {
  delete impl_;
}

void VideoWriter::write_frame(Image8 rgb) {
  const VideoWriterOptions& o = impl_->options;
  if (rgb.width != o.width || rgb.height != o.height || rgb.channels != 3) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: a frame of {}x{} with {} channels; the video is {}x{} RGB", impl_->path.string(),
                            rgb.width, rgb.height, rgb.channels, o.width, o.height));
  }
  {
    std::unique_lock lock(impl_->mutex);
    impl_->changed.wait(lock, [&] { return impl_->failure || impl_->frames.size() < kQueueFrames; });
    impl_->check_failure();
    impl_->frames.push_back(std::move(rgb));
  }
  impl_->changed.notify_all();
}

void VideoWriter::write_audio(std::span<const float> samples) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->check_failure();
    if (impl_->options.audio_rate <= 0) {
      throw Error(ErrorCode::kBadArgument, impl_->path.string() + ": sound for a video opened without",
                  "set audio_rate");
    }
    impl_->sound.insert(impl_->sound.end(), samples.begin(), samples.end());
  }
  impl_->changed.notify_all();
}

void VideoWriter::finish() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->check_failure();
    impl_->finishing = true;
  }
  impl_->changed.notify_all();
  impl_->worker.join();
  if (impl_->failure) std::rethrow_exception(impl_->failure);
}

}  // namespace mien
