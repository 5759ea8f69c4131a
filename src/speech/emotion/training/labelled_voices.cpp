#include "speech/emotion/training/labelled_voices.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>
#include <variant>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/interrupt.h"
#include "mien/base/log.h"
#include "mien/base/parallel.h"
#include "mien/media/audio.h"
#include "mien/speech/emotion_features.h"
#include "mien/speech/speech_classifier.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr double kShortest = 0.3;  // seconds
constexpr float kSpeech = 0.2f;    // clarity of a frame in which somebody may speak
constexpr int kMostWarnings = 5;

std::string known_emotions() {
  return fmt::format("the eight are {}", fmt::join(kEmotionNames, ", "));
}

std::optional<float> parse_number(const std::string& text) {
  float value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return {};
  return value >= 0 && value <= 1 ? std::optional(value) : std::nullopt;
}

// "happy", "happy-mild", "sad-0.7".
std::optional<std::pair<Emotion, float>> parse_folder_name(const std::string& name) {
  if (const auto whole = emotion_of_label(name)) return std::pair(*whole, 1.0f);
  const std::size_t dash = name.find_last_of("-_");
  if (dash == std::string::npos) return {};
  const auto emotion = emotion_of_label(name.substr(0, dash));
  const std::string word = name.substr(dash + 1);
  if (!emotion) return {};
  if (word == "mild") return std::pair(*emotion, 0.5f);
  if (word == "strong") return std::pair(*emotion, 1.0f);
  if (const auto number = parse_number(word)) return std::pair(*emotion, *number);
  return {};
}

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with(".");
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!is_hidden(entry.path())) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<LabelledVoice> list_folders(const fs::path& data) {
  std::vector<LabelledVoice> out;
  std::vector<std::string> unknown;
  for (const fs::path& folder : sorted_entries(data)) {
    if (!fs::is_directory(folder)) continue;
    const auto label = parse_folder_name(folder.filename().string());
    if (!label) {
      unknown.push_back(folder.filename().string());
      continue;
    }
    for (const fs::path& inside : sorted_entries(folder)) {
      if (fs::is_regular_file(inside)) out.push_back({inside, label->first, label->second, ""});
      if (!fs::is_directory(inside)) continue;
      for (const fs::path& file : sorted_entries(inside)) {
        if (fs::is_regular_file(file)) out.push_back({file, label->first, label->second, inside.filename().string()});
      }
    }
  }
  if (!unknown.empty()) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: no emotion is called {}", data.string(), fmt::join(unknown, ", ")),
                known_emotions() + "; move or rename these folders");
  }
  if (out.empty()) {
    throw Error(ErrorCode::kBadFile, data.string() + ": holds neither folders of emotions with sounds nor labels.csv",
                "lay the sounds out as EMOTION/FILE or EMOTION/SPEAKER/FILE (" + known_emotions() +
                    "), or list them in labels.csv");
  }
  return out;
}

// Commas, and quotes around fields that hold commas or (doubled) quotes: RFC 4180, lines without line breaks in them.
std::vector<std::string> split_csv(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += c;
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  for (std::string& field : fields) {
    while (!field.empty() && field.back() == ' ') field.pop_back();
    while (!field.empty() && field.front() == ' ') field.erase(0, 1);
  }
  return fields;
}

