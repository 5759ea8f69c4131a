// A build without FFmpeg: pictures and WAV work, the rest says what to install.
#include "media/sample_source.h"
#include "mien/base/error.h"
#include "mien/media/steady_video.h"
#include "mien/media/video.h"

namespace mien {
namespace {

Error missing(const std::string& what) {
  return {ErrorCode::kMissingFeature, what + " needs FFmpeg, which this build lacks",
          "install libavformat-dev libavcodec-dev libswscale-dev libswresample-dev and configure again"};
}

}  // namespace

media::SampleSource media::open_with_ffmpeg(ByteSource source) {
  throw missing(source.name() + ": is not plain WAV; reading it");
}

struct VideoWriter::Impl {};
VideoWriter::VideoWriter(const std::filesystem::path& path, const VideoWriterOptions&) : impl_(nullptr) {
  throw missing(path.string() + ": writing video");
}
VideoWriter::~VideoWriter() = default;
void VideoWriter::write_frame(Image8) {}
void VideoWriter::write_audio(std::span<const float>) {}
void VideoWriter::finish() {}

struct VideoReader::Impl {};
VideoReader::VideoReader(const std::filesystem::path& path) : impl_(nullptr) {
  throw missing(path.string() + ": reading video");
}
VideoReader::~VideoReader() = default;
const VideoInfo& VideoReader::info() const {
  throw missing("reading video");
}
bool VideoReader::read(Image8&) {
  return false;
}

struct SteadyVideoReader::Impl {};
SteadyVideoReader::SteadyVideoReader(const std::filesystem::path& path, const SteadyVideoOptions&) {
  throw missing(path.string() + ": reading video");
}
SteadyVideoReader::~SteadyVideoReader() = default;
const SteadyVideoInfo& SteadyVideoReader::info() const {
  throw missing("reading video");
}
bool SteadyVideoReader::read(Image8&) {
  return false;
}
bool SteadyVideoReader::skip() {
  return false;
}
int SteadyVideoReader::position() const {
  return 0;
}
const std::string& SteadyVideoReader::damage() const {
  throw missing("reading video");
}

bool have_ffmpeg() {
  return false;
}

}  // namespace mien
