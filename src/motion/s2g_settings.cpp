// What a speech model file says of its S2GNet, checked, and when a frame can be known.
#include "mien/motion/s2g_settings.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr double kTicks = 48000;  // a second
constexpr int kMostWidth = 4096;
constexpr int kMostPersons = 1024;
constexpr int kMostComponents = 1024;
constexpr int kMostVertices = 1000000;

struct HeadName {
  S2GHead head;
  const char* name;
};
constexpr HeadName kHeadNames[] = {
    {S2GHead::kWeights, "weights"}, {S2GHead::kPca, "pca"}, {S2GHead::kVertices, "vertices"}};

std::int64_t ticks(double seconds) {
  return std::llround(seconds * kTicks);
}

void check_format(const SafetensorsFile& file) {
  const auto format = file.metadata().find("format");
  if (format != file.metadata().end() && format->second == kSpeechModelFormat) return;
  throw Error(format == file.metadata().end() ? ErrorCode::kBadFile : ErrorCode::kUnsupported,
              fmt::format("{}: format \"{}\", wanted \"{}\"", file.path().string(),
                          format == file.metadata().end() ? "" : format->second, kSpeechModelFormat),
              "use the speech model that came with this version");
}

template <typename T>
T field_within(const Json& json, const char* key, const std::string& where, T fallback, T low, T high) {
  const T value = get_field_or<T>(json, key, where, fallback);
  if (!(value >= low && value <= high)) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: \"{}\" is {}, possible are {} to {}", where, key, value, low, high),
                "fetch or train the model again");
  }
  return value;
}

void check_persons(const std::vector<std::string>& persons, const std::string& where) {
  const auto bad = [&](const std::string& why) {
    return Error(ErrorCode::kBadFile, fmt::format("{}: {}", where, why), "fetch or train the model again");
  };
  if (persons.empty()) return;
  if (persons.front() != kDefaultPerson) throw bad(fmt::format("the first person is not \"{}\"", kDefaultPerson));
  if (persons.size() > kMostPersons) throw bad(fmt::format("{} persons", persons.size()));
  for (std::size_t i = 0; i < persons.size(); ++i) {
    if (persons[i].empty()) throw bad("a person has no name");
    if (std::find(persons.begin(), persons.begin() + static_cast<std::ptrdiff_t>(i), persons[i]) !=
        persons.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw bad(fmt::format("person \"{}\" is there twice", persons[i]));
    }
  }
}

}  // namespace

const char* s2g_head_name(S2GHead head) {
  for (const HeadName& n : kHeadNames) {
    if (n.head == head) return n.name;
  }
  return "";
}

S2GHead parse_s2g_head(const std::string& name) {
  for (const HeadName& n : kHeadNames) {
    if (name == n.name) return n.head;
  }
  throw Error(ErrorCode::kBadArgument, fmt::format("there is no head \"{}\"", name), "choose weights, pca or vertices");
}

bool S2GSettings::first_form() const {
  return s2g_settings_json(*this) == s2g_settings_json(S2GSettings{});
}

int S2GSettings::person_index(const std::string& name) const {
  if (name == kDefaultPerson || (name.empty() && person == kDefaultPerson)) return 0;
  if (name.empty()) return person_index(person);
  const auto found = std::find(persons.begin(), persons.end(), name);
  if (found != persons.end()) return static_cast<int>(found - persons.begin());
  throw Error(ErrorCode::kBadArgument, fmt::format("the speech networks know no person \"{}\"", name),
              persons.empty() ? std::string("they were trained for no persons: leave it out")
                              : fmt::format("they know: {}", fmt::join(persons, ", ")));
}

double S2GSettings::latency() const {
  const S2GTiming timing(*this);
  // The phones that go with a frame come from the phonetic encoder whatever the net listens to.
  const S2GTiming phones(of_phones());
  double worst = 0;
  for (std::int64_t k = 0; k < 3 * kS2GRate; ++k) {
    const double time = static_cast<double>(k) / kS2GRate;
    worst = std::max(worst, kEncoderFirstHeard + static_cast<double>(phones.tap(k, 0).high) / kEncoderRate - time);
    worst = std::max(worst, first_time + look_ahead + static_cast<double>(timing.tap(k, 0).high) / rate - time);
  }
  return worst;
}

