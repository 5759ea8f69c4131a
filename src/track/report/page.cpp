// report.html and report.json.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/html.h"
#include "mien/base/json.h"
#include "track/report/report_parts.h"

namespace mien {

using namespace track_report;

namespace {

constexpr const char* kStyle =
    ":root{--line:#0002;--soft:#667;--card:#fff;--back:#f5f6f8;--text:#1d2129}"
    "@media(prefers-color-scheme:dark){:root{--line:#fff2;--soft:#9aa;--card:#1d2026;--back:#14161a;--text:#dde}}"
    "*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;margin:0;color:var(--text);background:var(--back)}"
    "main{max-width:1040px;margin:0 auto;padding:2em 1.2em "
    "4em}h1{font-size:1.7em;margin:0}h2{font-size:1.15em;margin:0 0 .6em}"
    "h3{font-size:1em;margin:1.2em 0 .4em}section{background:var(--card);border:1px solid "
    "var(--line);border-radius:10px;"
    "padding:1.1em 1.3em;margin:1.2em 0}p{margin:.3em 0}.soft{color:var(--soft)}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.8em;margin-top:1.2em}"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.8em 1em}"
    ".tile b{display:block;font-size:1.5em;line-height:1.2}.tile span{color:var(--soft)}"
    "ul.forecast{list-style:none;padding:0;margin:0}ul.forecast li{display:grid;grid-template-columns:4.2em 9em "
    "1fr;gap:.8em;"
    "padding:.45em 0;border-top:1px solid var(--line)}ul.forecast li:first-child{border-top:0}"
    ".badge{border-radius:6px;text-align:center;color:#fff;font-size:.85em;padding:.1em 0;align-self:start}"
    ".good{background:#2e9e5b}.fair{background:#c98a1b}.poor{background:#cc4b46}"
    ".pictures{display:flex;flex-wrap:wrap;gap:.8em}figure{margin:0;flex:1 1 280px;max-width:330px}"
    "figure img{width:100%;border-radius:8px;display:block}figcaption{color:var(--soft);font-size:.9em}"
    "svg{max-width:100%;height:auto;font:12px system-ui,sans-serif}table{border-collapse:collapse;font-size:.95em}"
    "td,th{padding:.2em 1.2em .2em 0;text-align:left;vertical-align:top}th{color:var(--soft);font-weight:500}"
    "i.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.35em}";

std::string seconds_words(double seconds) {
  return seconds < 100 ? fmt::format("{:.1f} s", seconds)
                       : fmt::format("{}:{:02} min", static_cast<int>(seconds) / 60, static_cast<int>(seconds) % 60);
}

std::string tile(const std::string& value, const std::string& what) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", escape_html(value), escape_html(what));
}

std::string forecast_list(const std::vector<Forecast>& forecast) {
  std::string out = "<ul class=\"forecast\">";
  for (const Forecast& one : forecast) {
    out += fmt::format(
        "<li><span class=\"badge {0}\">{0}</span><b>{1}</b><span>{2}{3}</span></li>", outlook_name(one.outlook),
        escape_html(one.topic), escape_html(one.text),
        one.advice.empty() ? "" : fmt::format("<br><span class=\"soft\">Better: {}.</span>", escape_html(one.advice)));
  }
  return out + "</ul>";
}

class Page {
 public:
  Page(const Capture& capture, std::span<const SequenceOrigin> origins, std::span<const SightedVideo> videos,
       const HeadFit& fit)
      : capture_(capture), origins_(origins), videos_(videos), fit_(fit), report_(make_track_report(videos, fit)) {
    for (const SequenceOrigin& origin : origins) {
      capture.sequence(origin.sequence);  // throws for a name that does not exist
      if (origin.video < 0 || origin.video >= static_cast<int>(videos.size()) || origin.stretch < 0 ||
          origin.stretch >= static_cast<int>(videos[static_cast<std::size_t>(origin.video)].stretches.size()) ||
          origin.first < 0)
        throw Error(ErrorCode::kBadArgument,
                    fmt::format("sequence {}: stretch {} of video {}", origin.sequence, origin.stretch, origin.video));
    }
  }

