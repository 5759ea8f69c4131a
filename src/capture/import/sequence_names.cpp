#include "capture/import/sequence_names.h"

#include <algorithm>

#include "mien/base/error.h"

namespace mien::import {
namespace {

constexpr std::size_t kLongestName = 256;  // longer names are cut: patterns may take long on them
constexpr std::size_t kMostRules = 1000;

// NeRSemble (Kirschstein et al. 2023) records two emotions, one after the other, in each of EMO-1 to EMO-4; when the
// change comes is not in the name, so each gets half an intensity throughout. Shouting is taken for anger. EXP are
// movements of parts of the face, SEN sentences read without emotion.
constexpr const char* kBuiltIn = R"json({
  "words": {"mild": "0.5", "weak": "0.5", "low": "0.5", "medium": "0.75", "strong": "1", "high": "1", "": "1",
            "anger": "angry", "disgust": "disgusted", "fearful": "fear", "happiness": "happy", "joy": "happy",
            "sadness": "sad", "surprise": "surprised", "contemptuous": "contempt"},
  "sequences": [
    {"match": "\\bEMO-1\\b|_EMO-1\\b", "emotion": "angry:0.5,happy:0.5"},
    {"match": "\\bEMO-2\\b|_EMO-2\\b", "emotion": "surprised:0.5,fear:0.5"},
    {"match": "\\bEMO-3\\b|_EMO-3\\b", "emotion": "angry:0.5,sad:0.5"},
    {"match": "\\bEMO-4\\b|_EMO-4\\b", "emotion": "disgusted:0.5,happy:0.5"},
    {"match": "(^|_)(EXP|SEN)-[0-9]+", "emotion": "neutral"},
    {"match": "(^|[^a-z])neutral([^a-z]|$)",
                     "emotion" : "neutral"
},
    {"match": "(^|[^a-z])(angry|anger|contempt|contemptuous|disgusted|disgust|fearful|fear|happy|happiness|joy|sad|sadness|surprised|surprise)[-_. ]?(mild|weak|low|medium|strong|high|)([^a-z]|$)",
     "emotion": "$2:$3"}
  ]
})json";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

}  // namespace

SequenceNames SequenceNames::parse(const Json& json, const std::string& where) {
  SequenceNames out;
  out.where_ = where;
  if (!json.is_object() || !json.contains("sequences") || !json["sequences"].is_array()) {
    throw_bad_field("sequences", where, "is missing, or no list");
  }
  if (json["sequences"].size() > kMostRules) throw_bad_field("sequences", where, "has too many rules");
  out.words_ = get_field_or<std::map<std::string, std::string>>(json, "words", where, {});
  for (const Json& rule : json["sequences"]) {
    const std::string at = fmt::format("{}, rule {}", where, out.rules_.size());
    Rule parsed{{}, get_field<std::string>(rule, "match", at), get_field<std::string>(rule, "emotion", at)};
    try {
      parsed.pattern = std::regex(parsed.match, std::regex::ECMAScript | std::regex::icase);
    } catch (const std::regex_error&) {
      throw_bad_field("match", at, "is no regular expression: " + parsed.match.substr(0, 60));
    }
    if (parsed.emotion.find('$') == std::string::npos) parse_emotion_vector(parsed.emotion);
    out.rules_.push_back(std::move(parsed));
  }
  return out;
}

SequenceNames SequenceNames::load(const std::filesystem::path& path) {
  return parse(read_json(path, 4u << 20), path.string());
}

SequenceNames SequenceNames::built_in() {
  return parse(Json::parse(kBuiltIn), "the built-in table of sequence names");
}

std::optional<EmotionVector> SequenceNames::find(const std::string& name) const {
  const std::string text = name.substr(0, kLongestName);
  for (const Rule& rule : rules_) {
    std::smatch found;
    if (!std::regex_search(text, found, rule.pattern)) continue;
    std::string emotion;
    for (std::size_t i = 0; i < rule.emotion.size(); ++i) {
      if (rule.emotion[i] != '$' || i + 1 == rule.emotion.size()) {
        emotion += rule.emotion[i];
        continue;
      }
      const auto group = static_cast<std::size_t>(rule.emotion[++i] - '0');
      const std::string word = group < found.size() ? lower(found[group].str()) : "";
      const auto known = words_.find(word);
      emotion += known == words_.end() ? word : known->second;
    }
    try {
      return parse_emotion_vector(emotion);
    } catch (const Error& error) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: rule \"{}\" makes \"{}\" of sequence {}: {}", where_, rule.match, emotion, name,
                              error.message()),
                  error.mend());
    }
  }
  return std::nullopt;
}

}  // namespace mien::import
