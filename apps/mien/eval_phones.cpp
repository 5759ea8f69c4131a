// mien eval phones: how well the phonetic encoder hears what is said, and contacts of the lips above all.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/json.h"
#include "mien/base/safetensors.h"
#include "mien/head/phone.h"
#include "mien/media/audio.h"
#include "mien/speech/phonetic_encoder.h"
#include "motion_source.h"

namespace mien::app {
namespace {

constexpr double kTolerance = 0.034;  // seconds, of phone times
constexpr double kApart = 0.05;       // a phone this close to a contact says nothing about false alarms

struct Options {
  std::vector<std::string> audio, phones;
  std::string speech;
  bool json = false;
};

// Phones whose lips or teeth touch, and how surely the encoder says so: the greatest posterior of the group within
// each.
struct Contact {
  const char* name;
  std::vector<std::string> phones;
  std::vector<float> within, elsewhere;

  bool has(const Phone& p) const { return std::find(phones.begin(), phones.end(), p.name) != phones.end(); }
  float greatest(const std::vector<EncoderStep>& steps, int delay, double begin, double end) const {
    float best = 0;
    for (std::size_t n = 0; n < steps.size(); ++n) {
      const double time = EncoderStep::time(static_cast<std::int64_t>(n), delay);
      if (time < begin || time >= end) continue;
      float sum = 0;
      for (const std::string& p : phones) sum += steps[n].posteriors[phone_index(p)];
      best = std::max(best, sum);
    }
    return best;
  }
  void add(const std::vector<EncoderStep>& steps, int delay, const PhoneTrack& track) {
    for (const Phone& p : track) {
      if (has(p)) {
        within.push_back(greatest(steps, delay, p.begin - kTolerance, p.end + kTolerance));
        continue;
      }
      const bool near = std::any_of(track.begin(), track.end(), [&](const Phone& q) {
        return has(q) && q.begin < p.end + kApart && q.end > p.begin - kApart;
      });
      if (!near && p.name != "SIL") elsewhere.push_back(greatest(steps, delay, p.begin, p.end));
    }
  }
};

double percent_above(const std::vector<float>& values, float threshold) {
  const auto count = std::count_if(values.begin(), values.end(), [&](float v) { return v >= threshold; });
  return values.empty() ? 0 : 100.0 * static_cast<double>(count) / static_cast<double>(values.size());
}

void run(const Options& o) {
  const SafetensorsFile file =
      SafetensorsFile::open(o.speech.empty() ? find_model("speech.safetensors") : std::filesystem::path(o.speech));
  const PhoneticEncoder encoder(file);
  Contact lips{"P B M", {"P", "B", "M"}, {}, {}};
  Contact teeth{"F V", {"F", "V"}, {}, {}};
  std::int64_t slots = 0, right = 0, visemes = 0;
  double log_loss = 0;
  const std::vector<std::string> phone_paths = phone_files(o.audio, o.phones);
  for (std::size_t i = 0; i < o.audio.size(); ++i) {
    const PhoneTrack track = read_phones(phone_paths[i]);
    const std::vector<EncoderStep> steps = encoder.encode(read_audio(o.audio[i]).samples);
    for (std::size_t n = 0; n < steps.size(); ++n) {
      const double time = encoder.time(static_cast<std::int64_t>(n));
      for (const Phone& p : track) {
        if (time < p.begin || time >= p.end) continue;
        const auto& posteriors = steps[n].posteriors;
        const int truth = phone_index(p.name);
        const int guess = static_cast<int>(std::max_element(posteriors.begin(), posteriors.end()) - posteriors.begin());
        ++slots;
        right += guess == truth;
        visemes += phone_viseme(guess) == phone_viseme(truth);
        log_loss -= std::log(std::max(1e-6f, posteriors[truth]));
      }
    }
    lips.add(steps, encoder.delay(), track);
    teeth.add(steps, encoder.delay(), track);
  }
  const double count = static_cast<double>(std::max<std::int64_t>(1, slots));
  const double phone_percent = 100.0 * static_cast<double>(right) / count;
  const double viseme_percent = 100.0 * static_cast<double>(visemes) / count;
  Json out = {{"slots", slots}, {"log_loss", log_loss / count}, {"phones", phone_percent}, {"visemes", viseme_percent}};
  if (!o.json) {
    std::printf("%lld slots of 20 ms: phones %.1f %%, visemes %.1f %%, log-loss %.3f\n", static_cast<long long>(slots),
                phone_percent, viseme_percent, log_loss / count);
  }
  for (const Contact* c : {&lips, &teeth}) {
    Json rows = Json::array();
    if (!o.json)
      std::printf("%s: %zu, others: %zu; found / false alarms\n", c->name, c->within.size(), c->elsewhere.size());
    for (const float threshold : {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}) {
      const double found = percent_above(c->within, threshold);
      const double wrong = percent_above(c->elsewhere, threshold);
      rows.push_back({{"threshold", threshold}, {"found", found}, {"false_alarms", wrong}});
      if (!o.json) std::printf("  posterior from %.1f: %5.1f %% / %4.1f %%\n", threshold, found, wrong);
    }
    out[c->name] = {{"count", c->within.size()}, {"others", c->elsewhere.size()}, {"rows", rows}};
  }
  if (o.json) std::printf("%s\n", out.dump(2).c_str());
}

}  // namespace

void add_eval_phones_command(CLI::App& eval) {
  CLI::App* command = eval.add_subcommand("phones", "Scores what the phonetic encoder hears against phone times");
  command->footer("Example:\n  mien eval phones speech.wav --phones speech.phone.json");
  auto options = std::make_shared<Options>();
  command->add_option("AUDIO", options->audio, "Sound files")->required();
  command->add_option("--phones", options->phones, "Phone files, one for each sound file (default: FILE.phone.json)");
  command->add_option("--speech", options->speech, "Speech networks (default: the shipped ones)");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { run(*options); });
}

}  // namespace mien::app
