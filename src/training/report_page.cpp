#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/html.h"
#include "mien/base/progress.h"
#include "mien/training/training_report.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 640, kHeight = 220, kLeft = 64, kRight = 12, kTop = 14, kBottom = 30;
constexpr std::size_t kMostPoints = 600;
constexpr const char* kStyle =
    "body{font:15px/1.45 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 "
    "1em;color:#222;background:#fff}"
    "h1{font-size:1.5em}h2{font-size:1.1em;margin:1.6em 0 .4em}table{border-collapse:collapse}"
    "td{padding:.15em 1.2em .15em 0;vertical-align:top}td:first-child{color:#666}img{max-width:100%}"
    "svg{max-width:100%;height:auto;font:11px system-ui,sans-serif}.plots{display:flex;flex-wrap:wrap;gap:1em}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td:first-child{color:#999}}";

// 1, 2 or 5 times a power of ten, at least `least`.
double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(std::max(least, 1e-12))));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

// One loss over the steps.
std::string plot(const std::string& name, const std::vector<TrainingCurves::Point>& points,
                 const std::vector<std::pair<std::string, double>>& stages) {
  double low = points.front().value, high = low;
  for (const auto& p : points) {
    low = std::min(low, p.value);
    high = std::max(high, p.value);
  }
  const double first = points.front().step, last = std::max(points.back().step, first + 1);
  const double grid = round_step((high - low > 0 ? high - low : std::max(std::abs(high), 1e-6)) / 4);
  low = std::floor(low / grid) * grid;
  high = std::max(std::ceil(high / grid) * grid, low + grid);
  const auto x = [&](double step) { return kLeft + (kWidth - kLeft - kRight) * (step - first) / (last - first); };
  const auto y = [&](double value) {
    return kHeight - kBottom - (kHeight - kBottom - kTop) * (value - low) / (high - low);
  };
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"{2}\"><g stroke=\"#8886\">",
      kWidth, kHeight, escape_html(name));
  std::string labels = "<g fill=\"currentColor\">";
  for (int k = 0; low + k * grid <= high + 1e-9 * grid; ++k) {
    const double value = low + k * grid;
    svg += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, kWidth - kRight, y(value),
                       y(value));
    labels +=
        fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>", kLeft - 6, y(value) + 4, value);
  }
  for (const auto& [stage, step] : stages) {
    if (step < first || step > last) continue;
    svg += fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke-dasharray=\"4 3\"/>", x(step),
                       kTop, kHeight - kBottom);
    labels += fmt::format("<text x=\"{:.1f}\" y=\"{}\">{}</text>", x(step) + 4, kTop - 3, escape_html(stage));
  }
  labels += fmt::format(
      "<text x=\"{}\" y=\"{}\">{:.0f}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">step {:.0f}</text></g>", kLeft,
      kHeight - 12, first, kWidth - kRight, kHeight - 12, last);
  svg += "</g>" + labels + "<polyline fill=\"none\" stroke=\"#2a6fdb\" stroke-width=\"1.5\" points=\"";
  // Many points become means of a few.
  const std::size_t group = (points.size() + kMostPoints - 1) / kMostPoints;
  for (std::size_t i = 0; i < points.size(); i += group) {
    double step = 0, value = 0;
    const std::size_t end = std::min(points.size(), i + group);
    for (std::size_t k = i; k < end; ++k) {
      step += points[k].step;
      value += points[k].value;
    }
    const auto count = static_cast<double>(end - i);
    svg += fmt::format("{:.1f},{:.1f} ", x(step / count), y(value / count));
  }
  return fmt::format("<div><h2>{}: {:.4g}</h2>{}\"/></svg></div>\n", escape_html(name), points.back().value, svg);
}

std::string table(const char* title, const TrainingReportPage::Table& rows) {
  if (rows.empty()) return "";
  std::string out = fmt::format("<h2>{}</h2><table>\n", title);
  for (const auto& [name, value] : rows)
    out += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escape_html(name), escape_html(value));
  return out + "</table>\n";
}

std::string picture(const fs::path& path) {
  if (path.empty() || !fs::is_regular_file(path)) return "";
  const char* kind = path.extension() == ".png" ? "png" : "jpeg";
  return fmt::format("<h2>Truth above, render below</h2><img alt=\"preview\" src=\"data:image/{};base64,{}\">\n", kind,
                     base64(read_file(path, std::size_t{64} << 20)));
}

}  // namespace

void write_training_report(const fs::path& path, const TrainingReportPage& page) {
  const TrainingCurves log = read_training_log(page.log);
  std::string plots;
  for (const auto& [name, points] : log.curves) {
    std::vector<TrainingCurves::Point> finite;
    std::copy_if(points.begin(), points.end(), std::back_inserter(finite),
                 [](const TrainingCurves::Point& p) { return std::isfinite(p.value); });
    if (finite.size() > 1) plots += plot(name, finite, log.stages);
  }
  TrainingReportPage::Table figures = page.figures;
  if (log.seconds > 0) figures.emplace_back("time so far", format_duration(log.seconds));
  const std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
      "charset=\"utf-8\"><title>{0}</title><style>{1}</style></head><body>\n"
      "<h1>{0}</h1><p>{2}</p>\n{3}<div class=\"plots\">\n{4}</div>\n{5}{6}{7}</body></html>\n",
      escape_html(page.title), kStyle, escape_html(page.state), table("Figures", figures), plots, picture(page.preview),
      table("Options", page.options), table("Hardware", page.hardware));
  write_file(path, html.data(), html.size());
}

}  // namespace mien
