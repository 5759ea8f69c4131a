// What a sound decoder gives: mono samples at the file's own rate.
#pragma once

#include <functional>
#include <span>

#include "media/byte_source.h"

namespace mien::media {

struct SampleSource {
  int sample_rate = 0;
  double duration = 0;  // seconds as the container says; 0 when unknown
  // Fills up to the span's size; 0 at the end. Samples are as stored: NaN and values beyond 1 are the caller's
  // business.
  std::function<std::size_t(std::span<float>)> read;
};

constexpr int kMinRate = 1000;
constexpr int kMaxRate = 768000;

// Is this RIFF/WAVE (or its 64-bit forms) in a coding that open_wav() knows? Consumes nothing.
bool is_plain_wav(ByteSource& source);
// Throws kBadFile for damage and truncation.
SampleSource open_wav(ByteSource source);
// Anything else, through FFmpeg. Throws kBadFile, and kMissingFeature in a build without it.
SampleSource open_with_ffmpeg(ByteSource source);

}  // namespace mien::media
