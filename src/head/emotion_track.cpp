#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "mien/base/error.h"
#include "mien/head/emotion.h"
#include "mien/head/emotion_json.h"

namespace mien {
namespace {

constexpr std::size_t kMostBytes = 16u << 20;  // of a file of keys: some hundred thousand

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

EmotionTrack parse_keys(const std::string& text) {
  EmotionTrack track;
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::kBadArgument, fmt::format("emotion \"{}\": {}", text, why),
                "write keys as in \"neutral@0; happy:0.8@1.5\", times in seconds, ascending");
  };
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string key = trimmed(text.substr(at, end - at));
    at = end + 1;
    if (key.empty() && at > text.size()) break;  // a semicolon at the end
    const std::size_t sign = key.rfind('@');
    if (sign == key.npos) refuse(fmt::format("the key \"{}\" has no time", key));
    const std::string number = trimmed(key.substr(sign + 1));
    double time = 0;
    const auto result = std::from_chars(number.data(), number.data() + number.size(), time);
    if (result.ec != std::errc() || result.ptr != number.data() + number.size() || !std::isfinite(time)) {
      refuse(fmt::format("\"{}\" is no time", number));
    }
    if (!track.keys.empty() && time <= track.keys.back().time) refuse(fmt::format("{} s comes too late", time));
    track.keys.push_back({time, parse_emotion_vector(key.substr(0, sign))});
  }
  return track;
}

}  // namespace

EmotionTrack emotion_track_from_json(const Json& json, const std::string& where) {
  if (json.is_string()) return EmotionTrack::constant(parse_emotion_vector(json.get<std::string>()));
  if (!json.is_array()) throw_bad_field("emotion", where, "is neither text nor a list of keys");
  EmotionTrack track;
  for (const Json& key : json) {
    const auto time = get_field<double>(key, "time", where);
    if (!std::isfinite(time) || (!track.keys.empty() && time <= track.keys.back().time)) {
      throw_bad_field("emotion", where, fmt::format("has keys that do not ascend, at {} s", time));
    }
    track.keys.push_back({time, parse_emotion_vector(get_field<std::string>(key, "emotion", where))});
  }
  return track;
}

EmotionTrack parse_emotion_track(const std::string& text) {
  if (std::filesystem::path(text).extension() == ".json") {
    const Json json = read_json(text, kMostBytes);
    return emotion_track_from_json(json.is_object() && json.contains("emotion") ? json["emotion"] : json, text);
  }
  if (text.find('@') != text.npos) return parse_keys(text);
  return EmotionTrack::constant(parse_emotion_vector(text));
}

}  // namespace mien