std::vector<LabelledVoice> list_csv(const fs::path& path) {
  std::string text = read_text(path);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // a byte order mark
  std::istringstream lines(text);
  std::string line;
  std::map<std::string, std::size_t> columns;
  std::getline(lines, line);
  const std::vector<std::string> names = split_csv(line);
  for (std::size_t i = 0; i < names.size(); ++i) columns[names[i]] = i;
  if (!columns.contains("file") || !columns.contains("emotion")) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: its first line is \"{}\"", path.string(), line.substr(0, 80)),
                "name the columns there: file,emotion and, if wanted, intensity and speaker");
  }
  std::vector<LabelledVoice> out;
  for (int number = 2; std::getline(lines, line); ++number) {
    const std::vector<std::string> fields = split_csv(line);
    if (fields.size() == 1 && fields[0].empty()) continue;
    const auto bad = [&](const std::string& what, const std::string& mend) {
      return Error(ErrorCode::kBadFile, fmt::format("{}: line {}: {}", path.string(), number, what), mend);
    };
    if (fields.size() != names.size())
      throw bad(fmt::format("{} fields, {} columns", fields.size(), names.size()), "write one field a column");
    LabelledVoice voice;
    voice.file = path.parent_path() / fields[columns["file"]];
    const std::string& word = fields[columns["emotion"]];
    const auto emotion = emotion_of_label(word);
    if (!emotion) throw bad(fmt::format("no emotion is called \"{}\"", word.substr(0, 40)), known_emotions());
    voice.emotion = *emotion;
    if (columns.contains("intensity") && !fields[columns["intensity"]].empty()) {
      const auto number_given = parse_number(fields[columns["intensity"]]);
      if (!number_given)
        throw bad(fmt::format("intensity \"{}\"", fields[columns["intensity"]].substr(0, 40)), "give 0 to 1");
      voice.intensity = *number_given;
    }
    if (columns.contains("speaker")) voice.speaker = fields[columns["speaker"]];
    out.push_back(std::move(voice));
  }
  if (out.empty()) throw Error(ErrorCode::kBadFile, path.string() + ": lists no sounds", "add a line for each");
  return out;
}

// The features of a file, or why there are none.
std::variant<at::Tensor, std::string> read_features(const fs::path& file) {
  Audio audio;
  try {
    audio = read_audio(file);
  } catch (const Error& error) {
    return error.message();
  } catch (const std::exception& error) {  // nothing may leave a parallel loop
    return fmt::format("{}: {}", file.string(), error.what());
  }
  if (audio.seconds() < kShortest)
    return fmt::format("{}: {:.2f} s long, at least {} are wanted", file.string(), audio.seconds(), kShortest);
  EmotionFeatureStream stream;
  std::vector<EmotionFrame> frames;
  stream.push(audio.samples, frames);
  const auto speaks = [](const EmotionFrame& f) { return f[kEmotionClarity] > kSpeech; };
  if (std::none_of(frames.begin(), frames.end(), speaks)) return file.string() + ": holds no voice";
  return at::from_blob(frames.data(), {static_cast<std::int64_t>(frames.size()), kEmotionFeatures}, at::kFloat)
      .to(at::kHalf);
}

}  // namespace

std::vector<LabelledVoice> list_labelled_voices(const fs::path& data) {
  if (fs::is_regular_file(data)) return list_csv(data);
  if (!fs::is_directory(data)) {
    throw Error(ErrorCode::kNotFound, data.string() + ": there is no such folder or CSV file",
                "give the folder of your labelled recordings");
  }
  return fs::exists(data / "labels.csv") ? list_csv(data / "labels.csv") : list_folders(data);
}

VoiceClips read_voice_clips(const std::vector<LabelledVoice>& voices, const ProgressCallback& progress) {
  std::vector<std::variant<at::Tensor, std::string>> read(voices.size());
  constexpr std::size_t kBlock = 64;  // between looks at the clock and at Ctrl-C
  for (std::size_t at = 0; at < voices.size(); at += kBlock) {
    const std::size_t end = std::min(voices.size(), at + kBlock);
    parallel_for(static_cast<std::int64_t>(end - at), 1, [&](std::int64_t i) {
      read[at + static_cast<std::size_t>(i)] = read_features(voices[at + static_cast<std::size_t>(i)].file);
    });
    throw_if_interrupted();
    if (progress) progress(static_cast<std::int64_t>(end), static_cast<std::int64_t>(voices.size()), "reading sounds");
  }
  VoiceClips out;
  std::string first;
  for (std::size_t i = 0; i < voices.size(); ++i) {
    if (const auto* why = std::get_if<std::string>(&read[i])) {
      if (first.empty()) first = *why;
      if (++out.skipped <= kMostWarnings) spdlog::warn("skipped: {}", *why);
      continue;
    }
    const at::Tensor& features = std::get<at::Tensor>(read[i]);
    out.minutes += static_cast<double>(features.size(0)) / 6000;
    out.clips.push_back({voices[i], features});
  }
  if (out.skipped > kMostWarnings) spdlog::warn("skipped: {} files in all", out.skipped);
  if (2 * static_cast<std::size_t>(out.skipped) > voices.size()) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{} of {} files are of no use, the first: {}", out.skipped, voices.size(), first),
                "give recordings of speech that can be read");
  }
  return out;
}

}  // namespace mien
