#include "actor/performance/phone_targets.h"

#include <algorithm>
#include <string_view>

namespace mien {
namespace {

// One line a shape. Lip apertures follow the usual order of English vowels (open AA AE AO, mid EH AH, close IY UW) with
// sizes of lively, clear speech; strengths follow Cohen and Massaro: labials and sibilants rule the aperture, rounded
// sounds the rounding, and alveolars and velars take the lips of their neighbours.
struct Row {
  const char* name;
  //    gap jaw  pucker funnel stretch smile upper lower roll press forward out  up
  MouthPose pose;
  std::array<float, kGroupCount> strength;  // aperture, rounding, tongue
};

constexpr Row kRows[] = {
    {"SIL", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {1.0f, 0.6f, 0.6f}},
    {"AA", {13, 10.83f, 0, 0.05f, 0.02f, 0, 0.26f, 0.04f, 0, 0, 0, 0, 0}, {1.1f, 0.7f, 0.8f}},
    {"AE", {12, 7.64f, 0, 0, 0.18f, 0.14f, 0.38f, 0.07f, 0, 0, 0, 0, 0}, {1.1f, 0.9f, 0.8f}},
    {"AH", {8.5f, 6.33f, 0, 0.03f, 0.02f, 0, 0.24f, 0.02f, 0, 0, 0, 0, 0}, {0.8f, 0.5f, 0.6f}},
    {"AO", {11.5f, 10.02f, 0.10f, 0.42f, 0, 0, 0.17f, 0.02f, 0, 0, 0.05f, 0, 0}, {1.1f, 1.2f, 0.8f}},
    {"EH", {9.5f, 6.14f, 0, 0, 0.16f, 0.10f, 0.34f, 0.05f, 0, 0, 0, 0, 0}, {0.9f, 0.8f, 0.7f}},
    {"ER", {6, 4.52f, 0.12f, 0.26f, 0, 0, 0.17f, 0.03f, 0, 0, 0.05f, 0, 0.2f}, {0.8f, 0.9f, 0.8f}},
    {"IH", {7, 3.94f, 0, 0, 0.14f, 0.08f, 0.32f, 0.05f, 0, 0, 0, 0, 0.1f}, {0.8f, 0.7f, 0.7f}},
    {"IY", {5.5f, 2.14f, 0, 0, 0.26f, 0.22f, 0.33f, 0.06f, 0, 0, 0, 0, 0.2f}, {0.9f, 1.2f, 0.8f}},
    {"UH", {6, 4.62f, 0.22f, 0.30f, 0, 0, 0.15f, 0.01f, 0, 0, 0.05f, 0, 0}, {0.8f, 1.1f, 0.7f}},
    {"UW", {3.8f, 3.6f, 0.62f, 0.22f, 0, 0, 0, 0, 0, 0, 0.08f, 0, 0}, {1.0f, 1.8f, 0.7f}},
    {"O", {9, 7.62f, 0.22f, 0.46f, 0, 0, 0.15f, 0.01f, 0, 0, 0.05f, 0, 0}, {1.0f, 1.5f, 0.7f}},  // onset of OW
    {"W", {2.6f, 3, 0.74f, 0.10f, 0, 0, 0, 0, 0, 0, 0.08f, 0, 0}, {1.2f, 2.0f, 0.5f}},
    {"Y", {5, 2.34f, 0, 0, 0.18f, 0.12f, 0.3f, 0.04f, 0, 0, 0, 0, 0.2f}, {0.6f, 0.6f, 0.8f}},
    {"R", {4.8f, 3.32f, 0.22f, 0.30f, 0, 0, 0.17f, 0.03f, 0, 0, 0.05f, 0, 0.3f}, {0.9f, 1.1f, 0.8f}},
    {"L", {6.5f, 3.74f, 0, 0, 0.04f, 0.02f, 0.3f, 0.05f, 0, 0, 0, 0, 0.9f}, {0.6f, 0.3f, 1.4f}},
    {"T", {4.6f, 1.74f, 0, 0, 0.06f, 0.02f, 0.31f, 0.05f, 0, 0, 0, 0, 1.0f}, {0.7f, 0.3f, 1.4f}},
    {"N", {4.8f, 2.14f, 0, 0, 0.05f, 0.02f, 0.29f, 0.05f, 0, 0, 0, 0, 1.0f}, {0.6f, 0.3f, 1.4f}},
    {"S", {3.8f, 1, 0, 0, 0.20f, 0.08f, 0.39f, 0.1f, 0, 0, 0.06f, 0, 0.6f}, {1.2f, 0.6f, 1.1f}},
    {"SH", {5.5f, 1.42f, 0.16f, 0.50f, 0, 0, 0.32f, 0.07f, 0, 0, 0.12f, 0, 0.5f}, {1.2f, 1.4f, 1.0f}},
    {"TH", {5, 2.54f, 0, 0, 0.05f, 0, 0.32f, 0.05f, 0, 0, 0, 0.30f, 0.2f}, {0.9f, 0.4f, 1.8f}},
    {"K", {6, 3.54f, 0, 0, 0.04f, 0, 0.3f, 0.04f, 0, 0, 0, 0, 0}, {0.5f, 0.25f, 0.8f}},
    {"HH", {7, 4.14f, 0, 0, 0.02f, 0, 0.28f, 0.02f, 0, 0, 0, 0, 0}, {0.25f, 0.1f, 0.3f}},
    {"F", {3, 1.6f, 0, 0, 0.06f, 0.03f, 0.14f, 0, 0.35f, 0, 0, 0, 0}, {1.4f, 0.5f, 0.6f}},
    {"P", {0, 2.2f, 0, 0, 0.02f, 0, 0, 0, 0, 0.22f, 0, 0, 0}, {1.6f, 0.3f, 0.4f}},
};

const PhoneTarget& target_of(std::string_view name) {
  static const std::vector<PhoneTarget> targets = [] {
    std::vector<PhoneTarget> all;
    for (const Row& row : kRows) all.push_back({row.pose, row.strength});
    return all;
  }();
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    if (name == kRows[i].name) return targets[i];
  }
  return targets[0];
}

// Phones that look alike, and diphthongs as the two shapes they pass through.
struct Spelling {
  const char* phone;
  const char* first;
  const char* second = nullptr;
  double share = 1;  // of the first
};
constexpr Spelling kSpellings[] = {{"AW", "AA", "UW", 0.60},
                                   {"AY", "AA", "IY", 0.60},
                                   {"EY", "EH", "IY", 0.55},
                                   {"OW", "O", "UW", 0.55},
                                   {"OY", "AO", "IY", 0.60},
                                   {"B", "P"},
                                   {"M", "P"},
                                   {"V", "F"},
                                   {"D", "T"},
                                   {"Z", "S"},
                                   {"ZH", "SH"},
                                   {"CH", "SH"},
                                   {"JH", "SH"},
                                   {"DH", "TH"},
                                   {"G", "K"},
                                   {"NG", "K"}};

Contact contact_of(std::string_view phone) {
  if (phone == "SIL") return Contact::kRest;
  if (phone == "P" || phone == "B" || phone == "M") return Contact::kLips;
  if (phone == "F" || phone == "V") return Contact::kLipTeeth;
  return Contact::kNone;
}

// What a clearly spoken open vowel reaches even when it is short.
float least_gap_of(std::string_view phone) {
  if (phone == "AA" || phone == "AY" || phone == "AW") return 8.5f;
  if (phone == "AE" || phone == "AO") return 8.0f;
  if (phone == "OY") return 7.0f;
  if (phone == "EH" || phone == "EY") return 5.0f;
  return 0;
}

void append(std::string_view phone, double begin, double end, std::vector<Gesture>& out) {
  const Contact contact = contact_of(phone);
  for (const Spelling& spelling : kSpellings) {
    if (phone != spelling.phone) continue;
    const double middle = spelling.second == nullptr ? end : begin + spelling.share * (end - begin);
    out.push_back({begin, middle, target_of(spelling.first), contact, least_gap_of(phone)});
    if (spelling.second != nullptr) out.push_back({middle, end, target_of(spelling.second), contact, 0});
    return;
  }
  out.push_back({begin, end, target_of(phone), contact, least_gap_of(phone)});
}

}  // namespace