  std::string html() const {
    const TrackedCoverage& seen = report_.coverage;
    double all = 0, error = 0, weight = 0;
    for (const TrackedVideoFigures& video : report_.videos) {
      all += video.seconds;
      error += video.error * video.used_seconds;
      weight += video.used_seconds;
    }
    std::map<Outlook, int> counts;
    for (const Forecast& one : report_.forecast) ++counts[one.outlook];
    const std::string title = capture_.person.empty() ? "Tracking" : "Tracking of " + capture_.person;
    std::string out = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width\"><title>{0}</title><style>{1}</style></head><body><main>\n<h1>{0}</h1>\n"
        "<p class=\"soft\">What an avatar made of this capture will do well, and what it will not. Left and right are "
        "the "
        "person's own.</p>\n<div class=\"tiles\">",
        escape_html(title), kStyle);
    out += tile(fmt::format("{} of {}", seconds_words(seen.seconds), seconds_words(all)), "of the videos used");
    out += tile(fmt::format("{:.1f} %", 100 * (weight > 0 ? error / weight : 0)),
                "landmark error, of the pupils' distance");
    out += tile(fmt::format("{:.0f}° / {:.0f}°", seen.left, seen.right), "seen from the left / right");
    out += tile(fmt::format("{:.0f} mm", seen.widest_mm), "mouth open at most");
    out += tile(std::to_string(seen.blinks), seen.blinks == 1 ? "blink" : "blinks");
    out += tile(fmt::format("{} / {} / {}", counts[Outlook::kGood], counts[Outlook::kFair], counts[Outlook::kPoor]),
                "good / fair / poor");
    out += "</div>\n<section><h2>Forecast</h2>" + forecast_list(report_.forecast) + "</section>\n";
    out +=
        "<section><h2>From where the face was seen</h2><p class=\"soft\">Darker is longer. Empty cells are views that "
        "an "
        "avatar has to guess.</p>" +
        draw_views(seen) + "</section>\n";
    out +=
        "<section><h2>How far each expression went</h2><p class=\"soft\">Bar: weight exceeded 2 % of the time. Beside "
        "it: "
        "seconds above a quarter.</p>" +
        draw_expressions(seen) + "</section>\n";
    out += "<section><h2>How far the mouth was open</h2>" + draw_openings(seen) + "</section>\n";
    for (std::size_t i = 0; i < videos_.size(); ++i) out += video(i);
    return out + "</main></body></html>\n";
  }

  Json json() const {
    Json videos = Json::array();
    for (std::size_t i = 0; i < videos_.size(); ++i) {
      const SightedVideo& from = videos_[i];
      const TrackedVideoFigures& figures = report_.videos[i];
      Json omissions = Json::array();
      for (const Omission& one : from.omissions)
        omissions.push_back({{"begin", one.begin}, {"end", one.end}, {"reason", one.reason}, {"text", one.text}});
      Json used = Json::array();
      for (const Stretch& stretch : from.stretches)
        used.push_back(
            {stretch.first / from.fps, (stretch.first + static_cast<int>(stretch.frames.size())) / from.fps});
      videos.push_back({{"name", from.name},
                        {"source", from.source},
                        {"appearance", from.appearance},
                        {"width", from.width},
                        {"height", from.height},
                        {"fps", from.fps},
                        {"seconds", figures.seconds},
                        {"used_seconds", figures.used_seconds},
                        {"used", used},
                        {"focal_pixels", fit_.videos[i].camera.fx},
                        {"focal_given", fit_.videos[i].focal_given},
                        {"error", figures.error},
                        {"worst_error", figures.worst_error},
                        {"jitter_mm", figures.jitter_mm < 0 ? Json() : Json(figures.jitter_mm)},
                        {"pupil_distance", figures.pupil_distance},
                        {"omissions", omissions},
                        {"notes", from.notes}});
    }
    const TrackedCoverage& seen = report_.coverage;
    Json expressions;
    for (std::size_t e = 0; e < static_cast<std::size_t>(kArkitCount); ++e)
      expressions[kArkitNames[e]] = {{"reach", seen.reach[e]}, {"seconds", seen.active[e]}};
    Json forecast = Json::array();
    for (const Forecast& one : report_.forecast) {
      forecast.push_back(
          {{"topic", one.topic}, {"outlook", outlook_name(one.outlook)}, {"text", one.text}, {"advice", one.advice}});
    }
    return {{"format", 1},
            {"person", capture_.person},
            {"videos", videos},
            {"coverage",
             {{"seconds", seen.seconds},
              {"views_seconds", seen.views},
              {"degrees", {{"left", seen.left}, {"right", seen.right}, {"above", seen.above}, {"below", seen.below}}},
              {"expressions", expressions},
              {"mouth_opening_seconds", seen.opening},
              {"mouth_widest_mm", seen.widest_mm},
              {"blinks", seen.blinks},
              {"gaze_degrees", seen.gaze_degrees}}},
            {"forecast", forecast}};
  }

 private:
  std::string video(std::size_t i) const {
    const SightedVideo& from = videos_[i];
    const TrackedVideoFigures& figures = report_.videos[i];
    const FittedVideo& fitted = fit_.videos[i];
    std::string out = fmt::format(
        "<section><h2>{}</h2><p class=\"soft\">{} · {} x {}, {:.4g} frames/s · look \"{}\"</p>", escape_html(from.name),
        escape_html(from.source), from.width, from.height, from.fps, escape_html(from.appearance));
    out +=
        "<table><tr><th>used</th><th>landmark error</th><th>worst frame</th><th>jitter at rest</th><th>focal "
        "length</th>"
        "<th>between the pupils</th></tr>";
    out += fmt::format(
        "<tr><td>{} of {}</td><td>{:.2f} %</td><td>{:.1f} %</td><td>{}</td><td>{:.0f} px{}</td><td>{:.0f} "
        "px</td></tr></table>",
        seconds_words(figures.used_seconds), seconds_words(figures.seconds), 100 * figures.error,
        100 * figures.worst_error, figures.jitter_mm < 0 ? "never still" : fmt::format("{:.2f} mm", figures.jitter_mm),
        fitted.camera.fx, fitted.focal_given ? " (given)" : "", figures.pupil_distance);
    out += pictures(i);
    out += "<h3>What was used</h3>" + draw_timeline(from, fitted);
    std::map<std::string, double> by_reason;
    for (const Omission& one : from.omissions) by_reason[one.reason] += one.end - one.begin;
    if (!by_reason.empty()) {
      out += "<p><i class=\"key\" style=\"background:#2e9e5b\"></i>used ";
      for (const auto& [reason, seconds] : by_reason)
        out += fmt::format(" <i class=\"key\" style=\"background:{}\"></i>{} {}", reason_colour(reason),
                           escape_html(reason), seconds_words(seconds));
      out += "</p><details><summary>Everything that was left out</summary><table>";
      for (const Omission& one : from.omissions)
        out +=
            fmt::format("<tr><td>{:.1f} to {:.1f} s</td><td>{}</td></tr>", one.begin, one.end, escape_html(one.text));
      out += "</table></details>";
    }
    for (const std::string& note : from.notes) out += fmt::format("<p class=\"soft\">{}</p>", escape_html(note));
    return out + "</section>\n";
  }

  std::string pictures(std::size_t i) const {
    constexpr int kSize = 384, kQuality = 85;
    std::string out;
    for (const Pick& pick : pick_frames(origins_, static_cast<int>(i), fit_.videos[i], capture_)) {
      const SequenceOrigin& origin = origins_[pick.origin];
      const CaptureSequence& sequence = capture_.sequence(origin.sequence);
      const Stretch& stretch = videos_[i].stretches[static_cast<std::size_t>(origin.stretch)];
      const auto t = static_cast<std::size_t>(origin.first + pick.frame);
      if (sequence.views.empty()) continue;
      try {
        const CaptureView& view = sequence.views.front();
        const Image8 picture = read_image(capture_.image_path(view, pick.frame));
        const Camera camera = capture_.camera_at(sequence, view, pick.frame);
        const MotionFrame& frame = fit_.videos[i].stretches[static_cast<std::size_t>(origin.stretch)].motion.frames[t];
        const CloseUp close = close_up(picture, camera, stretch.frames[t], stretch.window);
        Image8 drawn = draw_overlay(close.picture, close.camera, fit_.head, frame, stretch.frames[t], close.window);
        if (drawn.width > kSize) drawn = resize_image(drawn, kSize, kSize * drawn.height / drawn.width);
        const double seconds = (stretch.first + static_cast<double>(t) + 0.5) / videos_[i].fps;
        out += fmt::format(
            "<figure><img alt=\"{0}\" src=\"data:image/jpeg;base64,{1}\"><figcaption>{0}: {2:.2f} s, {3:.1f} px"
            "</figcaption></figure>",
            pick.label, base64(encode_jpeg(drawn, kQuality)), seconds, pick.error);
      } catch (const Error& error) {  // a report without a picture is better than none
        spdlog::warn("report: {}", error.what());
      }
    }
    if (out.empty()) return "";
    return "<h3>Best, median and worst frame</h3><p class=\"soft\">Lines: the fitted head. Dots: the landmarks as the "
           "network "
           "saw them.</p><div class=\"pictures\">" +
           out + "</div>";
  }

  const Capture& capture_;
  std::span<const SequenceOrigin> origins_;
  std::span<const SightedVideo> videos_;
  const HeadFit& fit_;
  TrackReport report_;
};

}  // namespace

void write_track_report(const Capture& capture, std::span<const SequenceOrigin> origins,
                        std::span<const SightedVideo> videos, const HeadFit& fit) {
  const Page page(capture, origins, videos, fit);
  write_json(capture.folder / "report.json", page.json());
  const std::string html = page.html();
  write_file(capture.folder / "report.html", html.data(), html.size());
}

}  // namespace mien
