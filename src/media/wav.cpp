// WAV: RIFF, RF64 and BW64 with integer, float, A-law and mu-law samples. The layout is that of Microsoft's "Multimedia
// Programming Interface and Data Specifications 1.0" (1991), WAVE_FORMAT_EXTENSIBLE, and EBU Tech 3306 for the 64-bit
// forms.
#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <vector>

#include "media/sample_source.h"
#include "mien/base/error.h"

namespace mien::media {
namespace {

constexpr std::size_t kMaxHeader = 16u << 20;  // chunks before the samples: pictures and notes lie there at times
constexpr std::uint64_t kUnknown = ~std::uint64_t{0};

enum Coding : int { kPcm = 1, kFloat = 3, kALaw = 6, kMuLaw = 7, kExtensible = 0xfffe };

struct WavHeader {
  int coding = 0;
  int channels = 0;
  std::uint32_t rate = 0;
  int block = 0;  // bytes of one sample of all channels
  int bits = 0;
  bool has_format = false;
  bool has_data = false;
  std::size_t data_offset = 0;
  std::uint64_t data_bytes = 0;  // kUnknown: to the end of the file
};

std::uint32_t u16(const std::uint8_t* p) {
  return p[0] | std::uint32_t{p[1]} << 8;
}
std::uint32_t u32(const std::uint8_t* p) {
  return u16(p) | u16(p + 2) << 16;
}
std::uint64_t u64(const std::uint8_t* p) {
  return u32(p) | std::uint64_t{u32(p + 4)} << 32;
}

bool is_id(const std::uint8_t* p, const char* id) {
  return std::memcmp(p, id, 4) == 0;
}

bool is_riff(std::span<const std::uint8_t> head) {
  return head.size() >= 12 &&
         (is_id(head.data(), "RIFF") || is_id(head.data(), "RF64") || is_id(head.data(), "BW64")) &&
         is_id(head.data() + 8, "WAVE");
}

bool is_known(const WavHeader& header) {
  switch (header.coding) {
    case kPcm:
      return header.bits == 8 || header.bits == 16 || header.bits == 24 || header.bits == 32;
    case kFloat:
      return header.bits == 32 || header.bits == 64;
    case kALaw:
    case kMuLaw:
      return header.bits == 8;
    default:
      return false;
  }
}

void parse_format(const std::uint8_t* chunk, std::size_t size, WavHeader& header) {
  header.coding = static_cast<int>(u16(chunk));
  header.channels = static_cast<int>(u16(chunk + 2));
  header.rate = u32(chunk + 4);
  header.block = static_cast<int>(u16(chunk + 12));
  header.bits = static_cast<int>(u16(chunk + 14));
  // The true coding is the head of a GUID; samples fill their container from the top, so the container size counts.
  if (header.coding == kExtensible && size >= 40) header.coding = static_cast<int>(u16(chunk + 24));
  if (header.channels > 0 && header.block % header.channels == 0 && header.coding == kPcm) {
    const int container = header.block / header.channels * 8;
    if (container >= header.bits && container <= 32) header.bits = container;
  }
  header.has_format = true;
}

// Walks the chunks up to the samples, or only up to the format. Returns what it found; the caller judges.
WavHeader parse_header(ByteSource& source, bool only_format) {
  WavHeader header;
  std::uint64_t wide_data = kUnknown;
  std::size_t offset = 12;
  while (offset < kMaxHeader) {
    const std::span<const std::uint8_t> bytes = source.peek(offset + 8);
    if (bytes.size() < offset + 8) return header;
    const std::uint8_t* id = bytes.data() + offset;
    const std::uint32_t size = u32(id + 4);
    if (is_id(id, "data")) {
      header.has_data = true;
      header.data_offset = offset + 8;
      header.data_bytes = size == 0xffffffffu ? wide_data : size;
      return header;
    }
    const bool format = is_id(id, "fmt ");
    const bool wide = is_id(id, "ds64");
    if ((format && size >= 16) || (wide && size >= 24)) {
      const std::size_t wanted = std::min<std::size_t>(size, 64);
      const std::span<const std::uint8_t> body = source.peek(offset + 8 + wanted);
      if (body.size() < offset + 8 + wanted) return header;
      if (format) parse_format(body.data() + offset + 8, wanted, header);
      if (wide) wide_data = u64(body.data() + offset + 8 + 8);
      if (format && only_format) return header;
    }
    offset += 8 + std::size_t{size} + (size & 1);  // chunks are padded to even length
  }
  return header;
}

[[noreturn]] void refuse(const ByteSource& source, const std::string& what, const char* mend) {
  throw Error(ErrorCode::kBadFile, source.name() + ": " + what, mend);
}

// Writers that cannot seek back leave a placeholder as the size: 0, -1, or (sox) just under 2^31.
void settle_data_size(const ByteSource& source, WavHeader& header) {
  const std::uint64_t present = source.seekable() ? source.size() - header.data_offset : kUnknown;
  const bool placeholder = header.data_bytes == 0 || header.data_bytes == kUnknown ||
                           (header.data_bytes >= 0x7fff0000u && header.data_bytes <= 0x80000000u);
  if (placeholder && (!source.seekable() || header.data_bytes == 0 || header.data_bytes > present)) {
    header.data_bytes = present;
    return;
  }
  if (source.seekable() && header.data_bytes > present) {
    const double rate = static_cast<double>(header.rate) * header.block;
    refuse(source,
           fmt::format("is truncated: its header says {:.2f} s of sound, {:.2f} s are there",
                       static_cast<double>(header.data_bytes) / rate, static_cast<double>(present) / rate),
           "copy or record the file again");
  }
}

// ITU-T G.711, decoded to [-1, 1).
float a_law(std::uint8_t code) {
  code ^= 0x55;
  const int exponent = (code >> 4) & 7;
  int value = ((code & 15) << 4) + 8;
  if (exponent > 0) value = (value + 0x100) << (exponent - 1);
  return static_cast<float>((code & 0x80) != 0 ? value : -value) / 32768.0f;
}

float mu_law(std::uint8_t code) {
  code = static_cast<std::uint8_t>(~code);
  const int value = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return static_cast<float>((code & 0x80) != 0 ? -value : value) / 32768.0f;
}

float decode(const WavHeader& header, const std::uint8_t* p) {
  if (header.coding == kALaw) return a_law(*p);
  if (header.coding == kMuLaw) return mu_law(*p);
  if (header.coding == kFloat) {
    return header.bits == 32 ? std::bit_cast<float>(u32(p)) : static_cast<float>(std::bit_cast<double>(u64(p)));
  }
  switch (header.bits) {
    case 8:
      return (static_cast<float>(*p) - 128.0f) / 128.0f;
    case 16:
      return static_cast<float>(static_cast<std::int16_t>(u16(p))) / 32768.0f;
    case 24:
      return static_cast<float>(static_cast<std::int32_t>((p[0] | u16(p + 1) << 8) << 8)) / 2147483648.0f;
    default:
      return static_cast<float>(static_cast<std::int32_t>(u32(p))) / 2147483648.0f;
  }
}

struct WavState {
  ByteSource source;
  WavHeader header;
  std::uint64_t left = 0;
  std::vector<std::uint8_t> bytes;

