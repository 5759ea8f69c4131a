#include "speech/training/speech_pack.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/head/phone.h"

namespace mien {
namespace {

constexpr const char* kFormat = "mien-speech-pack-1";
constexpr const char* kFormatWithPersons = "mien-speech-pack-2";  // or with weights that nobody recorded

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> names;
  for (std::string name; in >> name;) names.push_back(name);
  return names;
}

}  // namespace

std::uint8_t quantize_mel(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::lround((value - kMelFloor) * 10.0f), 0l, 255l));
}

void SpeechPack::save(const std::filesystem::path& path) const {
  const int count = expression_count();
  const std::int64_t rows = count == 0 ? 0 : static_cast<std::int64_t>(motion.size()) / count;
  std::vector<std::int32_t> active;
  for (int e = 0; e < count; ++e) {
    for (std::int64_t r = 0; r < rows; ++r) {
      if (motion[r * count + e] != 0) {
        active.push_back(e);
        break;
      }
    }
  }
  std::vector<std::uint8_t> columns;
  columns.reserve(rows * active.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (const std::int32_t e : active) columns.push_back(motion[r * count + e]);
  }
  std::vector<std::int32_t> clip_rows;
  std::vector<std::int32_t> render_rows;
  std::vector<float> emotions;
  for (const SpeechClip& clip : clips) {
    for (const int r : clip.renders) {
      render_rows.push_back(static_cast<std::int32_t>(renders[r].first_frame));
      emotions.insert(emotions.end(), renders[r].begin.begin(), renders[r].begin.end());
      emotions.insert(emotions.end(), renders[r].end.begin(), renders[r].end.end());
    }
    clip_rows.insert(clip_rows.end(),
                     {clip.speaker, static_cast<std::int32_t>(clip.first_mel),
                      static_cast<std::int32_t>(clip.mel_count), static_cast<std::int32_t>(clip.renders.size())});
  }
  SafetensorsWriter out;
  const bool with_persons = !persons.empty() || !channel_sets.empty();
  out.metadata("format", with_persons ? kFormatWithPersons : kFormat);
  if (with_persons) {
    std::vector<std::int32_t> channels;
    for (const SpeechClip& clip : clips) {
      for (const int r : clip.renders) channels.push_back(renders[r].channels);
    }
    out.metadata("persons", join(persons));
    out.add("speaker_person", {static_cast<std::int64_t>(speaker_person.size())},
            std::vector<std::int32_t>(speaker_person.begin(), speaker_person.end()));
    out.add("channel_sets", channel_sets);
    out.add("render_channels", {static_cast<std::int64_t>(channels.size())}, channels);
  }
  out.metadata("speakers", join(speakers));
  out.metadata("head_model", head_model);
  out.metadata("expression_names", join(expression_names));
  out.add("mel", mel);
  out.add("labels", labels);
  out.add("clips", {static_cast<std::int64_t>(clips.size()), 4}, clip_rows);
  out.add("active", {static_cast<std::int64_t>(active.size())}, active);
  out.add("motion", columns);
  out.add("renders", {static_cast<std::int64_t>(render_rows.size())}, render_rows);
  out.add("render_emotions", {static_cast<std::int64_t>(render_rows.size()), 2 * kEmotionCount}, emotions);
  // A pack without performances has no lips.
  out.add("lip_basis", {lips.vertices == 0 ? 0 : count, lips.vertices, 3}, lips.basis);
  out.add("lip_count", {1}, std::vector<std::int32_t>{lips.lip_vertices});
  out.add("gap_rest", {lips.gaps}, lips.gap_rest);
  out.add("gap_basis", {lips.gaps == 0 ? 0 : count, lips.gaps}, lips.gap_basis);
  out.add("bite_rest", {lips.bites, 3}, lips.bite_rest);
  out.add("bite_basis", {lips.bites == 0 ? 0 : count, lips.bites, 3}, lips.bite_basis);
  out.write(path);
}

