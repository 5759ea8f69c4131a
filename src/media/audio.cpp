#include "mien/media/audio.h"

#include <algorithm>
#include <cmath>

#include "media/resampler.h"
#include "media/sample_source.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/log.h"

namespace mien {
namespace {

media::SampleSource open_source(const std::filesystem::path& path) {
  media::ByteSource source(path);
  if (source.peek(1).empty()) {
    throw Error(ErrorCode::kBadFile, source.name() + ": is empty", "give a recording of speech");
  }
  return media::is_plain_wav(source) ? media::open_wav(std::move(source)) : media::open_with_ffmpeg(std::move(source));
}

}  // namespace

struct AudioReader::Impl {
  std::string name;
  media::SampleSource source;
  media::Resampler resampler;
  std::vector<float> input = std::vector<float>(4096);
  std::vector<float> ready;  // resampled, from `taken` on
  std::size_t taken = 0;
  bool ended = false;
  bool any = false;
  bool warned_broken = false;
  bool warned_loud = false;

  Impl(const std::filesystem::path& path, int rate)
      : name(path == "-" ? "standard input" : path.string()),
        source(open_source(path)),
        resampler(source.sample_rate, rate) {}

  void clean(std::span<float> samples) {
    std::size_t broken = 0;
    float loudest = 0;
    for (float& sample : samples) {
      if (!std::isfinite(sample)) {
        sample = 0;
        ++broken;
      }
      loudest = std::max(loudest, std::abs(sample));
      sample = std::clamp(sample, -1.0f, 1.0f);
    }
    if (broken != 0 && !warned_broken) {
      spdlog::warn("{}: NaN or infinite samples are read as silence", name);
      warned_broken = true;
    }
    if (loudest > 4.0f && !warned_loud) {  // codecs overshoot a little; this is another matter
      spdlog::warn("{}: samples of up to {:.3g} are clipped to 1; is the file scaled to integers?", name, loudest);
      warned_loud = true;
    }
  }

  // Makes at least one sample ready unless the end is reached.
  void fill(std::size_t wanted) {
    ready.clear();
    taken = 0;
    // About as much as is wanted, so that a live pipe is not waited for longer than the caller asked for.
    const std::size_t block = std::clamp<std::size_t>(wanted, 64, input.size());
    while (ready.empty() && !ended) {
      const std::size_t got = source.read(std::span(input).first(block));
      if (got == 0) {
        if (!any) throw Error(ErrorCode::kBadFile, name + ": holds no samples", "give a recording of speech");
        ended = true;
        resampler.finish(ready);
      } else {
        any = true;
        clean(std::span(input).first(got));
        resampler.push(std::span(input).first(got), ready);
      }
    }
  }
};

AudioReader::AudioReader(const std::filesystem::path& path, int sample_rate) : impl_(new Impl(path, sample_rate)) {}
AudioReader::~AudioReader() {
  delete impl_;
}
AudioReader::AudioReader(AudioReader&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
double AudioReader::duration() const {
  return impl_->source.duration;
}

std::size_t AudioReader::read(std::span<float> block) {
  std::size_t got = 0;
  while (got < block.size()) {
    if (impl_->taken == impl_->ready.size()) {
      if (impl_->ended) break;
      impl_->fill(block.size() - got);
      if (impl_->ready.empty()) break;
    }
    const std::size_t count = std::min(block.size() - got, impl_->ready.size() - impl_->taken);
    std::copy_n(impl_->ready.begin() + static_cast<std::ptrdiff_t>(impl_->taken), count,
                block.begin() + static_cast<std::ptrdiff_t>(got));
    impl_->taken += count;
    got += count;
  }
  return got;
}

Audio read_audio(const std::filesystem::path& path, int sample_rate) {
  AudioReader reader(path, sample_rate);
  Audio audio;
  audio.sample_rate = sample_rate;
  std::size_t got = 0;
  do {
    constexpr std::size_t kBlock = 1 << 16;
    const std::size_t had = audio.samples.size();
    audio.samples.resize(had + kBlock);
    got = reader.read(std::span(audio.samples).subspan(had));
    audio.samples.resize(had + got);
  } while (got > 0);
  return audio;
}

void write_wav(const std::filesystem::path& path, const Audio& audio) {
  const std::uint64_t data_bytes = std::uint64_t{audio.samples.size()} * 2;
  if (audio.sample_rate < 1 || data_bytes > 0xffffffffu - 36) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{}: cannot write {} samples at {} Hz as WAV", path.string(),
                                                     audio.samples.size(), audio.sample_rate));
  }
  std::vector<std::uint8_t> header;
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) header.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  const auto put_id = [&](const char* id) { header.insert(header.end(), id, id + 4); };
  const auto rate = static_cast<std::uint32_t>(audio.sample_rate);
  put_id("RIFF");
  put(static_cast<std::uint32_t>(data_bytes) + 36, 4);
  put_id("WAVE");
  put_id("fmt ");
  put(16, 4);
  put(1, 2);  // PCM
  put(1, 2);  // mono
  put(rate, 4);
  put(rate * 2, 4);  // bytes a second
  put(2, 2);         // bytes a frame
  put(16, 2);        // bits
  put_id("data");
  put(static_cast<std::uint32_t>(data_bytes), 4);

  AtomicFile file(path);
  file.write(header.data(), header.size());
  std::vector<std::uint8_t> bytes;
  constexpr std::size_t kPiece = 1 << 15;
  for (std::size_t begin = 0; begin < audio.samples.size(); begin += kPiece) {
    bytes.clear();
    for (std::size_t i = begin; i < std::min(begin + kPiece, audio.samples.size()); ++i) {
      const float sample = audio.samples[i];
      const float safe = std::isfinite(sample) ? std::clamp(sample * 32768.0f, -32768.0f, 32767.0f) : 0.0f;
      const auto value = static_cast<std::uint16_t>(static_cast<std::int16_t>(std::lrint(safe)));
      bytes.push_back(static_cast<std::uint8_t>(value));
      bytes.push_back(static_cast<std::uint8_t>(value >> 8));
    }
    file.write(bytes.data(), bytes.size());
  }
  file.commit();
}

}  // namespace mien