  std::size_t read(std::span<float> block) {
    const auto frame = static_cast<std::size_t>(header.block);
    const std::uint64_t wanted = std::min<std::uint64_t>(std::uint64_t{block.size()} * frame, left / frame * frame);
    if (wanted == 0) return 0;
    bytes.resize(static_cast<std::size_t>(wanted));
    const std::size_t got = source.read(bytes);
    if (left != kUnknown) {
      if (got < wanted) refuse(source, fmt::format("ends {} bytes too early", left - got), "copy or record it again");
      left -= got;
    } else if (got < wanted) {
      left = 0;
    }
    const std::size_t frames = got / frame;
    const int step = header.bits / 8;
    const float scale = 1.0f / static_cast<float>(header.channels);
    for (std::size_t i = 0; i < frames; ++i) {
      float sum = 0;
      for (int c = 0; c < header.channels; ++c) sum += decode(header, bytes.data() + i * frame + c * step);
      block[i] = sum * scale;
    }
    return frames;
  }
};

}  // namespace

bool is_plain_wav(ByteSource& source) {
  if (!is_riff(source.peek(12))) return false;
  // A WAV that breaks off before its format is ours too: we have the better error message.
  const WavHeader header = parse_header(source, true);
  return !header.has_format || is_known(header);
}

SampleSource open_wav(ByteSource source) {
  WavHeader header = parse_header(source, false);
  if (!header.has_format) {
    refuse(source, "is a WAV file without a format chunk: truncated or damaged", "copy or record it again");
  }
  if (!header.has_data) refuse(source, "is a WAV file without a data chunk: truncated or damaged", "record it again");
  if (header.rate < kMinRate || header.rate > kMaxRate || header.channels < 1 || header.channels > 256 ||
      header.block != header.channels * (header.bits / 8)) {
    refuse(source,
           fmt::format("has a damaged format chunk ({} Hz, {} channels, {} bits, {} bytes a frame)", header.rate,
                       header.channels, header.bits, header.block),
           "convert it to 16-bit WAV");
  }
  settle_data_size(source, header);
  if (source.seekable()) {
    source.seek(header.data_offset);
  } else {
    std::vector<std::uint8_t> skipped(header.data_offset);
    source.read(skipped);
  }
  SampleSource out;
  out.sample_rate = static_cast<int>(header.rate);
  if (header.data_bytes != kUnknown) {
    out.duration = static_cast<double>(header.data_bytes / static_cast<unsigned>(header.block)) / header.rate;
  }
  auto state = std::make_shared<WavState>(WavState{std::move(source), header, header.data_bytes, {}});
  out.read = [state](std::span<float> block) { return state->read(block); };
  return out;
}

}  // namespace mien::media
