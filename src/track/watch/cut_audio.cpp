#include "track/watch/cut_audio.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "mien/base/error.h"

namespace mien::track {

std::string cut_audio(const std::filesystem::path& path, double start, int rate, std::span<const AudioPart> parts,
                      const std::function<void(std::size_t, Audio)>& take) {
  std::string damage;
  std::unique_ptr<AudioReader> reader;
  std::vector<float> block(1 << 15);
  std::int64_t at = 0;  // of the file's samples: the block's first
  std::size_t filled = 0;
  bool ended = false;
  const auto next_block = [&] {
    at += static_cast<std::int64_t>(filled);
    filled = 0;
    try {
      if (!reader) reader = std::make_unique<AudioReader>(path, rate);
      filled = reader->read(block);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kBadFile) throw;
      damage = error.message();
    }
    ended = filled == 0;
  };
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Audio audio;
    audio.sample_rate = rate;
    audio.samples.assign(parts[i].samples, 0);
    const std::int64_t first = std::llround((parts[i].begin - start) * rate);
    const std::int64_t end = first + static_cast<std::int64_t>(parts[i].samples);
    while (!ended && at < end) {
      const std::int64_t from = std::max(first, at), to = std::min(end, at + static_cast<std::int64_t>(filled));
      if (from < to) std::copy_n(block.begin() + (from - at), to - from, audio.samples.begin() + (from - first));
      if (at + static_cast<std::int64_t>(filled) >= end && filled > 0) break;
      next_block();
    }
    take(i, std::move(audio));
  }
  return damage;
}

}  // namespace mien::track