Group articulator_group(int articulator) {
  switch (articulator) {
    case kPucker:
    case kFunnel:
    case kStretch:
    case kSmile:
    case kJawAhead:
      return kRounding;
    case kTipOut:
    case kTipUp:
      return kTongue;
    default:
      return kAperture;
  }
}

std::vector<Gesture> gestures_of(const PhoneTrack& phones, double seconds) {
  constexpr double kOutside = 1.0;  // seconds of rest before the first and after the last moment
  std::vector<Gesture> gestures;
  const auto rest = [&](double begin, double end) {
    if (!gestures.empty() && gestures.back().contact == Contact::kRest) {
      gestures.back().end = end;
    } else {
      append("SIL", begin, end, gestures);
    }
  };
  rest(-kOutside, 0);
  double now = 0;
  for (const Phone& phone : phones) {
    if (phone.end <= phone.begin) continue;
    if (phone.begin > now + 1e-6) rest(now, phone.begin);
    const int index = phone_index(phone.name);
    if (index == 0) {
      rest(phone.begin, phone.end);
    } else {
      append(kPhoneNames[index], phone.begin, phone.end, gestures);
    }
    now = std::max(now, phone.end);
  }
  rest(now, std::max(now, seconds) + kOutside);
  return gestures;
}

}  // namespace mien
