#include "media/ffmpeg_input.h"

#include <algorithm>
#include <cstdarg>
#include <mutex>

#include "mien/base/error.h"
#include "mien/base/log.h"

namespace mien::media {
namespace {

constexpr int kIoBuffer = 1 << 16;

int read_bytes(void* opaque, std::uint8_t* buffer, int size) {
  auto& [source, failure] = *static_cast<std::pair<ByteSource*, std::string*>*>(opaque);
  try {
    const std::size_t got = source->read({buffer, static_cast<std::size_t>(size)});
    return got == 0 ? AVERROR_EOF : static_cast<int>(got);
  } catch (const std::exception& error) {
    *failure = error.what();
    return AVERROR(EIO);
  }
}

std::int64_t seek_bytes(void* opaque, std::int64_t offset, int whence) {
  ByteSource& source = *static_cast<std::pair<ByteSource*, std::string*>*>(opaque)->first;
  const auto size = static_cast<std::int64_t>(source.size());
  if ((whence & AVSEEK_SIZE) != 0) return size;
  whence &= ~AVSEEK_FORCE;
  if (whence == SEEK_CUR) offset += static_cast<std::int64_t>(source.position());
  if (whence == SEEK_END) offset += size;
  if (offset < 0 || offset > size) return AVERROR(EINVAL);
  try {
    source.seek(static_cast<std::uint64_t>(offset));
  } catch (const std::exception&) {
    return AVERROR(EIO);
  }
  return offset;
}

int refuse_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

void log_line(void* object, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_WARNING || !spdlog::should_log(spdlog::level::debug)) return;
  char line[512];
  int prefix = 1;
  av_log_format_line2(object, level, format, arguments, line, sizeof line, &prefix);
  std::string text(line);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  spdlog::debug("FFmpeg: {}", text);
}

// "h264 video 512x512, aac sound": what a file holds, for messages.
std::string describe_streams(const AVFormatContext& format) {
  std::string text;
  for (unsigned i = 0; i < format.nb_streams; ++i) {
    const AVCodecParameters& codec = *format.streams[i]->codecpar;
    if (!text.empty()) text += ", ";
    text += avcodec_get_name(codec.codec_id);
    if (codec.codec_type == AVMEDIA_TYPE_VIDEO) text += fmt::format(" video {}x{}", codec.width, codec.height);
    if (codec.codec_type == AVMEDIA_TYPE_AUDIO) text += " sound";
    if (codec.codec_type == AVMEDIA_TYPE_SUBTITLE) text += " subtitles";
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

std::string av_error(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  return text;
}

void quiet_ffmpeg() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(log_line); });
}

FfmpegInput::FfmpegInput(ByteSource source, AVMediaType type, bool keep_going)
    : source_(std::move(source)), keep_going_(keep_going) {
  quiet_ffmpeg();
  try {
    open_container();
    open_decoder(type);
  } catch (...) {
    close();
    throw;
  }
}

FfmpegInput::~FfmpegInput() {
  close();
}

void FfmpegInput::close() {
  decoder_.reset();
  avformat_close_input(&format_);
  if (io_ != nullptr) {
    delete static_cast<std::pair<ByteSource*, std::string*>*>(io_->opaque);
    av_freep(&io_->buffer);
    avio_context_free(&io_);
  }
}

void FfmpegInput::open_container() {
  // The index of an MP4 file may lie at its end, where a pipe does not reach.
  if (!source_.seekable()) {
    const std::span<const std::uint8_t> head = source_.peek(8);
    if (head.size() == 8 && std::string(head.begin() + 4, head.end()) == "ftyp") source_.make_seekable();
  }
  auto* opaque = new std::pair<ByteSource*, std::string*>(&source_, &read_failure_);
  io_ = avio_alloc_context(static_cast<unsigned char*>(av_malloc(kIoBuffer)), kIoBuffer, 0, opaque, read_bytes, nullptr,
                           source_.seekable() ? seek_bytes : nullptr);
  format_ = avformat_alloc_context();
  if (io_ == nullptr || format_ == nullptr) throw Error(ErrorCode::kIo, "out of memory");
  io_->seekable = source_.seekable() ? AVIO_SEEKABLE_NORMAL : 0;
  format_->pb = io_;
  format_->io_open = refuse_open;
  // Headerless files (.g722) are known by their name alone; nothing is opened by it.
  const std::string file_name = std::filesystem::path(name()).filename().string();
  const int opened = avformat_open_input(&format_, file_name.c_str(), nullptr, nullptr);  // frees format_ on failure
  if (!read_failure_.empty()) throw Error(ErrorCode::kIo, read_failure_);
  if (opened < 0 || avformat_find_stream_info(format_, nullptr) < 0) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: is not a sound or video file, or is truncated ({})", name(), av_error(opened)),
                "give a recording that a media player can play");
  }
}

