#include "motion/tuning/motion_pairs.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/log.h"
#include "mien/capture/fitness.h"
#include "mien/media/audio.h"
#include "speech/corpus/lip_geometry.h"

namespace mien {
namespace {

constexpr double kLooseEnd = 0.15;  // seconds of sound more or less than picture that nobody needs to hear of
constexpr float kMovesMm = 0.05f;   // vertices that never move further have no offsets

// Where the capture's expressions are in the net's list; -1 = the net does not know it.
std::vector<int> find_names(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  std::vector<int> map;
  for (const std::string& name : from) {
    const auto found = std::find(to.begin(), to.end(), name);
    map.push_back(found == to.end() ? -1 : static_cast<int>(found - to.begin()));
  }
  return map;
}

// The head's rows of a linear function of its weights [rows of head, n], in the net's order.
std::vector<float> reorder(const std::vector<float>& basis, const std::vector<int>& map, std::size_t expressions) {
  const std::size_t n = map.empty() ? 0 : basis.size() / map.size();
  std::vector<float> out(expressions * n, 0.0f);
  for (std::size_t e = 0; e < map.size(); ++e) {
    if (map[e] < 0) continue;
    std::copy_n(basis.begin() + static_cast<std::ptrdiff_t>(e * n), n,
                out.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(map[e]) * n));
  }
  return out;
}

// A motion at kS2GRate, between its frames linearly.
struct Moment {
  std::size_t low, high;
  float share;
};
Moment moment_at(const HeadMotion& motion, int frame) {
  const double position = (static_cast<double>(frame) / kS2GRate - motion.start) * motion.fps;
  const double last = static_cast<double>(motion.frames.size() - 1);
  const double at = std::clamp(position, 0.0, last);
  const auto low = static_cast<std::size_t>(at);
  return {low, std::min(low + 1, motion.frames.size() - 1), static_cast<float>(at - static_cast<double>(low))};
}
// Whether that frame is the nearest one to a captured frame, or the capture is fast enough to speak of every moment.
bool seen_at(const HeadMotion& motion, int frame) {
  if (motion.fps >= kS2GRate / 2.0) return true;
  const double position = (static_cast<double>(frame) / kS2GRate - motion.start) * motion.fps;
  const double nearest = std::clamp(std::round(position), 0.0, static_cast<double>(motion.frames.size() - 1));
  const double away = (position - nearest) / motion.fps * kS2GRate;  // in frames of ours
  return away > -0.5 + 1e-6 && away <= 0.5 + 1e-6;
}

SpeechFeatures phonetic_steps(const PhoneticEncoder& encoder, std::span<const float> samples, int ahead) {
  PhoneticEncoder::Stream stream(encoder);
  std::vector<EncoderStep> steps;
  stream.push(samples, steps);
  stream.push(std::vector<float>(4000 + 16000 * ahead / kS2GRate, 0.0f), steps);  // as SpeechDriver ends
  SpeechFeatures out;
  out.width = kEncoderFeatures;
  out.values.resize(steps.size() * kEncoderFeatures);
  for (std::size_t n = 0; n < steps.size(); ++n) {
    steps[n].features({out.values.data() + n * kEncoderFeatures, kEncoderFeatures});
  }
  return out;
}

struct Sequence {
  MotionPair pair;
  HeadMotion motion;
};

// All free vertices of one moment, metres: given, or what the weights do.
void vertices_at(const Sequence& s, const HeadModel& head, bool whole, int frame, std::vector<Vec3>& out) {
  const Moment m = moment_at(s.motion, frame);
  const auto of = [&](std::size_t i, std::vector<Vec3>& moved) {
    const MotionFrame& f = s.motion.frames[i];
    if (!whole) {
      moved = f.offsets;
      if (moved.empty()) moved.assign(head.mesh.positions.size(), Vec3::Zero());
      return;
    }
    head.deform(f.expression.data(), static_cast<int>(f.expression.size()), nullptr, moved);
    for (std::size_t v = 0; v < moved.size(); ++v) moved[v] -= head.mesh.positions[v];
  };
  std::vector<Vec3> high;
  of(m.low, out);
  if (m.share <= 0) return;
  of(m.high, high);
  for (std::size_t v = 0; v < out.size(); ++v) out[v] += m.share * (high[v] - out[v]);
}

void add_offsets(std::vector<Sequence>& sequences, const HeadModel& head, MotionPairs& out) {
  std::vector<float> most(head.mesh.positions.size(), 0.0f);
  std::vector<Vec3> moved;
  for (const Sequence& s : sequences) {
    for (int k = 0; k < s.pair.frames; ++k) {
      vertices_at(s, head, out.whole_geometry, k, moved);
      for (std::size_t v = 0; v < moved.size(); ++v) most[v] = std::max(most[v], 1000 * moved[v].norm());
    }
  }
  for (std::size_t v = 0; v < most.size(); ++v) {
    if (most[v] > kMovesMm) out.moving.push_back(static_cast<std::int32_t>(v));
  }
  if (out.moving.empty()) {
    throw Error(ErrorCode::kBadArgument, "nothing in this capture's motion moves a vertex", "use --head weights");
  }
  for (Sequence& s : sequences) {
    s.pair.offsets.reserve(static_cast<std::size_t>(s.pair.frames) * out.moving.size() * 3);
    for (int k = 0; k < s.pair.frames; ++k) {
      vertices_at(s, head, out.whole_geometry, k, moved);
      for (const std::int32_t v : out.moving) {
        for (int c = 0; c < 3; ++c) s.pair.offsets.push_back(1000 * moved[v][c]);
      }
    }
  }
}

Sequence read_sequence(const Capture& capture, const CaptureSequence& sequence, const S2GSettings& settings,
                       const PhoneticEncoder& phonetic, const SpeechEncoder* listens,
                       const std::vector<std::string>& names, std::vector<std::uint8_t>& known) {
  Sequence s;
  s.motion = capture.load_motion(sequence);
  require_motion_fits(sequence, s.motion);
  const std::string where = "sequence " + sequence.id;
  const Audio audio = read_audio(path_inside(capture.folder, sequence.audio, where));
  s.pair.id = sequence.id;
  s.pair.test = sequence.split == "test";
  const double moved = s.motion.frames.empty() ? 0 : s.motion.start + (s.motion.frame_count() - 1) / s.motion.fps;
  s.pair.frames = static_cast<int>(std::min(audio.seconds(), moved + 1.0 / kS2GRate) * kS2GRate + 1e-6);
  const double shown = sequence.frames / sequence.fps;
  if (std::abs(audio.seconds() - shown) > kLooseEnd) {
    spdlog::warn("{}: {:.2f} s of sound, the {} frames last {:.2f} s: trained on what both have", where,
                 audio.seconds(), sequence.frames, shown);
  }
  if (s.pair.frames < 1) return s;
  s.pair.stacked =
      stack_features(listens == nullptr ? phonetic_steps(phonetic, audio.samples, settings.lookahead_frames)
                                        : listens->encode(audio.samples),
                     settings, s.pair.frames);
  const std::vector<int> map = find_names(s.motion.expression_names, names);
  for (const int m : map) {
    if (m >= 0) known[m] = 1;
  }
  s.pair.weights.assign(static_cast<std::size_t>(s.pair.frames) * names.size(), 0.0f);
  PhoneTrack phones;
  if (!sequence.phones.empty()) phones = read_phones(path_inside(capture.folder, sequence.phones, where));
  for (int k = 0; k < s.pair.frames; ++k) {
    const Moment m = moment_at(s.motion, k);
    const std::vector<float>& a = s.motion.frames[m.low].expression;
    const std::vector<float>& b = s.motion.frames[m.high].expression;
    float* row = s.pair.weights.data() + static_cast<std::size_t>(k) * names.size();
    for (std::size_t e = 0; e < map.size() && e < a.size() && e < b.size(); ++e) {
      if (map[e] >= 0) row[map[e]] = a[e] + m.share * (b[e] - a[e]);
    }
    const double time = static_cast<double>(k) / kS2GRate;
    const EmotionVector emotion = sequence.emotion.at(time);
    s.pair.emotion.insert(s.pair.emotion.end(), emotion.begin(), emotion.end());
    int phone = phones.empty() ? -1 : 0;
    for (const Phone& p : phones) {
      if (p.begin <= time && time < p.end) phone = phone_index(p.name);
    }
    s.pair.phones.push_back(phone);
    s.pair.seen.push_back(seen_at(s.motion, k) ? 1 : 0);
  }
  return s;
}

}  // namespace

