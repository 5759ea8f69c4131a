#include "motion_source.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "mien/actor/mouth_contacts.h"
#include "mien/actor/performance.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/motion/speech_driver.h"

namespace mien::app {
namespace {

std::shared_ptr<const SpeechModel> speech_model(const MotionSource& source) {
  const std::filesystem::path path =
      source.speech.empty() ? find_model("speech.safetensors") : std::filesystem::path(source.speech);
  static std::map<std::string, std::shared_ptr<const SpeechModel>> loaded;  // one sentence after the other asks
  auto& model = loaded[path.string()];
  if (!model) model = SpeechModel::load(path);
  return model;
}

template <typename Frame>
void drive(const MotionSource& source, const Audio& audio, const EmotionTrack& emotion, double fps,
           const Frame& frame) {
  SpeechDriver driver(speech_model(source), {.fps = fps});
  driver.set_emotion(emotion);
  SpeechFrame out;
  constexpr std::size_t kBlock = 4000;  // a quarter of a second, as a live stream would come
  for (std::size_t i = 0; i < audio.samples.size(); i += kBlock) {
    driver.push({audio.samples.data() + i, std::min(kBlock, audio.samples.size() - i)});
    while (driver.pull(out)) frame(out, driver.expression_names());
  }
  driver.finish();
  while (driver.pull(out)) frame(out, driver.expression_names());
}

}  // namespace

void add_motion_options(CLI::App& command, MotionSource& source) {
  command.add_option("--motion", source.motion, "\"network\": from the sound; \"truth\": the actor on the phones")
      ->check(CLI::IsMember({"network", "truth"}))
      ->capture_default_str();
  command.add_option("--head,--model", source.head, "Head file (default: the built head)");
  command.add_option("--avatar", source.avatar, "Avatar whose head is measured instead");
  command.add_option("--speech", source.speech, "Speech networks (default: the shipped ones)");
  command.add_option("--fps", source.fps, "Frames a second of the motion")
      ->check(CLI::Range(1.0, 120.0))
      ->capture_default_str();
}

HeadModel load_head(const MotionSource& source) {
  if (!source.avatar.empty()) return Avatar::load(find_avatar(source.avatar)).head();
  return HeadModel::load(source.head.empty() ? find_head_asset() : std::filesystem::path(source.head));
}

HeadMotion make_motion(const MotionSource& source, const HeadModel& head, const Audio& audio, const PhoneTrack& phones,
                       const EmotionTrack& emotion) {
  if (source.motion == "truth") {
    PerformanceOptions options;
    options.fps = source.fps;
    options.idle_on = false;
    return perform(phones, audio.seconds(), emotion, head, options);
  }
  const int moved_vertices = speech_model(source)->settings().vertices;
  if (moved_vertices != 0 && moved_vertices != head.vertex_count()) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("the speech networks move a head of {} vertices, this one has {}", moved_vertices,
                            head.vertex_count()),
                "measure the head that they were trained on");
  }
  HeadMotion motion;
  motion.head_model = head.id;
  motion.expression_names = head.expression_names;
  motion.fps = source.fps;
  MouthContacts contacts(head);
  drive(source, audio, emotion, source.fps, [&](const SpeechFrame& frame, const std::vector<std::string>& names) {
    // By name: a network may know fewer expressions than this head, or more.
    MotionFrame moved = frame.motion;
    moved.expression.assign(head.expression_names.size(), 0.0f);
    for (std::size_t e = 0; e < names.size() && e < frame.motion.expression.size(); ++e) {
      const auto found = std::find(head.expression_names.begin(), head.expression_names.end(), names[e]);
      if (found != head.expression_names.end()) {
        moved.expression[found - head.expression_names.begin()] = frame.motion.expression[e];
      }
    }
    contacts.apply(frame.phones, 1 / source.fps, 1.0f, moved.expression);  // as the session does
    motion.frames.push_back(std::move(moved));
  });
  return motion;
}

std::vector<Viseme> make_visemes(const MotionSource& source, const Audio& audio, const PhoneTrack& phones) {
  std::vector<Viseme> visemes;
  if (source.motion == "truth") {
    const auto count = static_cast<std::size_t>(audio.seconds() * kVisemeRate);
    visemes.assign(count, Viseme::kSil);
    for (const Phone& phone : phones) {
      const auto last = std::min(count, static_cast<std::size_t>(phone.end * kVisemeRate + 0.5));
      for (auto i = static_cast<std::size_t>(phone.begin * kVisemeRate + 0.5); i < last; ++i) {
        visemes[i] = phone_viseme(phone_index(phone.name));
      }
    }
    return visemes;
  }
  drive(source, audio, {}, kVisemeRate, [&](const SpeechFrame& frame, const std::vector<std::string>&) {
    std::array<float, kVisemeCount> votes{};
    for (int p = 0; p < kPhoneCount; ++p) votes[static_cast<int>(phone_viseme(p))] += frame.phones[p];
    visemes.push_back(static_cast<Viseme>(std::max_element(votes.begin(), votes.end()) - votes.begin()));
  });
  return visemes;
}

std::vector<std::string> phone_files(const std::vector<std::string>& audio, const std::vector<std::string>& given) {
  if (!given.empty() && given.size() != audio.size()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{} sound files, {} phone files", audio.size(), given.size()),
                "give one phone file for each sound file, in the same order");
  }
  if (!given.empty()) return given;
  std::vector<std::string> files;
  for (const std::string& file : audio) {
    files.push_back(std::filesystem::path(file).replace_extension(".phone.json").string());
  }
  return files;
}

}  // namespace mien::app
