// The SVG drawings of the report.
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "mien/base/error.h"
#include "mien/base/html.h"
#include "track/report/report_parts.h"

namespace mien::track_report {
namespace {

std::string begin(int width, int height, std::string_view label) {
  return fmt::format("<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"{2}\">",
                     width, height, escape_html(label));
}

std::string text(double x, double y, std::string_view what, const char* anchor = "start") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" fill=\"currentColor\">{}</text>", x, y, anchor,
                     escape_html(what));
}

std::string box(double x, double y, double width, double height, std::string_view fill, std::string_view title = "",
                double opacity = 1) {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
      "fill-opacity=\"{:.3f}\">{}</rect>",
      x, y, width, height, fill, opacity, title.empty() ? "" : fmt::format("<title>{}</title>", escape_html(title)));
}

constexpr const char* kBlue = "#2a6fdb";
constexpr const char* kGreen = "#2e9e5b";

// ARKit's names in words: "mouthSmileLeft" -> "smile left".
std::string words(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out += ' ';
      out += static_cast<char>(c - 'A' + 'a');
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

const char* reason_colour(const std::string& reason) {
  static constexpr std::array<std::array<const char*, 2>, 8> colours = {{{"no-face", "#8a8f98"},
                                                                         {"other-person", "#b05cc6"},
                                                                         {"blur", "#e0a030"},
                                                                         {"small-face", "#c9a66b"},
                                                                         {"profile", "#4aa3c7"},
                                                                         {"covered", "#d9534f"},
                                                                         {"short", "#b8bcc4"},
                                                                         {"", "#7d6f9c"}}};
  for (const auto& [name, colour] : colours) {
    if (reason == name || *name == 0) return colour;
  }
  return kBlue;
}

std::string draw_views(const TrackedCoverage& coverage) {
  constexpr int kCell = 34, kLeft = 52, kTop = 22;
  constexpr int kColumns = TrackedCoverage::kYawBins, kRows = TrackedCoverage::kPitchBins;
  const int width = kLeft + kColumns * kCell + 20, height = kTop + kRows * kCell + 44;
  std::string svg = begin(width, height, "From where the face was seen");
  double most = 1e-9;
  for (const auto& row : coverage.views) most = std::max(most, *std::max_element(row.begin(), row.end()));
  for (int row = 0; row < kRows; ++row) {
    const double y = kTop + (kRows - 1 - row) * kCell;
    for (int column = 0; column < kColumns; ++column) {
      const double seconds = coverage.views[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
      const std::string title = fmt::format("{:.1f} s, yaw {} to {}, pitch {} to {} degrees", seconds,
                                            -90 + 15 * column, -75 + 15 * column, -60 + 15 * row, -45 + 15 * row);
      // Logarithmic, so that a second among minutes shows.
      const double shade = seconds <= 0 ? 0 : 0.15 + 0.85 * std::log1p(20 * seconds) / std::log1p(20 * most);
      svg += box(kLeft + column * kCell, y, kCell - 2, kCell - 2, seconds > 0 ? kBlue : "#8883", title,
                 seconds > 0 ? shade : 1);
    }
    svg += text(kLeft - 6, y + kCell - 2 + 4, fmt::format("{}°", -60 + 15 * row), "end");
  }
  svg += text(kLeft - 6, kTop + 4, "60°", "end");
  for (int column = 0; column <= kColumns; column += 2)
    svg += text(kLeft + column * kCell, kTop + kRows * kCell + 14, fmt::format("{}°", -90 + 15 * column), "middle");
  svg += text(kLeft, kTop + kRows * kCell + 34, "camera on the person's right");
  svg += text(width - 20, kTop + kRows * kCell + 34, "camera on the person's left", "end");
  svg += text(kLeft, 12, "from above");
  return svg + "</svg>";
}

std::string draw_expressions(const TrackedCoverage& coverage) {
  constexpr int kRow = 17, kName = 150, kBar = 190, kColumn = kName + kBar + 74, kRows = 26;
  std::string svg = begin(2 * kColumn, kRows * kRow + 8, "How far each expression went");
  for (int e = 0; e < kArkitCount; ++e) {
    const auto k = static_cast<std::size_t>(e);
    const double x = e / kRows * kColumn, y = e % kRows * kRow;
    const double reach = std::clamp(coverage.reach[k], 0.0, 1.0);
    const std::string title =
        fmt::format("{}: up to {:.2f}, {:.1f} s above a quarter", kArkitNames[k], reach, coverage.active[k]);
    svg += text(x + kName - 8, y + 12, words(kArkitNames[k]), "end") + box(x + kName, y + 3, kBar, 10, "#8883", title);
    if (reach > 0.005)
      svg += box(x + kName, y + 3, reach * kBar, 10,
                 reach < 0.2    ? "#d9534f"
                 : reach < 0.45 ? "#e0a030"
                                : kGreen,
                 title);
    svg += text(x + kName + kBar + 8, y + 12, fmt::format("{:.1f} s", coverage.active[k]));
  }
  return svg + "</svg>";
}

std::string draw_openings(const TrackedCoverage& coverage) {
  constexpr int kWidth = 460, kHeight = 170, kBottom = 34, kBar = 22;
  std::string svg = begin(kWidth, kHeight, "How far the mouth was open");
  const double most = std::max(1e-9, *std::max_element(coverage.opening.begin(), coverage.opening.end()));
  for (int i = 0; i < TrackedCoverage::kOpeningBins; ++i) {
    const double seconds = coverage.opening[static_cast<std::size_t>(i)];
    const double height =
        seconds <= 0 ? 0 : std::max(2.0, (kHeight - kBottom - 8) * std::log1p(20 * seconds) / std::log1p(20 * most));
    svg += box(8 + i * kBar, kHeight - kBottom - height, kBar - 2, height, kBlue,
               fmt::format("{} to {} mm: {:.1f} s", 2 * i, 2 * i + 2, seconds));
    if (i % 5 == 0) svg += text(8 + i * kBar, kHeight - kBottom + 15, fmt::format("{}", 2 * i), "middle");
  }
  svg += text(kWidth - 8, kHeight - kBottom + 15, "40 mm", "end");
  svg += text(8, kHeight - 4, "millimetres between the lips; heights are logarithms of seconds");
  return svg + "</svg>";
}

std::string draw_timeline(const SightedVideo& video, const FittedVideo& fitted) {
  constexpr int kWidth = 960, kHeight = 44, kBar = 22;
  std::string svg = begin(kWidth, kHeight, "What was used of " + video.name);
  const double all = std::max(video.fps > 0 ? video.frames / video.fps : 0, 1e-6);
  const auto x = [&](double seconds) { return kWidth * std::clamp(seconds / all, 0.0, 1.0); };
  svg += box(0, 0, kWidth, kBar, "#8883", "not used");
  for (const Omission& omission : video.omissions) {
    svg += box(x(omission.begin), 0, std::max(1.0, x(omission.end) - x(omission.begin)), kBar,
               reason_colour(omission.reason),
               fmt::format("{:.1f} to {:.1f} s: {}", omission.begin, omission.end, omission.text));
  }
  for (std::size_t s = 0; s < video.stretches.size(); ++s) {
    const Stretch& stretch = video.stretches[s];
    const double from = stretch.first / video.fps,
                 to = (stretch.first + static_cast<int>(stretch.frames.size())) / video.fps;
    svg += box(x(from), 0, std::max(1.0, x(to) - x(from)), kBar, kGreen,
               fmt::format("used: {:.1f} to {:.1f} s", from, to));
    // Moments within a stretch in which the face was lost.
    const std::vector<float>& error = fitted.stretches[s].error;
    for (std::size_t t = 0; t < error.size();) {
      std::size_t end = t;
      while (end < error.size() && error[end] < 0) ++end;
      if (end > t) {
        const double lost = from + static_cast<double>(t) / video.fps,
                     found = from + static_cast<double>(end) / video.fps;
        svg += box(x(lost), 0, std::max(1.0, x(found) - x(lost)), kBar, "#d8e8dd",
                   fmt::format("face lost: {:.1f} to {:.1f} s", lost, found));
      }
      t = std::max(end, t + 1);
    }
  }
  svg += text(0, kHeight - 4, "0 s") + text(kWidth, kHeight - 4, fmt::format("{:.1f} s", all), "end");
  return svg + "</svg>";
}

}  // namespace mien::track_report
