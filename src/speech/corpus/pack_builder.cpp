#include "speech/corpus/pack_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "mien/actor/performance.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/head/measures.h"

namespace mien {
namespace {

// Linear functions of the weights that the losses need: some lip and lid vertices, and the vertical gaps of the lips.
LipGeometry lip_geometry(const HeadModel& model) {
  const auto thin = [](const std::vector<int>& all, std::size_t most) {
    std::vector<int> some;
    for (std::size_t i = 0; i < std::min(most, all.size()); ++i)
      some.push_back(all[i * all.size() / std::min(most, all.size())]);
    return some;
  };
  std::vector<int> vertices = thin(lip_vertices(model), 120);
  LipGeometry lips;
  lips.lip_vertices = static_cast<int>(vertices.size());
  const std::vector<int> lids = thin(lid_vertices(model), 60);
  vertices.insert(vertices.end(), lids.begin(), lids.end());
  lips.vertices = static_cast<int>(vertices.size());
  const std::size_t total = model.mesh.positions.size();
  const auto& contour = model.contours.lips;
  const std::size_t first = contour.size() / 4;
  const std::size_t last = contour.size() - contour.size() / 4;
  for (int e = 0; e < model.expression_count(); ++e) {
    const Vec3* shift = model.expression.data() + static_cast<std::size_t>(e) * total;
    for (const int v : vertices) lips.basis.insert(lips.basis.end(), {shift[v].x(), shift[v].y(), shift[v].z()});
    for (std::size_t i = first; i < last; ++i)
      lips.gap_basis.push_back(shift[contour[i][0]].y() - shift[contour[i][1]].y());
  }
  for (std::size_t i = first; i < last; ++i) {
    lips.gap_rest.push_back(model.mesh.positions[contour[i][0]].y() - model.mesh.positions[contour[i][1]].y());
  }
  lips.gaps = static_cast<int>(lips.gap_rest.size());
  // The lower lip against the tooth edge straight above it (the upper teeth do not move with the expression).
  const std::vector<int>& teeth = model.contours.upper_teeth;
  for (std::size_t i = first; i < last && !teeth.empty(); ++i) {
    const Vec3& lip = model.mesh.positions[contour[i][1]];
    const int tooth = *std::min_element(teeth.begin(), teeth.end(), [&](int a, int b) {
      return std::abs(model.mesh.positions[a].x() - lip.x()) < std::abs(model.mesh.positions[b].x() - lip.x());
    });
    const Vec3 between = lip - model.mesh.positions[tooth];
    lips.bite_rest.insert(lips.bite_rest.end(), {between.x(), between.y(), between.z()});
    ++lips.bites;
  }
  for (int e = 0; e < model.expression_count() && lips.bites > 0; ++e) {
    const Vec3* shift = model.expression.data() + static_cast<std::size_t>(e) * total;
    for (std::size_t i = first; i < last; ++i) {
      const Vec3& s = shift[contour[i][1]];
      lips.bite_basis.insert(lips.bite_basis.end(), {s.x(), s.y(), s.z()});
    }
  }
  return lips;
}

void trim(Audio& audio, PhoneTrack& phones, double margin) {
  double begin = 0;
  double end = audio.seconds();
  if (!phones.empty() && phones.front().name == "SIL") begin = std::max(0.0, phones.front().end - margin);
  if (!phones.empty() && phones.back().name == "SIL") end = std::min(end, phones.back().begin + margin);
  const auto first = std::min(static_cast<std::size_t>(begin * audio.sample_rate), audio.samples.size());
  const auto last = std::clamp(static_cast<std::size_t>(end * audio.sample_rate), first, audio.samples.size());
  audio.samples = std::vector<float>(audio.samples.begin() + static_cast<std::ptrdiff_t>(first),
                                     audio.samples.begin() + static_cast<std::ptrdiff_t>(last));
  for (Phone& phone : phones) {
    phone.begin = std::max(0.0, phone.begin - begin);
    phone.end = std::max(phone.begin, std::min(phone.end, end) - begin);
  }
}

// A usual recording level: the louder frames at the level the feature normaliser starts from.
void level(std::vector<float>& samples) {
  LogMel mel;
  std::vector<MelFrame> frames;
  mel.push(samples, frames);
  if (frames.empty()) return;
  std::vector<float> energy;
  for (const MelFrame& frame : frames) {
    float sum = 0;
    for (const float v : frame) sum += std::exp(v);
    energy.push_back(std::log(sum));
  }
  const std::size_t rank = energy.size() * 9 / 10;
  std::nth_element(energy.begin(), energy.begin() + static_cast<std::ptrdiff_t>(rank), energy.end());
  const float gain = std::exp(0.5f * (FeatureNormalizer::kStartLevel - 0.5f - energy[rank]));
  for (float& s : samples) s *= gain;
}

}  // namespace

PackBuilder::PackBuilder(const HeadModel* model, const PackOptions& options)
    : model_(model), options_(options), random_(options.seed, 77) {
  if (model == nullptr) {
    pack_.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
    return;
  }
  pack_.head_model = model->id;
  pack_.expression_names = model->expression_names;
  pack_.lips = lip_geometry(*model);
}

double PackBuilder::seconds(const std::string& speaker) const {
  std::int64_t frames = 0;
  for (const SpeechClip& clip : pack_.clips) {
    if (pack_.speakers[clip.speaker] == speaker) frames += clip.mel_count;
  }
  return static_cast<double>(frames) / kMelRate;
}

void PackBuilder::add(const std::string& speaker, Audio audio, PhoneTrack phones, bool vary,
                      const EmotionVector* emotion) {
  trim(audio, phones, options_.margin);
  if (vary) {
    const float factor =
        std::exp(std::clamp(0.6f * random_.normal(), -1.0f, 1.0f) * std::log1p(options_.resample_range));
    const int rate = static_cast<int>(std::lround(kSpeechRate / factor / 100)) * 100;
    const double stretch = static_cast<double>(rate) / kSpeechRate;
    audio.samples = resample(audio.samples, kSpeechRate, rate);
    for (Phone& phone : phones) {
      phone.begin *= stretch;
      phone.end *= stretch;
    }
  }
  level(audio.samples);
  SpeechClip clip;
  const auto known = std::find(pack_.speakers.begin(), pack_.speakers.end(), speaker);
  clip.speaker = static_cast<int>(known - pack_.speakers.begin());
  if (known == pack_.speakers.end()) pack_.speakers.push_back(speaker);
  clip.first_mel = static_cast<std::int64_t>(pack_.mel.size()) / kMelBands;
  clip.mel_count = (static_cast<std::int64_t>(audio.samples.size()) + 1599) / 1600 * 10;
  audio.samples.resize(clip.mel_count * kMelHop + kMelWindow - kMelHop, 0.0f);
  LogMel mel;
  std::vector<MelFrame> frames;
  mel.push(audio.samples, frames);
  MIEN_CHECK(static_cast<std::int64_t>(frames.size()) == clip.mel_count, "{} frames, {} wanted", frames.size(),
             clip.mel_count);
  for (const MelFrame& frame : frames) {
    for (const float v : frame) pack_.mel.push_back(quantize_mel(v));
  }
  for (std::int64_t slot = 0; slot < clip.mel_count / 2; ++slot) {
    const double time = (static_cast<double>(slot) + 0.5) / 50;
    std::uint8_t label = 0;
    for (const Phone& phone : phones) {
      if (phone.begin <= time && time < phone.end) {
        label = phone.name == "?" ? kUnknownPhone : static_cast<std::uint8_t>(phone_index(phone.name));
      }
    }
    pack_.labels.push_back(label);
  }
  std::erase_if(phones, [](const Phone& phone) { return phone.name == "?"; });
  for (int r = 0; model_ != nullptr && r < options_.renders; ++r) add_render(clip, phones, r == 0 ? emotion : nullptr);
  pack_.clips.push_back(std::move(clip));
}

EmotionVector random_emotion(Random& random) {
  if (random.uniform() < 0.25f) return emotion_vector(Emotion::kNeutral, 1);
  const auto pick = [&] { return static_cast<int>(1 + random.below(kEmotionCount - 1)); };
  EmotionVector vector{};
  const float intensity = random.uniform(0.2f, 1.0f);
  const float share = random.uniform() < 0.2f ? random.uniform(0.3f, 0.7f) : 1.0f;
  vector[pick()] += intensity * share;
  vector[pick()] += share < 1 ? intensity * (1 - share) : 0.0f;
  float sum = 0;
  for (int e = 1; e < kEmotionCount; ++e) sum += vector[e];
  vector[0] = std::max(0.0f, 1 - sum);
  return vector;
}

void PackBuilder::add_render(SpeechClip& clip, const PhoneTrack& phones, const EmotionVector* emotion) {
  SpeechRender render;
  const double seconds = static_cast<double>(clip.mel_count) / kMelRate;
  render.begin = emotion != nullptr ? *emotion : random_emotion(random_);
  render.end = emotion == nullptr && random_.uniform() < 0.15f ? random_emotion(random_) : render.begin;
  const auto frames = static_cast<std::size_t>(clip.mel_count * 3 / 10);
  EmotionTrack track;
  track.keys = {{0.0, render.begin}, {static_cast<double>(frames - 1) / kMotionRate, render.end}};
  PerformanceOptions options;
  options.fps = kMotionRate;
  options.seed = random_.next();
  options.idle_on = false;
  const HeadMotion motion = perform(phones, seconds, track, *model_, options);
  const auto count = static_cast<std::size_t>(model_->expression_count());
  render.first_frame = static_cast<std::int64_t>(pack_.motion.size() / count);
  for (std::size_t k = 0; k < frames; ++k) {
    const MotionFrame& frame = motion.frames[std::min(k, motion.frames.size() - 1)];
    for (std::size_t e = 0; e < count; ++e) {
      pack_.motion.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(frame.expression[e], 0.0f, 1.0f))));
    }
  }
  clip.renders.push_back(static_cast<int>(pack_.renders.size()));
  pack_.renders.push_back(render);
}

std::vector<ManifestEntry> read_manifest(const std::filesystem::path& path) {
  std::istringstream lines(read_text(path));
  std::vector<ManifestEntry> entries;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream fields(line);
    ManifestEntry entry;
    std::string audio;
    std::getline(fields, entry.speaker, '\t');
    std::getline(fields, audio, '\t');
    entry.audio = audio;
    for (std::string field; std::getline(fields, field, '\t');) {
      std::istringstream parts(field);
      Phone phone;
      char colon = 0;
      if (!std::getline(parts, phone.name, ':') || !(parts >> phone.begin >> colon >> phone.end) ||
          phone.end < phone.begin) {
        throw Error(ErrorCode::kBadFile,
                    fmt::format("{}:{}: \"{}\" is not phone:begin:end", path.string(), number, field));
      }
      entry.phones.push_back(std::move(phone));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace mien