std::vector<float> stack_features(const SpeechFeatures& features, const S2GSettings& settings, int frames) {
  const S2GTiming timing(settings);
  const std::int64_t last = features.count() - 1;
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(frames) * 2 * settings.width);
  for (int k = 0; k < frames; ++k) {
    for (int tap = 0; tap < 2; ++tap) {
      if (last < 0) {
        out.insert(out.end(), settings.width, 0.0f);
        continue;
      }
      const S2GTap t = timing.tap(k, tap);
      const std::span<const float> low = features.at(static_cast<int>(std::min(t.low, last)));
      const std::span<const float> high = features.at(static_cast<int>(std::min(t.high, last)));
      for (std::size_t i = 0; i < low.size(); ++i) out.push_back(low[i] + t.share * (high[i] - low[i]));
    }
  }
  return out;
}

MotionPairs read_motion_pairs(const Capture& capture, const S2GSettings& settings, const PhoneticEncoder& phonetic,
                              const SpeechEncoder* listens, const std::vector<std::string>& expression_names) {
  MotionPairs out;
  out.person = capture.person;
  out.expression_names = expression_names;
  out.known.assign(expression_names.size(), 0);
  out.width = settings.width;
  const HeadModel head = capture.load_head_model();
  out.vertices = head.vertex_count();
  std::vector<Sequence> sequences;
  bool offsets = false;
  for (const CaptureSequence& sequence : capture.sequences) {
    if (sequence.audio.empty() || sequence.motion.empty()) {
      spdlog::warn("sequence {}: without {}, left out", sequence.id, sequence.audio.empty() ? "sound" : "motion");
      continue;
    }
    Sequence s = read_sequence(capture, sequence, settings, phonetic, listens, expression_names, out.known);
    if (s.pair.frames < 1) continue;
    for (const MotionFrame& f : s.motion.frames) {
      if (!f.offsets.empty() && f.offsets.size() != head.mesh.positions.size()) {
        throw Error(ErrorCode::kBadFile,
                    fmt::format("{}: {} offsets, the head has {} vertices", sequence.motion, f.offsets.size(),
                                head.mesh.positions.size()),
                    "export motion and head together");
      }
      offsets = offsets || !f.offsets.empty();
    }
    out.fingerprint += fmt::format("{}:{}:{};", s.pair.id, s.pair.frames, s.pair.test ? "test" : "train");
    sequences.push_back(std::move(s));
  }
  if (std::none_of(sequences.begin(), sequences.end(), [](const Sequence& s) { return !s.pair.test; })) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: no sequence of the train split has sound and motion", capture.folder.string()),
                "record sound with the pictures, and track the face");
  }
  const std::vector<int> map = find_names(head.expression_names, expression_names);
  std::vector<int> lip_indices;
  out.lips = lip_geometry(head, &lip_indices);
  if (out.lips.lip_vertices == 0 || out.lips.gaps == 0) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: the head has no lips that could be compared", capture.folder.string()),
                "give a head model with lip regions and contours");
  }
  for (std::vector<float>* basis : {&out.lips.basis, &out.lips.gap_basis, &out.lips.bite_basis}) {
    *basis = reorder(*basis, map, expression_names.size());
  }
  if (settings.head != S2GHead::kWeights) {
    out.whole_geometry = !offsets;
    add_offsets(sequences, head, out);
    for (const int v : lip_indices) {
      const auto found = std::lower_bound(out.moving.begin(), out.moving.end(), v);
      out.lip_moving.push_back(
          found != out.moving.end() && *found == v ? static_cast<std::int32_t>(found - out.moving.begin()) : -1);
    }
  }
  for (Sequence& s : sequences) {
    if (out.whole_geometry) std::fill(s.pair.weights.begin(), s.pair.weights.end(), 0.0f);
    out.pairs.push_back(std::move(s.pair));
  }
  if (out.whole_geometry) out.known.assign(expression_names.size(), 1);
  return out;
}

}  // namespace mien
