#include "media/frame_times.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace mien::media {
namespace {

constexpr double kUsual[] = {10, 12, 15,  24000.0 / 1001,  24,  25, 30000.0 / 1001, 30, 48, 50, 60000.0 / 1001,
                             60, 90, 100, 120000.0 / 1001, 120, 240};

// The usual rate nearest by, if one is within `share` of it.
double snap(double rate, double share) {
  double best = rate, least = share;
  for (const double usual : kUsual) {
    const double off = std::abs(usual / rate - 1);
    if (off < least) {
      least = off;
      best = usual;
    }
  }
  return best;
}

double middle(std::vector<double> values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::string short_number(double value) {
  return std::abs(value - std::round(value)) < 0.005 ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}", value);
}

}  // namespace

SteadyRate steady_rate(std::span<const double> times, double promised, double length, double most_fps) {
  SteadyRate out;
  std::vector<double> steps;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const double step = times[i] - times[i - 1];
    if (step > 1e-6 && step <= kLongestPause) steps.push_back(step);
  }
  if (steps.size() + 1 < times.size() / 2 || steps.empty()) {  // hardly any times: count frames
    out.native = promised > 0.1 && promised < 1000 ? snap(promised, 4e-4) : 25;
    out.seconds = times.size() > 1 ? static_cast<double>(times.size()) / out.native : std::max(length, 1 / out.native);
  } else {
    double total = 0;
    for (const double step : steps) total += step;
    const double mean = total / static_cast<double>(steps.size()), usual = middle(steps);
    const auto even = std::count_if(steps.begin(), steps.end(),
                                    [&](double step) { return std::abs(step - mean) < 0.3 * mean + 0.0015; });
    const bool steady = static_cast<double>(even) >= 0.95 * static_cast<double>(steps.size());
    // The container's own figure is finer than short videos' rounded times, where both agree to half a frame.
    const bool told = std::abs(promised * mean - 1) < 0.003 && std::abs(promised - 1 / mean) * total < 0.5;
    out.native = steady ? snap(told ? promised : 1 / mean, 4e-4) : snap(1 / usual, 0.05);
    out.seconds = total + 1 / out.native;
    if (!steady) {
      const auto [low, high] = std::minmax_element(steps.begin(), steps.end());
      out.notes.push_back(fmt::format("the frame rate varies ({} to {} frames a second): read at a steady {}",
                                      short_number(1 / *high), short_number(1 / *low), short_number(out.native)));
    }
  }
  const double every = std::max(1.0, std::ceil(out.native / most_fps - 0.01));
  out.fps = out.native / every;
  if (every > 1)
    out.notes.push_back(fmt::format("{} frames a second: one of {:.0f} is used", short_number(out.native), every));
  if (out.fps < 20)
    out.notes.push_back(
        fmt::format("only {} frames a second: fast movements of the lips are lost", short_number(out.fps)));
  return out;
}

}  // namespace mien::media
