// SightedVideo as a safetensors file: the long lists as tensors, the rest as JSON in the header.
#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/safetensors.h"
#include "mien/track/sighting.h"

namespace mien {
namespace {

constexpr const char* kFormat = "mien-sighted-video 1";
constexpr std::int64_t kPerPoint = 3;

[[noreturn]] void bad(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::kBadFile, path + ": " + what, "remove it, and the video is looked at again");
}

Json header(const SightedVideo& video) {
  Json json = {{"name", video.name},      {"source", video.source},       {"appearance", video.appearance},
               {"width", video.width},    {"height", video.height},       {"fps", video.fps},
               {"frames", video.frames},  {"has_audio", video.has_audio}, {"notes", video.notes},
               {"picture", video.picture}};
  json["stretches"] = Json::array();
  for (const Stretch& s : video.stretches)
    json["stretches"].push_back(
        {{"first", s.first}, {"frames", s.frames.size()}, {"window", {s.window.left, s.window.top, s.window.size}}});
  json["omissions"] = Json::array();
  for (const Omission& o : video.omissions)
    json["omissions"].push_back({{"begin", o.begin}, {"end", o.end}, {"reason", o.reason}, {"text", o.text}});
  return json;
}

SightedVideo from_header(const Json& json) {
  SightedVideo video;
  video.name = json.at("name").get<std::string>();
  video.source = json.at("source").get<std::string>();
  video.appearance = json.at("appearance").get<std::string>();
  video.width = json.at("width").get<int>();
  video.height = json.at("height").get<int>();
  video.fps = json.at("fps").get<double>();
  video.frames = json.at("frames").get<int>();
  video.has_audio = json.at("has_audio").get<bool>();
  video.notes = json.at("notes").get<std::vector<std::string>>();
  video.picture = json.at("picture").get<std::array<int, 4>>();
  for (const Json& s : json.at("stretches")) {
    const auto w = s.at("window").get<std::array<double, 3>>();
    Stretch stretch;
    stretch.first = s.at("first").get<int>();
    stretch.window = {w[0], w[1], w[2]};
    video.stretches.push_back(stretch);
  }
  for (const Json& o : json.at("omissions"))
    video.omissions.push_back({o.at("begin").get<double>(), o.at("end").get<double>(),
                               o.at("reason").get<std::string>(), o.at("text").get<std::string>()});
  return video;
}

void check(const SightedVideo& video, const std::string& path) {
  if (video.width < 1 || video.height < 1 || video.frames < 0 || !(video.fps > 0) || !std::isfinite(video.fps))
    bad(path, "its video has an impossible size or frame rate");
  int end = 0;
  for (const Stretch& s : video.stretches) {
    const CutWindow& w = s.window;
    const auto count = static_cast<std::int64_t>(s.frames.size());
    if (s.first < end || count < 1 || s.first + count > video.frames || !(w.size > 0) ||
        !std::isfinite(w.left + w.top + w.size))
      bad(path, "its stretches do not lie in the video");
    end = s.first + static_cast<int>(count);
    for (const FaceSighting& face : s.frames) {
      for (const auto& p : face.points) {
        if (!std::isfinite(p[0] + p[1] + p[2])) bad(path, "it holds landmarks that are no numbers");
      }
      if (!(face.weight >= 0 && face.weight <= 1)) bad(path, "it holds a weight outside of [0,1]");
    }
  }
}

std::string key(std::size_t stretch, const char* what) {
  return fmt::format("stretch{:04}.{}", stretch, what);
}

}  // namespace

void SightedVideo::save(const std::string& path) const {
  SafetensorsWriter out;
  out.metadata("format", kFormat);
  out.metadata("video", header(*this).dump());
  out.add("descriptor", {static_cast<std::int64_t>(descriptor.size())}, std::span<const float>(descriptor));
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    std::vector<float> points, marks;
    for (const FaceSighting& face : stretches[i].frames) {
      for (const auto& p : face.points) points.insert(points.end(), p.begin(), p.end());
      marks.insert(marks.end(), {face.presence, face.sharpness, face.weight});
    }
    const auto n = static_cast<std::int64_t>(stretches[i].frames.size());
    out.add(key(i, "points"), {n, kSightedPoints, kPerPoint}, std::span<const float>(points));
    out.add(key(i, "marks"), {n, 3}, std::span<const float>(marks));
  }
  out.write(path);
}

SightedVideo SightedVideo::load(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const auto& metadata = file.metadata();
  if (!metadata.contains("format") || metadata.at("format") != kFormat || !metadata.contains("video"))
    bad(path, "is not a sighted video of this version");
  SightedVideo video;
  std::vector<std::int64_t> counts;
  try {
    const Json json = Json::parse(metadata.at("video"));
    video = from_header(json);
    for (const Json& s : json.at("stretches")) counts.push_back(s.at("frames").get<std::int64_t>());
  } catch (const nlohmann::json::exception& error) {
    bad(path, fmt::format("its header is damaged ({})", error.what()));
  }
  video.descriptor = file.floats("descriptor", {-1});
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::vector<float> points = file.floats(key(i, "points"), {counts[i], kSightedPoints, kPerPoint});
    const std::vector<float> marks = file.floats(key(i, "marks"), {counts[i], 3});
    std::vector<FaceSighting>& frames = video.stretches[i].frames;
    frames.resize(marks.size() / 3);
    for (std::size_t k = 0; k < frames.size(); ++k) {
      for (std::size_t p = 0; p < kSightedPoints; ++p)
        std::copy_n(points.begin() + static_cast<std::ptrdiff_t>(3 * (k * kSightedPoints + p)), 3,
                    frames[k].points[p].begin());
      frames[k].presence = marks[3 * k];
      frames[k].sharpness = marks[3 * k + 1];
      frames[k].weight = marks[3 * k + 2];
    }
  }
  check(video, path);
  return video;
}

}  // namespace mien