void FfmpegInput::open_decoder(AVMediaType type) {
  const char* kind = type == AVMEDIA_TYPE_AUDIO ? "sound" : "video";
  const AVCodec* codec = nullptr;
  const int index = av_find_best_stream(format_, type, -1, -1, &codec, 0);
  if (index < 0 || codec == nullptr) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: holds no {} (it holds: {})", name(), kind, describe_streams(*format_)),
                fmt::format("give a file with {}", kind));
  }
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    format_->streams[i]->discard = static_cast<int>(i) == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  stream_ = format_->streams[index];
  decoder_.reset(avcodec_alloc_context3(codec));
  frame_.reset(av_frame_alloc());
  packet_.reset(av_packet_alloc());
  if (!decoder_ || !frame_ || !packet_) throw Error(ErrorCode::kIo, "out of memory");
  int result = avcodec_parameters_to_context(decoder_.get(), stream_->codecpar);
  decoder_->pkt_timebase = stream_->time_base;
  decoder_->thread_count = 0;  // as many as there are cores
  if (result >= 0) result = avcodec_open2(decoder_.get(), codec, nullptr);
  if (result < 0) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: its {} ({}) cannot be decoded ({})", name(), kind, codec->name, av_error(result)),
                "convert the file");
  }
}

double FfmpegInput::duration() const {
  if (stream_->duration != AV_NOPTS_VALUE && stream_->duration > 0) {
    return static_cast<double>(stream_->duration) * av_q2d(stream_->time_base);
  }
  return format_->duration > 0 ? static_cast<double>(format_->duration) / AV_TIME_BASE : 0;
}

void FfmpegInput::fail(const std::string& what) {
  if (!keep_going_) throw Error(ErrorCode::kBadFile, name() + ": " + what, "copy or record the file again");
  if (damage_.empty()) damage_ = what;
}

void FfmpegInput::note_damage(int code) {
  ++bad_packets_;
  if (bad_packets_ == 1) spdlog::warn("{}: a damaged packet is left out ({})", name(), av_error(code));
  // Recorders leave a broken packet at the start or end of good files; more is damage.
  if (bad_packets_ > 3 + good_packets_ / 100)
    fail(fmt::format("is damaged at about {:.1f} s ({})", decoded_until_, av_error(code)));
}

void FfmpegInput::check_end() {
  // A duration estimated from the bit rate says nothing.
  const bool known = format_->duration_estimation_method != AVFMT_DURATION_FROM_BITRATE && source_.seekable();
  // Where an index counts the packets, they are counted (PCM is counted in samples, packed as it comes).
  const AVCodecParameters& codec = *stream_->codecpar;
  const bool counted = codec.codec_type == AVMEDIA_TYPE_VIDEO || codec.frame_size >= 128;
  const bool packets_miss =
      counted && good_packets_ + bad_packets_ < static_cast<int>(0.9 * static_cast<double>(stream_->nb_frames));
  if (packets_miss || (known && decoded_until_ < duration() * 0.95 - 0.5))
    fail(fmt::format("is truncated: its header says {:.2f} s, {:.2f} s are there", duration(), decoded_until_));
}

bool FfmpegInput::read_packet() {
  for (;;) {
    const int result = av_read_frame(format_, packet_.get());
    if (!read_failure_.empty()) throw Error(ErrorCode::kIo, read_failure_);
    if (result < 0) {
      if (result != AVERROR_EOF && result != AVERROR(EAGAIN))
        fail(fmt::format("is damaged or truncated at about {:.1f} s ({})", decoded_until_, av_error(result)));
      return false;
    }
    if (packet_->stream_index == stream_->index) return true;
    av_packet_unref(packet_.get());
  }
}

std::vector<std::int64_t> FfmpegInput::packet_times() {
  std::vector<std::int64_t> times;
  while (read_packet()) {
    if (packet_->pts != AV_NOPTS_VALUE) times.push_back(packet_->pts);
    av_packet_unref(packet_.get());
  }
  std::sort(times.begin(), times.end());
  return times;
}

bool FfmpegInput::send_packet() {
  while (read_packet()) {
    const int sent = avcodec_send_packet(decoder_.get(), packet_.get());
    av_packet_unref(packet_.get());
    if (sent >= 0) {
      ++good_packets_;
      return true;
    }
    note_damage(sent);
  }
  avcodec_send_packet(decoder_.get(), nullptr);
  return false;
}

AVFrame* FfmpegInput::next() {
  for (;;) {
    const int result = avcodec_receive_frame(decoder_.get(), frame_.get());
    if (result >= 0) {
      const bool audio = decoder_->codec_type == AVMEDIA_TYPE_AUDIO;
      const std::int64_t start = stream_->start_time == AV_NOPTS_VALUE ? 0 : stream_->start_time;
      const double length = audio ? static_cast<double>(frame_->nb_samples) / std::max(frame_->sample_rate, 1) : 0;
      if (frame_->best_effort_timestamp != AV_NOPTS_VALUE) {
        const double time = static_cast<double>(frame_->best_effort_timestamp - start) * av_q2d(stream_->time_base);
        decoded_until_ = std::max(decoded_until_, time + length);
      } else {
        decoded_until_ += length;
      }
      return frame_.get();
    }
    if (result == AVERROR_EOF) {
      check_end();
      return nullptr;
    }
    if (result == AVERROR(EAGAIN)) {
      // At the end send_packet() has told the decoder to give out the rest; asking again is harmless.
      if (flushing_) return nullptr;
      flushing_ = !send_packet();
    } else {
      note_damage(result);
    }
  }
}

}  // namespace mien::media
