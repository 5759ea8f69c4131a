// Phones with times: what was said when. ARPAbet without stress marks, "SIL" for silence.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mien {

struct Phone {
  std::string name;  // "AA" .. "ZH", "SIL"
  double begin = 0;  // seconds
  double end = 0;
};
using PhoneTrack = std::vector<Phone>;  // ascending, not overlapping; gaps are silence

// Reads {"w":[{"w":[{"b","d","t"}...]}...]} (words of phones, b and d in seconds), or a plain
// [{"phone","begin","end"}].
PhoneTrack read_phones(const std::filesystem::path& path);
void write_phones(const std::filesystem::path& path, const PhoneTrack& phones);

// The 15 Oculus visemes and the phone classes they come from.
enum class Viseme { kSil, kPP, kFF, kTH, kDD, kKk, kCH, kSS, kNn, kRR, kAa, kE, kIh, kOh, kOu };
constexpr int kVisemeCount = 15;
extern const char* const kVisemeNames[kVisemeCount];  // "sil", "PP", "FF", ...
constexpr int kPhoneCount = 40;
extern const char* const kPhoneNames[kPhoneCount];  // "SIL" first, then the 39 of CMUdict in alphabetical order
int phone_index(const std::string& name);           // stress marks ignored; unknown and pauses give 0 (SIL)
Viseme phone_viseme(int phone);                     // HH and Y take the class of what is neutral: kIh

}  // namespace mien
