// Speed of the media room: video encoding as `mien speak` does it, picture decoding as training does it, resampling.
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/media/audio.h"
#include "mien/media/video.h"

namespace {

namespace fs = std::filesystem;

double wall() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double processor() {  // seconds of all threads of this process
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

void report(const char* what, double count, const char* unit, double wall_start, double processor_start) {
  const double seconds = wall() - wall_start;
  std::printf("%-44s %9.1f %s/s   %6.2f ms processor time each\n", what, count / seconds, unit,
              1e3 * (processor() - processor_start) / count);
}

// An oval with fine skin-like grain that sways over a flat ground: about what a talking head costs an encoder.
std::vector<mien::Image8> moving_pictures(int size, int count) {
  mien::Random random(1);
  std::vector<float> grain(static_cast<std::size_t>(size) * size);
  for (float& value : grain) value = random.normal() * 5;
  std::vector<mien::Image8> out;
  for (int k = 0; k < count; ++k) {
    mien::Image8 image(size, size, 3, 90);
    const int shift = static_cast<int>(std::lround(6 * std::sin(0.2 * k)));
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const double u = (x - shift - size / 2.0) / (size * 0.32);
        const double v = (y - size / 2.0) / (size * 0.42);
        const double r = u * u + v * v;
        if (r > 1) continue;
        const double mouth = std::exp(-30 * (u * u + (v - 0.5) * (v - 0.5) * (4 + 3 * std::sin(0.9 * k))));
        const double shade = 190 * std::sqrt(1 - 0.7 * r) * (1 - 0.6 * mouth);
        const std::size_t index = static_cast<std::size_t>(y) * size + static_cast<std::size_t>(std::max(0, x - shift));
        for (int c = 0; c < 3; ++c) {
          const double value = shade * (1 - 0.15 * c) + grain[std::min(index, grain.size() - 1)];
          image.at(x, y)[c] = static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0));
        }
      }
    }
    out.push_back(std::move(image));
  }
  return out;
}

void encode(const std::vector<mien::Image8>& pictures, int frames, const std::string& preset, const fs::path& folder) {
  mien::VideoWriterOptions options;
  options.width = options.height = pictures[0].width;
  options.preset = preset;
  const std::vector<float> sound(static_cast<std::size_t>(options.audio_rate) / 30, 0.1f);
  const double w = wall();
  const double p = processor();
  mien::VideoWriter writer(folder / "bench.mp4", options);
  for (int i = 0; i < frames; ++i) {
    writer.write_frame(pictures[static_cast<std::size_t>(i) % pictures.size()]);
    writer.write_audio(sound);
  }
  writer.finish();
  report(("H.264 + AAC, " + preset + ", " + std::to_string(options.width) + " square").c_str(), frames, "frames", w, p);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Speed of the media room"};
  int frames = 600;
  int size = 512;
  app.add_option("--frames", frames, "Video frames")->capture_default_str()->check(CLI::Range(30, 100000));
  app.add_option("--size", size, "Side of the pictures, pixels")->capture_default_str()->check(CLI::Range(64, 4096));
  CLI11_PARSE(app, argc, argv);
  std::printf("%s, %d threads\n", processor_name().c_str(), mien::thread_count());
  const fs::path folder = fs::temp_directory_path() / ("mien_bench_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const std::vector<mien::Image8> pictures = moving_pictures(size, 32);

  if (mien::have_ffmpeg()) {
    for (const char* preset : {"ultrafast", "veryfast", "medium"}) encode(pictures, frames, preset, folder);
    double w = wall();
    double p = processor();
    mien::VideoReader reader(folder / "bench.mp4");
    mien::Image8 frame;
    int read = 0;
    while (reader.read(frame)) ++read;
    report("H.264 decoding to RGB", read, "frames", w, p);
  }
  for (const char* name : {"a.jpg", "a.png"}) {
    mien::write_image(folder / name, pictures[0]);
    const double w = wall();
    const double p = processor();
    constexpr int kRepeats = 100;
    for (int i = 0; i < kRepeats; ++i) mien::read_image(folder / name);
    report((std::string("reading ") + name + ", one thread").c_str(), kRepeats, "images", w, p);
  }
  const std::vector<float> minute(44100 * 60, 0.25f);
  const double w = wall();
  const double p = processor();
  mien::resample(minute, 44100, 16000);
  report("resampling 44.1 to 16 kHz, one thread", 60, "s of sound", w, p);
  fs::remove_all(folder);
  return 0;
}
