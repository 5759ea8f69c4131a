#include "speech/corpus/force_align.h"

#include <pocketsphinx.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr double kFrameSeconds = 0.01;  // PocketSphinx's frame rate

struct Segment {
  std::string word;
  double begin = 0;
  double end = 0;
};

const char* const kDigits[10] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
const char* const kTeens[10] = {"ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
const char* const kTens[10] = {"", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};

void spell_number(const std::string& digits, std::vector<std::string>& out) {
  const int value = digits.size() <= 2 ? std::stoi(digits) : -1;
  if (value >= 20) {
    out.emplace_back(kTens[value / 10]);
    if (value % 10 != 0) out.emplace_back(kDigits[value % 10]);
  } else if (value >= 10) {
    out.emplace_back(kTeens[value - 10]);
  } else {
    for (const char c : digits) out.emplace_back(kDigits[c - '0']);
  }
}

// The options that matter: no silence removal (it shifts all times), no lattice search, beams wide open.
ps_decoder_t* make_decoder(const fs::path& acoustic_model, const fs::path& dictionary, bool fillers) {
  cmd_ln_t* config =
      cmd_ln_init(nullptr, ps_args(), TRUE, "-hmm", acoustic_model.c_str(), "-dict", dictionary.c_str(),
                  "-remove_silence", "no", "-bestpath", "no", "-fsgusefiller", fillers ? "yes" : "no", "-beam",
                  "1e-100", "-wbeam", "1e-100", "-pbeam", "1e-100", "-logfn", "/dev/null", nullptr);
  ps_decoder_t* decoder = config != nullptr ? ps_init(config) : nullptr;
  if (config != nullptr) cmd_ln_free_r(config);
  if (decoder == nullptr) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: PocketSphinx could not load its model", acoustic_model.string()),
                "install pocketsphinx-en-us");
  }
  return decoder;
}

std::vector<Segment> decode(ps_decoder_t* decoder, std::span<const float> samples, const std::string& sequence) {
  const std::string grammar = "#JSGF V1.0;\ngrammar g;\npublic <s> = " + sequence + ";\n";
  if (ps_set_jsgf_string(decoder, "align", grammar.c_str()) < 0 || ps_set_search(decoder, "align") < 0) return {};
  std::vector<std::int16_t> pcm(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    pcm[i] = static_cast<std::int16_t>(std::lround(std::clamp(samples[i], -1.0f, 1.0f) * 32767.0f));
  }
  ps_start_utt(decoder);
  ps_process_raw(decoder, pcm.data(), pcm.size(), FALSE, TRUE);
  ps_end_utt(decoder);
  std::vector<Segment> segments;
  std::int32_t score = 0;
  if (ps_get_hyp(decoder, &score) == nullptr) return {};
  for (ps_seg_t* seg = ps_seg_iter(decoder); seg != nullptr; seg = ps_seg_next(seg)) {
    int first = 0;
    int last = 0;
    ps_seg_frames(seg, &first, &last);
    segments.push_back({ps_seg_word(seg), first * kFrameSeconds, (last + 1) * kFrameSeconds});
  }
  return segments;
}

bool is_pause(const std::string& word) {
  return word.empty() || word[0] == '<' || word[0] == '[' || word == "(NULL)";
}

}  // namespace

struct ForceAligner::Impl {
  std::unordered_map<std::string, std::string> pronunciations;  // "read(2)" -> "R EH D"
  fs::path phone_dictionary;
  ps_decoder_t* word_decoder = nullptr;
  ps_decoder_t* phone_decoder = nullptr;
  ~Impl() {
    if (word_decoder != nullptr) ps_free(word_decoder);
    if (phone_decoder != nullptr) ps_free(phone_decoder);
    std::error_code ignored;
    fs::remove(phone_dictionary, ignored);
  }
};

ForceAligner::ForceAligner(const fs::path& model_folder) : impl_(std::make_unique<Impl>()) {
  const fs::path dictionary = model_folder / "cmudict-en-us.dict";
  std::istringstream lines(read_text(dictionary));
  std::string line;
  while (std::getline(lines, line)) {
    const std::size_t space = line.find(' ');
    if (space != std::string::npos) impl_->pronunciations[line.substr(0, space)] = line.substr(space + 1);
  }
  impl_->phone_dictionary = fs::temp_directory_path() / fmt::format("mien_phones_{}.dict", ::getpid());
  std::ofstream phones(impl_->phone_dictionary);
  for (int p = 1; p < kPhoneCount; ++p) phones << kPhoneNames[p] << " " << kPhoneNames[p] << "\n";
  phones << "PAUSE SIL\n";
  phones.close();
  impl_->word_decoder = make_decoder(model_folder / "en-us", dictionary, true);
  impl_->phone_decoder = make_decoder(model_folder / "en-us", impl_->phone_dictionary, false);
}

ForceAligner::~ForceAligner() = default;

std::vector<std::string> ForceAligner::words(const std::string& text) const {
  std::vector<std::string> result;
  std::string word;
  const auto flush = [&] {
    while (!word.empty() && word.back() == '\'') word.pop_back();
    while (!word.empty() && word.front() == '\'') word.erase(0, 1);
    if (word.empty()) return;
    if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) {
      spell_number(word, result);
    } else {
      result.push_back(word);
    }
    word.clear();
  };
  for (const char c : text + " ") {
    const auto u = static_cast<unsigned char>(c);
    const bool digit = std::isdigit(u) != 0;
    const bool letter = std::isalpha(u) != 0 || c == '\'';
    if (!word.empty() && digit != (std::isdigit(static_cast<unsigned char>(word.back())) != 0)) flush();
    if (digit || letter) {
      word += static_cast<char>(std::tolower(u));
    } else {
      flush();
      if (c == '[' || c == '(' || c == '#' || c == '*' || u >= 128)
        return {};  // sounds, remarks and signs: not speech we know
    }
  }
  for (const std::string& w : result) {
    if (!impl_->pronunciations.contains(w)) return {};
  }
  return result;
}

PhoneTrack ForceAligner::align(std::span<const float> samples, const std::vector<std::string>& words) {
  std::string sequence;
  for (const std::string& word : words) sequence += word + " ";
  std::vector<std::string> phones;
  for (const Segment& segment : decode(impl_->word_decoder, samples, sequence)) {
    if (is_pause(segment.word)) {
      if (phones.empty() || phones.back() != "SIL") phones.emplace_back("SIL");
      continue;
    }
    const auto found = impl_->pronunciations.find(segment.word);
    if (found == impl_->pronunciations.end()) return {};
    std::istringstream split(found->second);
    for (std::string phone; split >> phone;) phones.push_back(phone);
  }
  return phones.empty() ? PhoneTrack{} : align_phones(samples, phones);
}

PhoneTrack ForceAligner::align_phones(std::span<const float> samples, const std::vector<std::string>& phones) {
  std::string sequence;
  for (const std::string& phone : phones) sequence += phone == "SIL" ? "[ PAUSE ] " : phone + " ";
  if (phones.front() != "SIL") sequence = "[ PAUSE ] " + sequence;
  if (phones.back() != "SIL") sequence += "[ PAUSE ] ";
  PhoneTrack track;
  for (const Segment& segment : decode(impl_->phone_decoder, samples, sequence)) {
    if (segment.word == "(NULL)") continue;
    const std::string name = segment.word.substr(0, segment.word.find('('));
    track.push_back({name == "PAUSE" || is_pause(segment.word) ? "SIL" : name, segment.begin, segment.end});
  }
  return track;
}

}  // namespace mien
