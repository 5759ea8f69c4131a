// Video files in, through FFmpeg, as upright RGB frames.
#include "media/ffmpeg_input.h"
#include "media/frame_picture.h"
#include "mien/media/video.h"

namespace mien {
namespace {

void add_tags(const AVDictionary* tags, std::map<std::string, std::string>& out) {
  const AVDictionaryEntry* tag = nullptr;
  while ((tag = av_dict_get(tags, "", tag, AV_DICT_IGNORE_SUFFIX)) != nullptr) out[tag->key] = tag->value;
}

}  // namespace

struct VideoReader::Impl {
  media::FfmpegInput input;
  VideoInfo info;
  media::FramePicture picture;

  explicit Impl(const std::filesystem::path& path)
      : input(media::ByteSource(path), AVMEDIA_TYPE_VIDEO), picture(input, false) {
    const AVStream& stream = input.stream();
    const AVFormatContext& format = input.format();
    info.width = picture.width();
    info.height = picture.height();
    const AVRational rate = stream.avg_frame_rate.num > 0 ? stream.avg_frame_rate : stream.r_frame_rate;
    info.fps = rate.den > 0 ? av_q2d(rate) : 0;
    info.duration = input.duration();
    for (unsigned i = 0; i < format.nb_streams; ++i) {
      info.has_audio |= format.streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    }
    add_tags(format.metadata, info.metadata);
  }
};

VideoReader::VideoReader(const std::filesystem::path& path) : impl_(new Impl(path)) {}
VideoReader::~VideoReader() {
  delete impl_;
}
const VideoInfo& VideoReader::info() const {
  return impl_->info;
}

bool VideoReader::read(Image8& frame) {
  const AVFrame* decoded = impl_->input.next();
  if (decoded == nullptr) return false;
  frame = impl_->picture.convert(*decoded);
  return true;
}

bool have_ffmpeg() {
  return true;
}

}  // namespace mien
