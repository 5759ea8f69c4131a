#include "mien/head/emotion.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "mien/base/error.h"

namespace mien {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

float parse_intensity(std::string_view text, std::string_view whole) {
  float value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("emotion \"{}\": \"{}\" is not a number", whole, text),
                "write an intensity from 0 to 1, as in happy:0.8");
  }
  return value;
}

void set_neutral(EmotionVector& value) {
  float sum = 0;
  for (int i = 1; i < kEmotionCount; ++i) sum += value[i];
  value[0] = std::max(0.0f, 1.0f - sum);
}

}  // namespace

Emotion parse_emotion(std::string_view name) {
  for (int i = 0; i < kEmotionCount; ++i) {
    if (name == kEmotionNames[i]) return static_cast<Emotion>(i);
  }
  throw Error(ErrorCode::kBadArgument, fmt::format("unknown emotion \"{}\"", name.substr(0, 60)),
              fmt::format("choose one of {}", fmt::join(kEmotionNames, ", ")));
}

EmotionVector emotion_vector(Emotion emotion, float intensity) {
  if (!(intensity >= 0 && intensity <= 1)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("emotion intensity {} of {} is out of range", intensity, kEmotionNames[int(emotion)]),
                "give an intensity from 0 to 1");
  }
  EmotionVector value = {};
  if (emotion != Emotion::kNeutral) value[static_cast<int>(emotion)] = intensity;
  set_neutral(value);
  return value;
}

EmotionVector parse_emotion_vector(std::string_view text) {
  EmotionVector value = {};
  std::array<bool, kEmotionCount> seen = {};
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = trimmed(rest.substr(0, comma));
    const std::size_t colon = item.find(':');
    const Emotion emotion = parse_emotion(trimmed(item.substr(0, colon)));
    const float intensity = colon == item.npos ? 1.0f : parse_intensity(trimmed(item.substr(colon + 1)), text);
    const int index = static_cast<int>(emotion);
    if (seen[index]) {
      throw Error(ErrorCode::kBadArgument, fmt::format("emotion \"{}\" names {} twice", text, kEmotionNames[index]),
                  "name each emotion once");
    }
    seen[index] = true;
    value[index] = emotion_vector(emotion, intensity)[index];
    if (comma == rest.npos) break;
    rest.remove_prefix(comma + 1);
  }
  set_neutral(value);
  return value;
}

EmotionVector EmotionTrack::at(double time) const {
  if (keys.empty()) return {1, 0, 0, 0, 0, 0, 0, 0};
  const auto after =
      std::upper_bound(keys.begin(), keys.end(), time, [](double t, const Key& k) { return t < k.time; });
  if (after == keys.begin()) return keys.front().value;
  const auto before = after - 1;
  if (after == keys.end()) return before->value;
  const auto share = static_cast<float>((time - before->time) / (after->time - before->time));
  EmotionVector value;
  for (int i = 0; i < kEmotionCount; ++i) value[i] = (1 - share) * before->value[i] + share * after->value[i];
  return value;
}

}  // namespace mien
