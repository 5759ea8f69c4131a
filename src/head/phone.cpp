#include "mien/head/phone.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/json.h"

namespace mien {

const char* const kVisemeNames[kVisemeCount] = {"sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS",
                                                "nn",  "RR", "aa", "E",  "ih", "oh", "ou"};
const char* const kPhoneNames[kPhoneCount] = {"SIL", "AA", "AE", "AH", "AO", "AW", "AY", "B",  "CH", "D",
                                              "DH",  "EH", "ER", "EY", "F",  "G",  "HH", "IH", "IY", "JH",
                                              "K",   "L",  "M",  "N",  "NG", "OW", "OY", "P",  "R",  "S",
                                              "SH",  "T",  "TH", "UH", "UW", "V",  "W",  "Y",  "Z",  "ZH"};

namespace {

constexpr Viseme kPhoneVisemes[kPhoneCount] = {
    Viseme::kSil, Viseme::kAa, Viseme::kE,  Viseme::kAa, Viseme::kOh, Viseme::kAa, Viseme::kAa, Viseme::kPP,
    Viseme::kCH,  Viseme::kDD, Viseme::kTH, Viseme::kE,  Viseme::kRR, Viseme::kE,  Viseme::kFF, Viseme::kKk,
    Viseme::kIh,  Viseme::kIh, Viseme::kIh, Viseme::kCH, Viseme::kKk, Viseme::kNn, Viseme::kPP, Viseme::kNn,
    Viseme::kKk,  Viseme::kOh, Viseme::kOh, Viseme::kPP, Viseme::kRR, Viseme::kSS, Viseme::kCH, Viseme::kDD,
    Viseme::kTH,  Viseme::kOu, Viseme::kOu, Viseme::kFF, Viseme::kOu, Viseme::kIh, Viseme::kSS, Viseme::kCH};

constexpr int kMaxDepth = 8;  // nesting of utterance, word, phone; deeper files are not alignments

Phone make_phone(const std::string& name, double begin, double end, const std::string& where) {
  if (!std::isfinite(begin) || !std::isfinite(end) || begin < 0 || end < begin) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: phone {} from {} to {} s", where, name, begin, end),
                "times must be finite, not negative, and end after they begin");
  }
  return {kPhoneNames[phone_index(name)], begin, end};
}

void read_nested(const Json& node, const std::string& where, int depth, PhoneTrack& out) {
  if (depth > kMaxDepth)
    throw Error(ErrorCode::kBadFile, fmt::format("{}: nested deeper than words and phones", where));
  if (node.contains("w") && node["w"].is_array() && !node["w"].empty()) {
    for (const Json& child : node["w"]) read_nested(child, where, depth + 1, out);
    return;
  }
  const auto begin = get_field<double>(node, "b", where);
  out.push_back(
      make_phone(get_field<std::string>(node, "t", where), begin, begin + get_field<double>(node, "d", where), where));
}

}  // namespace

int phone_index(const std::string& name) {
  std::string plain = name;
  while (!plain.empty() && plain.back() >= '0' && plain.back() <= '2') plain.pop_back();
  std::transform(plain.begin(), plain.end(), plain.begin(), [](unsigned char c) { return std::toupper(c); });
  for (int i = 1; i < kPhoneCount; ++i) {
    if (plain == kPhoneNames[i]) return i;
  }
  return 0;
}

Viseme phone_viseme(int phone) {
  return phone >= 0 && phone < kPhoneCount ? kPhoneVisemes[phone] : Viseme::kSil;
}

PhoneTrack read_phones(const std::filesystem::path& path) {
  const Json json = read_json(path);
  const std::string where = path.string();
  PhoneTrack phones;
  if (json.is_object()) {
    read_nested(json, where, 0, phones);
  } else if (json.is_array()) {
    for (std::size_t i = 0; i < json.size(); ++i) {
      const std::string entry = fmt::format("{}: entry {}", where, i);
      phones.push_back(make_phone(get_field<std::string>(json[i], "phone", entry),
                                  get_field<double>(json[i], "begin", entry), get_field<double>(json[i], "end", entry),
                                  entry));
    }
  } else {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: neither an object nor a list", where),
                "see docs for the phone format");
  }
  std::stable_sort(phones.begin(), phones.end(), [](const Phone& a, const Phone& b) { return a.begin < b.begin; });
  // Aligners round to a grid of frames, so neighbours may overlap by a hair; more than that is a broken file.
  constexpr double kSlack = 0.02;
  for (std::size_t i = 1; i < phones.size(); ++i) {
    if (phones[i].begin < phones[i - 1].end - kSlack) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: phone {} at {:.3f} s begins before {} ends at {:.3f} s", where, phones[i].name,
                              phones[i].begin, phones[i - 1].name, phones[i - 1].end),
                  "phones may not overlap");
    }
    phones[i - 1].end = std::min(phones[i - 1].end, phones[i].begin);
  }
  return phones;
}

void write_phones(const std::filesystem::path& path, const PhoneTrack& phones) {
  Json json = Json::array();
  for (const Phone& phone : phones) json.push_back({{"phone", phone.name}, {"begin", phone.begin}, {"end", phone.end}});
  write_json(path, json);
}

}  // namespace mien
