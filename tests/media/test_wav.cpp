// WAV files of every kind, written here byte by byte; test_ffmpeg_audio.cpp has those of other programs.
#include <cstring>
#include <limits>
#include <thread>

#include "media_tools.h"
#include "mien/base/random.h"
#include "mien/media/audio.h"

namespace mien {
namespace {

struct WavSpec {
  int coding = 1;
  int bits = 16;
  int channels = 1;
  int rate = 16000;
  bool extensible = false;
  std::uint32_t data_size = 1;  // 1: the true size
  std::string before = {};      // chunks before the data
  std::string after = {};
};

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::string sample_bytes(const WavSpec& spec, double value) {
  std::string out;
  if (spec.coding == 3 && spec.bits == 32) {
    const auto narrow = static_cast<float>(value);
    out.assign(reinterpret_cast<const char*>(&narrow), 4);
  } else if (spec.coding == 3) {
    out.assign(reinterpret_cast<const char*>(&value), 8);
  } else if (spec.bits == 8) {
    put(out, static_cast<std::uint64_t>(std::lround(128 + 127 * value)), 1);
  } else {
    put(out, static_cast<std::uint64_t>(std::llround(value * (std::pow(2.0, spec.bits - 1) - 1))), spec.bits / 8);
  }
  return out;
}

std::string wav(const WavSpec& spec, const std::vector<float>& samples) {
  std::string data;
  for (const float sample : samples) {
    for (int c = 0; c < spec.channels; ++c) data += sample_bytes(spec, sample);
  }
  std::string format;
  put(format, spec.extensible ? 0xfffe : spec.coding, 2);
  put(format, spec.channels, 2);
  put(format, spec.rate, 4);
  put(format, spec.rate * spec.channels * spec.bits / 8, 4);
  put(format, spec.channels * spec.bits / 8, 2);
  put(format, spec.bits, 2);
  if (spec.extensible) {
    put(format, 22, 2);
    put(format, spec.bits, 2);
    put(format, 0, 4);
    put(format, spec.coding, 2);
    format += std::string("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14);
  }
  std::string body = "WAVEfmt ";
  put(body, format.size(), 4);
  body += format + spec.before + "data";
  put(body, spec.data_size == 1 ? data.size() : spec.data_size, 4);
  body += data;
  if (data.size() % 2 == 1 && !spec.after.empty()) body.push_back('\0');
  body += spec.after;
  std::string out = "RIFF";
  put(out, body.size(), 4);
  return out + body;
}

class Wav : public MediaFolder {
 protected:
  std::filesystem::path file(const std::string& bytes) {
    const std::filesystem::path path = folder_ / "a.wav";
    put_file(path, bytes.data(), bytes.size());
    return path;
  }
};

TEST_F(Wav, EveryKindOfSample) {
  const std::vector<float> wanted = sine(300, 16000, 999, 0.9);
  for (const auto& [coding, bits] : {std::pair{1, 8}, {1, 16}, {1, 24}, {1, 32}, {3, 32}, {3, 64}}) {
    for (const int channels : {1, 2, 6}) {
      for (const bool extensible : {false, true}) {
        WavSpec spec;
        spec.coding = coding;
        spec.bits = bits;
        spec.channels = channels;
        spec.extensible = extensible;
        const Audio audio = read_audio(file(wav(spec, wanted)));
        ASSERT_EQ(audio.samples.size(), wanted.size());
        EXPECT_EQ(audio.sample_rate, 16000);
        EXPECT_LT(largest_difference(audio.samples, wanted), coding == 3 ? 1e-6 : 1.5 * std::pow(2.0, 1 - bits) + 2e-7)
            << coding << " " << bits << " " << channels;
      }
    }
  }
}

TEST_F(Wav, ChannelsAreAveraged) {
  std::string bytes = wav({.channels = 2}, std::vector<float>(100, 0.5f));
  for (std::size_t i = bytes.size() - 400; i < bytes.size(); i += 4)
    bytes[i] = bytes[i + 1] = 0;  // the left one silent
  EXPECT_NEAR(read_audio(file(bytes)).samples[50], 0.25f, 1e-4);
}

TEST_F(Wav, OddChunksAndStreamingSizes) {
  const std::vector<float> wanted = sine(300, 16000, 333);
  const std::string odd = std::string(
                              "LIST\x03\x00\x00\x00"
                              "abc\x00",
                              12) +
                          std::string("junk\x00\x00\x00\x00", 8);
  for (const std::uint32_t size : {1u, 0u, 0xffffffffu, 0x7ffff000u}) {
    WavSpec spec;
    spec.before = odd;
    spec.data_size = size;
    if (size == 1) spec.after = odd;
    EXPECT_EQ(read_audio(file(wav(spec, wanted))).samples.size(), 333u) << size;
  }
  WavSpec eight;  // an odd number of bytes of data, padded, then another chunk
  eight.bits = 8;
  eight.after = odd;
  EXPECT_EQ(read_audio(file(wav(eight, wanted))).samples.size(), 333u);
}

TEST_F(Wav, RatesAreConverted) {
  for (const int rate : {8000, 11025, 22050, 44100, 48000, 96000}) {
    WavSpec spec;
    spec.rate = rate;
    const Audio audio = read_audio(file(wav(spec, sine(440, rate, static_cast<std::size_t>(rate) / 2))));
    ASSERT_NEAR(static_cast<double>(audio.samples.size()), 8000, 1) << rate;
    EXPECT_LT(largest_difference(audio.samples, sine(440, 16000, audio.samples.size()), 200), 1e-4) << rate;
  }
}

TEST_F(Wav, NotANumberBecomesSilence) {
  std::vector<float> samples = sine(300, 16000, 100);
  samples[10] = std::nanf("");
  samples[20] = std::numeric_limits<float>::infinity();
  samples[30] = -3e38f;
  const Audio audio = read_audio(file(wav({.coding = 3, .bits = 32}, samples)));
  EXPECT_EQ(audio.samples[10], 0.0f);
  EXPECT_EQ(audio.samples[20], 0.0f);
  EXPECT_EQ(audio.samples[30], -1.0f);
  EXPECT_EQ(audio.samples[11], samples[11]);
}

TEST_F(Wav, OneSampleIsEnough) {
  EXPECT_EQ(read_audio(file(wav({}, {0.5f}))).samples.size(), 1u);
  WavSpec spec;
  spec.rate = 8000;
  EXPECT_EQ(read_audio(file(wav(spec, {0.5f}))).samples.size(), 2u);
}

TEST_F(Wav, ClearErrors) {
  const auto message = [&](const std::string& bytes) { return error_of([&] { read_audio(file(bytes)); }); };
  EXPECT_NE(error_of([&] { read_audio(folder_ / "absent.wav"); }).find("no such file"), std::string::npos);
  EXPECT_NE(error_of([&] { read_audio(folder_); }).find("is a folder"), std::string::npos);
  EXPECT_NE(message("").find("is empty"), std::string::npos);
  EXPECT_NE(message(wav({}, {})).find("holds no samples"), std::string::npos);
  const std::string whole = wav({}, sine(300, 16000, 16000));
  const std::string cut = message(whole.substr(0, whole.size() / 2));
  EXPECT_NE(cut.find("truncated"), std::string::npos) << cut;
  EXPECT_NE(cut.find("1.00 s"), std::string::npos) << cut;
  EXPECT_NE(message(whole.substr(0, 30)).find("without a format chunk"), std::string::npos);
  EXPECT_NE(message(whole.substr(0, 40)).find("without a data chunk"), std::string::npos);
  WavSpec slow;
  slow.rate = 1;
  EXPECT_NE(message(wav(slow, {0.1f})).find("damaged format"), std::string::npos);
}

TEST_F(Wav, EveryTruncationIsRefusedAndFlippedBytesNeverCrash) {
  WavSpec spec;
  spec.extensible = true;
  spec.before = std::string(
      "LIST\x03\x00\x00\x00"
      "abc\x00",
      12);
  const std::string whole = wav(spec, sine(300, 16000, 60));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(read_audio(file(whole.substr(0, length))), Error) << length;
  }
  Random random(3);
  for (int trial = 0; trial < 400; ++trial) {
    std::string damaged = whole;
    damaged[random.below(static_cast<std::uint32_t>(damaged.size()))] ^= static_cast<char>(1 + random.below(255));
    try {
      for (const float sample : read_audio(file(damaged)).samples) ASSERT_TRUE(std::isfinite(sample));
    } catch (const Error&) {
    }
  }
}

TEST_F(Wav, ReaderStreamsInBlocksOfAnySize) {
  WavSpec spec;
  spec.rate = 44100;
  const std::filesystem::path path = file(wav(spec, sine(300, 44100, 30000)));
  const Audio whole = read_audio(path);
  for (const std::size_t size : {1u, 160u, 10007u}) {
    AudioReader reader(path);
    EXPECT_NEAR(reader.duration(), 30000 / 44100.0, 1e-6);
    std::vector<float> out;
    std::vector<float> block(size);
    while (const std::size_t got = reader.read(block))
      out.insert(out.end(), block.begin(), block.begin() + static_cast<long>(got));
    EXPECT_EQ(out, whole.samples) << size;
  }
}

TEST_F(Wav, APipeIsReadAsItComes) {
  const std::vector<float> wanted = sine(300, 16000, 5000);
  WavSpec spec;
  spec.data_size = 0xffffffffu;
  const std::string bytes = wav(spec, wanted);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const int saved = ::dup(STDIN_FILENO);
  ::dup2(ends[0], STDIN_FILENO);
  // Only half of the bytes are there while the first samples are read: a reader that waits for more would hang.
  ASSERT_EQ(::write(ends[1], bytes.data(), bytes.size() / 2), static_cast<ssize_t>(bytes.size() / 2));
  std::vector<float> out(wanted.size() + 10);
  AudioReader reader("-");
  std::size_t got = reader.read(std::span(out).first(1600));
  EXPECT_EQ(got, 1600u);
  ASSERT_EQ(::write(ends[1], bytes.data() + bytes.size() / 2, bytes.size() - bytes.size() / 2),
            static_cast<ssize_t>(bytes.size() - bytes.size() / 2));
  ::close(ends[1]);
  got += reader.read(std::span(out).subspan(got));
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
  ::close(ends[0]);
  EXPECT_EQ(got, wanted.size());
  EXPECT_LT(largest_difference(out, wanted), 1e-4);
}

TEST_F(Wav, WriterRoundsClampsAndIsAtomic) {
  Audio audio;
  audio.sample_rate = 22050;
  audio.samples = {0.0f, 0.5f, 2.0f, -2.0f, std::nanf(""), 1.0f / 32768};
  write_wav(folder_ / "out.wav", audio);
  EXPECT_EQ(entries(), 1);
  const Audio back = read_audio(folder_ / "out.wav", 22050);
  EXPECT_EQ(back.samples, (std::vector<float>{0.0f, 0.5f, 32767 / 32768.0f, -1.0f, 0.0f, 1.0f / 32768}));
  EXPECT_THROW(write_wav(folder_ / "absent" / "out.wav", audio), Error);
}

}  // namespace
}  // namespace mien
