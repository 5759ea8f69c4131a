// Sound in memory, any sound file in, WAV out.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace mien {

constexpr int kSpeechRate = 16000;  // Hz; everything after reading works at this rate, mono

struct Audio {
  int sample_rate = kSpeechRate;
  std::vector<float> samples;  // mono, [-1,1]
  double seconds() const { return static_cast<double>(samples.size()) / sample_rate; }
};

// Any audio or video file FFmpeg reads (WAV of every kind even without FFmpeg), mixed to mono and resampled to
// `sample_rate`. NaN and infinite samples become 0 with a warning. "-" reads standard input.
// Throws kNotFound; kBadFile for an empty, truncated or non-media file, or one without an audio stream (the message
// says what the file holds instead).
Audio read_audio(const std::filesystem::path& path, int sample_rate = kSpeechRate);

// Streams a file of any length in blocks, so an hour of audio needs no hour of memory.
class AudioReader {
 public:
  explicit AudioReader(const std::filesystem::path& path, int sample_rate = kSpeechRate);
  ~AudioReader();
  AudioReader(AudioReader&&) noexcept;
  // Fills up to `block.size()` samples; returns how many, 0 at the end. Throws kBadFile on damage in the middle.
  std::size_t read(std::span<float> block);
  double duration() const;  // seconds as the container says; 0 when unknown (pipes)

 private:
  struct Impl;
  Impl* impl_;
};

// 16-bit PCM mono WAV, atomic.
void write_wav(const std::filesystem::path& path, const Audio& audio);

// Band-limited resampling (windowed sinc). Output length = round(n * to / from).
std::vector<float> resample(std::span<const float> samples, int from_rate, int to_rate);

}  // namespace mien
