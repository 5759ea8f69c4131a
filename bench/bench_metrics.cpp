// Times the picture metrics on one pair of pictures.
//   bench_metrics [--size 512] [--repeats 20] [--threads 0]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/metrics/image_metrics.h"
#include "mien/metrics/lpips.h"

namespace {

template <typename Body>
void report(const char* what, int repeats, const Body& body) {
  std::vector<double> times;
  double value = 0;
  for (int i = 0; i < repeats + 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    value = body();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (i >= 2) times.push_back(took.count());
  }
  std::sort(times.begin(), times.end());
  std::printf("%-8s median %7.2f ms   best %7.2f ms   (%.4f)\n", what, times[times.size() / 2], times[0], value);
}

}  // namespace

int main(int argc, char** argv) {
  int size = 512, repeats = 20, threads = 0;
  CLI::App app("Times the picture metrics");
  app.add_option("--size", size, "picture side in pixels")->check(CLI::Range(32, 4096));
  app.add_option("--repeats", repeats, "timed runs")->check(CLI::Range(1, 1'000'000));
  app.add_option("--threads", threads, "0 = all cores")->check(CLI::Range(0, 1024));
  CLI11_PARSE(app, argc, argv);
  std::printf("%d threads, %s, pictures of %dx%d\n", mien::set_thread_count(threads), __VERSION__, size, size);

  mien::Random random(1);
  mien::Image8 small(size / 8, size / 8, 3);
  for (std::uint8_t& pixel : small.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  const mien::Image8 a = mien::resize_image(small, size, size);
  mien::Image8 b = a;
  for (std::uint8_t& pixel : b.pixels) pixel = static_cast<std::uint8_t>((pixel * 15 + random.below(256)) / 16);
  const mien::Lpips lpips = mien::Lpips::load();
  report("PSNR", repeats, [&] { return mien::psnr(a, b); });
  report("SSIM", repeats, [&] { return mien::ssim(a, b); });
  report("LPIPS", repeats, [&] { return lpips(a, b); });
  report("CPBD", repeats, [&] { return mien::cpbd(a); });
  return 0;
}