SpeechPack SpeechPack::load(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const auto bad = [&](const std::string& why) {
    return Error(ErrorCode::kBadFile, fmt::format("{}: {}", path.string(), why), "build the pack again");
  };
  const auto meta = [&](const char* key) {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) throw bad(fmt::format("no \"{}\" in the metadata", key));
    return found->second;
  };
  const bool with_persons = meta("format") == kFormatWithPersons;
  if (meta("format") != kFormat && !with_persons) throw bad("not a speech pack of this version");
  SpeechPack pack;
  pack.speakers = split(meta("speakers"));
  pack.head_model = meta("head_model");
  pack.expression_names = split(meta("expression_names"));
  pack.mel = file.bytes("mel");
  pack.labels = file.bytes("labels");
  const int count = pack.expression_count();
  if (count == 0) throw bad("no expression names");
  const auto frames = static_cast<std::int64_t>(pack.mel.size()) / kMelBands;
  if (pack.mel.size() % kMelBands != 0 || frames != 2 * static_cast<std::int64_t>(pack.labels.size())) {
    throw bad(fmt::format("{} mel bytes and {} labels do not fit together", pack.mel.size(), pack.labels.size()));
  }
  for (const std::uint8_t label : pack.labels) {
    if (label >= kPhoneCount && label != kUnknownPhone) throw bad(fmt::format("label {} is no phone", label));
  }
  const std::vector<std::int32_t> active = file.ints("active", {-1});
  for (const std::int32_t e : active) {
    if (e < 0 || e >= count) throw bad(fmt::format("expression {} of {}", e, count));
  }
  const std::vector<std::uint8_t> columns = file.bytes("motion");
  const std::int64_t rows = active.empty() ? 0 : static_cast<std::int64_t>(columns.size() / active.size());
  pack.motion.assign(rows * count, 0);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::size_t a = 0; a < active.size(); ++a) pack.motion[r * count + active[a]] = columns[r * active.size() + a];
  }
  const std::vector<std::int32_t> render_rows = file.ints("renders", {-1});
  const std::vector<float> emotions =
      file.floats("render_emotions", {static_cast<std::int64_t>(render_rows.size()), 2 * kEmotionCount});
  std::vector<std::int32_t> channels(render_rows.size(), -1);
  if (with_persons) {
    pack.persons = split(meta("persons"));
    const std::vector<std::int32_t> person = file.ints("speaker_person", {-1});
    pack.speaker_person.assign(person.begin(), person.end());
    pack.channel_sets = file.bytes("channel_sets");
    channels = file.ints("render_channels", {static_cast<std::int64_t>(render_rows.size())});
    if (pack.channel_sets.size() % count != 0) throw bad("channel sets of another size");
    if (pack.speaker_person.size() != (pack.persons.empty() ? 0 : pack.speakers.size())) {
      throw bad(fmt::format("{} speakers, persons of {}", pack.speakers.size(), pack.speaker_person.size()));
    }
    for (const int p : pack.speaker_person) {
      if (p < 0 || p >= static_cast<int>(pack.persons.size())) throw bad(fmt::format("person {} is out of range", p));
    }
    for (const std::int32_t c : channels) {
      if (c < -1 || c >= static_cast<std::int64_t>(pack.channel_sets.size()) / count) {
        throw bad(fmt::format("channel set {} is out of range", c));
      }
    }
  }
  const std::vector<std::int32_t> clip_rows = file.ints("clips", {-1, 4});
  for (std::size_t c = 0; c < clip_rows.size(); c += 4) {
    SpeechClip clip{clip_rows[c], clip_rows[c + 1], clip_rows[c + 2], {}};
    const int own_renders = clip_rows[c + 3];
    if (clip.speaker < 0 || clip.speaker >= static_cast<int>(pack.speakers.size()) || clip.first_mel < 0 ||
        clip.first_mel % 2 != 0 || clip.mel_count <= 0 || clip.mel_count % 10 != 0 ||
        clip.first_mel + clip.mel_count > frames || own_renders < 0 ||
        pack.renders.size() + own_renders > render_rows.size()) {
      throw bad(fmt::format("clip {} is out of range", c / 4));
    }
    for (int r = 0; r < own_renders; ++r) {
      const std::size_t index = pack.renders.size();
      SpeechRender render;
      render.first_frame = render_rows[index];
      render.channels = channels[index];
      if (render.first_frame < 0 || render.first_frame + clip.mel_count * 3 / 10 > rows) {
        throw bad(fmt::format("motion {} is out of range", index));
      }
      const float* e = emotions.data() + index * 2 * kEmotionCount;
      std::copy(e, e + kEmotionCount, render.begin.begin());
      std::copy(e + kEmotionCount, e + 2 * kEmotionCount, render.end.begin());
      clip.renders.push_back(static_cast<int>(index));
      pack.renders.push_back(render);
    }
    pack.clips.push_back(std::move(clip));
  }
  if (pack.clips.empty()) throw bad("no clips");
  pack.lips.lip_vertices = file.ints("lip_count", {1})[0];
  pack.lips.gap_rest = file.floats("gap_rest", {-1});
  pack.lips.gaps = static_cast<int>(pack.lips.gap_rest.size());
  pack.lips.gap_basis = file.floats("gap_basis", {pack.lips.gaps == 0 ? 0 : count, pack.lips.gaps});
  pack.lips.bite_rest = file.floats("bite_rest", {-1, 3});
  pack.lips.bites = static_cast<int>(pack.lips.bite_rest.size() / 3);
  pack.lips.bite_basis = file.floats("bite_basis", {pack.lips.bites == 0 ? 0 : count, pack.lips.bites, 3});
  pack.lips.basis = file.floats("lip_basis", {-1, -1, 3});
  pack.lips.vertices = static_cast<int>(pack.lips.basis.size() / 3 / count);
  if (pack.lips.basis.size() != static_cast<std::size_t>(3) * count * pack.lips.vertices)
    throw bad("lip basis of another size");
  if (pack.lips.lip_vertices < 0 || pack.lips.lip_vertices > pack.lips.vertices)
    throw bad("more lip vertices than vertices");
  return pack;
}

}  // namespace mien
