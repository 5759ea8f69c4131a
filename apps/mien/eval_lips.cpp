// mien eval lips: does the mouth do what the phones need?
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/actor/lip_score.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "motion_source.h"

namespace mien::app {
namespace {

struct Options {
  std::vector<std::string> audio, phones;
  std::string emotion = "neutral";
  MotionSource source;
  LipScoreOptions score;
  double tolerance_ms = 34;
  bool json = false;
};

Json count_json(const LipCount& count, float limit) {
  return {{"passed", count.passed}, {"total", count.total}, {"percent", count.percent()}, {"limit_mm", limit}};
}

Json to_json(const LipReport& r, const LipScoreOptions& o) {
  Json out = {{"closures", count_json(r.closures, o.closed_mm)},
              {"labiodentals", count_json(r.labiodentals, o.labiodental_mm)},
              {"open_vowels", count_json(r.open_vowels, o.open_mm)},
              {"silences", count_json(r.silences, o.silence_closed_mm)},
              {"worst_silence_jitter_mm", r.worst_silence_jitter_mm},
              {"failures", Json::array()}};
  for (const LipFailure& f : r.failures) {
    out["failures"].push_back({{"phone", f.phone}, {"begin", f.begin}, {"end", f.end}, {"value_mm", f.value_mm}});
  }
  return out;
}

void print(const std::string& name, const LipReport& r, const LipScoreOptions& o) {
  std::printf("%s\n", name.c_str());
  const auto line = [](const char* what, const LipCount& c) {
    if (c.total == 0) {
      std::printf("  %-62s none in this speech\n", what);
    } else {
      std::printf("  %-62s %4d/%-4d %5.1f %%\n", what, c.passed, c.total, c.percent());
    }
  };
  line(fmt::format("P B M: lips within {:.1f} mm", o.closed_mm).c_str(), r.closures);
  line(fmt::format("F V: lower lip within {:.1f} mm of the upper teeth", o.labiodental_mm).c_str(), r.labiodentals);
  line(fmt::format("AA AE AO AY AW: open by {:.1f} mm", o.open_mm).c_str(), r.open_vowels);
  line(fmt::format("pauses over {:.1f} s: closed within {:.1f} mm, jitter below {:.2f} mm", o.silence_seconds,
                   o.silence_closed_mm, o.silence_jitter_mm)
           .c_str(),
       r.silences);
  for (const LipFailure& f : r.failures) {
    std::printf("    missed %-3s %7.3f to %.3f s: %.2f mm\n", f.phone.c_str(), f.begin, f.end, f.value_mm);
  }
}

void run(Options& o) {
  o.score.tolerance = o.tolerance_ms / 1000;
  const std::vector<std::string> phone_paths = phone_files(o.audio, o.phones);
  const EmotionTrack emotion = parse_emotion_track(o.emotion);
  const HeadModel head = load_head(o.source);
  LipReport total;
  Json files = Json::object();
  for (std::size_t i = 0; i < o.audio.size(); ++i) {
    const Audio audio = read_audio(o.audio[i]);
    const PhoneTrack phones = read_phones(phone_paths[i]);
    const HeadMotion motion = make_motion(o.source, head, audio, phones, emotion);
    const LipReport report = score_lips(measure_lips(head, motion), phones, o.score);
    total += report;
    if (o.json) {
      files[o.audio[i]] = to_json(report, o.score);
    } else if (o.audio.size() > 1) {
      print(o.audio[i], report, o.score);
    }
  }
  if (o.json) {
    const Json out = {{"motion", o.source.motion},
                      {"emotion", o.emotion},
                      {"fps", o.source.fps},
                      {"head", head.id},
                      {"tolerance_ms", o.tolerance_ms},
                      {"total", to_json(total, o.score)},
                      {"files", files}};
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  print(fmt::format("{} ({} motion, {}, {} frames a second, phone times +- {:.0f} ms)",
                    o.audio.size() == 1 ? o.audio[0] : "all files", o.source.motion, o.emotion, o.source.fps,
                    o.tolerance_ms),
        total, o.score);
}

}  // namespace

void add_eval_lips_command(CLI::App& eval) {
  CLI::App* command = eval.add_subcommand("lips", "Scores lip sync against phone times");
  command->footer(
      "Example:\n  mien eval lips speech.wav --phones speech.phone.json\n\nWithout --phones, FILE.wav is scored "
      "against "
      "FILE.phone.json.");
  auto options = std::make_shared<Options>();
  command->add_option("AUDIO", options->audio, "Sound files")->required();
  command->add_option("--phones", options->phones, "Phone files, one for each sound file");
  command->add_option("--emotion", options->emotion, "Emotion to speak with")->capture_default_str();
  command->add_option("--tolerance", options->tolerance_ms, "Milliseconds by which phone times may be off")
      ->check(CLI::Range(0.0, 200.0))
      ->capture_default_str();
  add_motion_options(*command, options->source);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { run(*options); });
}

}  // namespace mien::app
