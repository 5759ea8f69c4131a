// Times one training step's fixed costs: the photometric loss with its gradient, and Adam over an avatar's parameters.
//   bench_loss [--size 512] [--parameters 1770000] [--repeats 50] [--threads 0]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/training/adam.h"
#include "mien/training/image_loss.h"

namespace {

template <typename Body>
void report(const char* what, int repeats, const Body& body) {
  std::vector<double> times;
  for (int i = 0; i < repeats + 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (i >= 2) times.push_back(took.count());
  }
  std::sort(times.begin(), times.end());
  std::printf("%-40s median %7.2f ms   best %7.2f ms\n", what, times[times.size() / 2], times[0]);
}

}  // namespace

int main(int argc, char** argv) {
  int size = 512, parameters = 30000 * 59, repeats = 50, threads = 0;
  CLI::App app("Times the photometric loss and Adam");
  app.add_option("--size", size, "picture side in pixels")->check(CLI::Range(1, 8192));
  app.add_option("--parameters", parameters, "floats that Adam moves")->check(CLI::Range(1, 100'000'000));
  app.add_option("--repeats", repeats, "timed runs")->check(CLI::Range(1, 1'000'000));
  app.add_option("--threads", threads, "0 = all cores")->check(CLI::Range(0, 1024));
  CLI11_PARSE(app, argc, argv);
  std::printf("%d threads, %s\n", mien::set_thread_count(threads), __VERSION__);

  mien::Random random(1);
  const std::size_t pixels = static_cast<std::size_t>(size) * size;
  std::vector<float> rgb(3 * pixels), target(3 * pixels), d_rgb(3 * pixels), alpha(pixels), matte(pixels, 1.0f),
      d_alpha(pixels);
  for (float& v : rgb) v = random.uniform();
  for (float& v : target) v = random.uniform();
  for (float& v : alpha) v = random.uniform();
  mien::ImageLoss loss;
  report("L1 + SSIM + matte with gradient", repeats, [&] {
    loss(size, size, rgb.data(), target.data(), alpha.data(), matte.data(), nullptr, {}, d_rgb.data(), d_alpha.data());
  });
  std::vector<float> values(parameters), gradients(parameters, 0.1f);
  mien::AdamState state;
  report("Adam", repeats, [&] { mien::adam_step(values, gradients, state, 1e-3f); });
  return 0;
}