S2GSettings S2GSettings::of_phones() const {
  S2GSettings s;
  s.set_encoder_delay(encoder_delay);
  return s;
}

void S2GSettings::set_encoder_delay(int steps) {
  encoder_delay = steps;
  if (encoder != "phonetic") return;
  first_time = EncoderStep::time(0, steps);
  look_ahead = kEncoderFirstHeard - first_time;
}

std::string s2g_settings_json(const S2GSettings& s) {
  const Json json = {{"encoder", s.encoder},
                     {"width", s.width},
                     {"rate", s.rate},
                     {"first_time", s.first_time},
                     {"look_ahead", s.look_ahead},
                     {"lookahead_frames", s.lookahead_frames},
                     {"persons", s.persons},
                     {"person", s.person},
                     {"head", s2g_head_name(s.head)},
                     {"components", s.components},
                     {"moving_vertices", s.moving_vertices},
                     {"vertices", s.vertices}};
  return json.dump();
}

S2GSettings read_s2g_settings(const SafetensorsFile& file) {
  check_format(file);
  S2GSettings s;
  s.set_encoder_delay(read_encoder_delay(file));
  const auto found = file.metadata().find(kS2GMetadata);
  if (found == file.metadata().end()) return s;
  const std::string where = fmt::format("{}: metadata \"{}\"", file.path().string(), kS2GMetadata);
  const Json json = Json::parse(found->second, nullptr, false);
  if (!json.is_object())
    throw Error(ErrorCode::kBadFile, where + " is no JSON object", "fetch or train the model again");
  s.encoder = get_field<std::string>(json, "encoder", where);
  s.width = field_within(json, "width", where, 0, 1, kMostWidth);
  s.rate = field_within(json, "rate", where, 0.0, 1.0, 200.0);
  s.first_time = field_within(json, "first_time", where, 0.0, -1.0, 1.0);
  s.look_ahead = field_within(json, "look_ahead", where, 0.0, 0.0, 200.0);
  if (s.encoder == "phonetic" && std::abs(s.first_time - EncoderStep::time(0, s.encoder_delay)) > 1e-6) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: \"first_time\" {} does not fit an encoder that speaks {} steps late", where,
                            s.first_time, s.encoder_delay),
                "fetch or train the model again");
  }
  s.lookahead_frames = field_within(json, "lookahead_frames", where, 0, 0, kS2GMostLookAhead);
  s.persons = get_field_or<std::vector<std::string>>(json, "persons", where, {});
  check_persons(s.persons, where);
  s.person = get_field_or<std::string>(json, "person", where, kDefaultPerson);
  if (s.person != kDefaultPerson && std::find(s.persons.begin(), s.persons.end(), s.person) == s.persons.end()) {
    throw Error(ErrorCode::kBadFile, where + ": \"person\" is none of \"persons\"", "fetch or train the model again");
  }
  const auto head = get_field_or<std::string>(json, "head", where, "weights");
  for (const HeadName& n : kHeadNames) {
    if (head == n.name) s.head = n.head;
  }
  if (head != s2g_head_name(s.head)) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: head \"{}\" is unknown", where, head),
                "use a newer Mien, or a model with weights, pca or vertices");
  }
  if (s.head != S2GHead::kWeights) {
    s.vertices = field_within(json, "vertices", where, 0, 1, kMostVertices);
    s.moving_vertices = field_within(json, "moving_vertices", where, 0, 1, s.vertices);
  }
  if (s.head == S2GHead::kPca) s.components = field_within(json, "components", where, 0, 1, kMostComponents);
  return s;
}

S2GTiming::S2GTiming(const S2GSettings& s)
    : hop_(std::max<std::int64_t>(1, ticks(1 / s.rate))), first_(ticks(s.first_time)), ahead_(s.lookahead_frames) {}

S2GTap S2GTiming::tap(std::int64_t frame, int tap) const {
  constexpr auto kFrame = static_cast<std::int64_t>(kTicks) / kS2GRate;
  const std::int64_t at = kFrame * (frame + ahead_) + (tap == 0 ? kFrame / 2 : 0) - first_;
  if (at <= 0) return {0, 0, 0};
  const std::int64_t low = at / hop_;
  const std::int64_t rest = at % hop_;
  return {low, rest == 0 ? low : low + 1, static_cast<float>(rest) / static_cast<float>(hop_)};
}

}  // namespace mien
