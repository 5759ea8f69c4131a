#include "mien/actor/lip_score.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "mien/base/error.h"
#include "mien/head/measures.h"

namespace mien {
namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Samples with begin - tolerance <= time <= end + tolerance.
std::pair<std::size_t, std::size_t> inside(const std::vector<LipSample>& samples, double begin, double end) {
  const auto before = [](const LipSample& s, double t) { return s.time < t; };
  const auto after = [](double t, const LipSample& s) { return t < s.time; };
  const auto first = std::lower_bound(samples.begin(), samples.end(), begin, before);
  const auto last = std::upper_bound(samples.begin(), samples.end(), end, after);
  return {first - samples.begin(), last - samples.begin()};
}

// Pauses as one interval each, gaps between phones included.
PhoneTrack pauses_of(const PhoneTrack& phones, double end) {
  PhoneTrack pauses;
  double speech_end = 0;
  const auto pause = [&](double from, double to) {
    if (to > from) pauses.push_back({"SIL", from, to});
  };
  for (const Phone& phone : phones) {
    if (phone_index(phone.name) == 0) continue;
    pause(speech_end, phone.begin);
    speech_end = std::max(speech_end, phone.end);
  }
  pause(speech_end, end);
  return pauses;
}

}  // namespace

LipReport& LipReport::operator+=(const LipReport& other) {
  const auto add = [](LipCount& a, const LipCount& b) {
    a.passed += b.passed;
    a.total += b.total;
  };
  add(closures, other.closures);
  add(labiodentals, other.labiodentals);
  add(open_vowels, other.open_vowels);
  add(silences, other.silences);
  worst_silence_jitter_mm = std::max(worst_silence_jitter_mm, other.worst_silence_jitter_mm);
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
  return *this;
}

LipReport score_lips(const std::vector<LipSample>& samples, const PhoneTrack& phones, const LipScoreOptions& options) {
  if (samples.size() < 2) {
    throw Error(ErrorCode::kBadArgument, fmt::format("lip score of {} moments", samples.size()),
                "give at least 2 frames");
  }
  LipReport report;
  const auto judge = [&](LipCount& count, const Phone& phone, float LipSample::*value, bool smallest, float limit) {
    const auto [first, last] = inside(samples, phone.begin - options.tolerance, phone.end + options.tolerance);
    if (first == last) return;  // the motion does not cover this phone
    float best = samples[first].*value;
    for (std::size_t i = first; i < last; ++i) {
      best = smallest ? std::min(best, samples[i].*value) : std::max(best, samples[i].*value);
    }
    const bool good = smallest ? best <= limit : best >= limit;
    ++count.total;
    count.passed += good ? 1 : 0;
    if (!good) report.failures.push_back({phone.name, phone.begin, phone.end, best});
  };
  for (const Phone& phone : phones) {
    const std::string_view name = kPhoneNames[phone_index(phone.name)];
    if (is_one_of(name, {"P", "B", "M"})) judge(report.closures, phone, &LipSample::gap_mm, true, options.closed_mm);
    if (is_one_of(name, {"F", "V"}))
      judge(report.labiodentals, phone, &LipSample::lip_to_teeth_mm, true, options.labiodental_mm);
    if (is_one_of(name, {"AA", "AE", "AO", "AY", "AW"}))
      judge(report.open_vowels, phone, &LipSample::gap_mm, false, options.open_mm);
  }
  for (const Phone& pause : pauses_of(phones, samples.back().time)) {
    if (pause.end - pause.begin <= options.silence_seconds) continue;
    const auto [first, last] =
        inside(samples, pause.begin + options.silence_margin, pause.end - options.silence_margin);
    if (first == last) continue;
    float widest = 0;
    double squares = 0;
    for (std::size_t i = first; i < last; ++i) {
      widest = std::max(widest, samples[i].gap_mm);
      if (i < first + 2) continue;
      const float bend = samples[i].gap_mm - 2 * samples[i - 1].gap_mm + samples[i - 2].gap_mm;
      squares += bend * bend;
    }
    const float jitter =
        last - first > 2 ? static_cast<float>(std::sqrt(squares / static_cast<double>(last - first - 2))) : 0.0f;
    report.worst_silence_jitter_mm = std::max(report.worst_silence_jitter_mm, jitter);
    const bool good = widest <= options.silence_closed_mm && jitter <= options.silence_jitter_mm;
    ++report.silences.total;
    report.silences.passed += good ? 1 : 0;
    if (!good) report.failures.push_back({"SIL", pause.begin, pause.end, widest});
  }
  return report;
}

std::vector<LipSample> measure_lips(const HeadModel& model, const HeadMotion& motion) {
  std::vector<LipSample> samples;
  std::vector<Vec3> vertices;
  for (int i = 0; i < motion.frame_count(); ++i) {
    const MotionFrame& frame = motion.frames[i];
    const int count = std::min(static_cast<int>(frame.expression.size()), model.expression_count());
    model.deform(frame.expression.data(), count, frame.offsets.empty() ? nullptr : frame.offsets.data(), vertices);
    samples.push_back(
        {motion.start + i / motion.fps, mouth_opening_mm(model, vertices), lower_lip_to_teeth_mm(model, vertices)});
  }
  return samples;
}

}  // namespace mien
