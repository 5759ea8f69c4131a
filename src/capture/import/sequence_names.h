// Emotions from the names of sequences, by a table.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "mien/base/json.h"
#include "mien/head/emotion.h"

namespace mien::import {

// Rules in order; the first whose pattern is found in a name gives its emotion. JSON: {"words": {"mild": "0.5"},
// "sequences": [{"match": "EMO-2", "emotion": "surprised:0.5,fear:0.5"}, {"match": "_(happy|sad)_(mild|strong)",
// "emotion": "$1:$2"}]}. Patterns are ECMAScript regular expressions, case ignored; $1 to $9 are their groups, in small
// letters, replaced by `words` where they stand there.
class SequenceNames {
 public:
  // Throws kBadFile naming `where` for a table that cannot be used.
  static SequenceNames parse(const Json& json, const std::string& where);
  static SequenceNames load(const std::filesystem::path& path);
  // NeRSemble's sequences, and any name that spells its emotion.
  static SequenceNames built_in();

  // Nothing when no rule fits. Throws kBadFile when a rule's outcome is no emotion.
  std::optional<EmotionVector> find(const std::string& name) const;

 private:
  struct Rule {
    std::regex pattern;
    std::string match, emotion;
  };
  std::string where_;
  std::vector<Rule> rules_;
  std::map<std::string, std::string> words_;
};

}  // namespace mien::import
