// mien eval visemes: writes what the networks hear as a viseme track.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "motion_source.h"

namespace mien::app {

void add_eval_visemes_command(CLI::App& eval) {
  struct Options {
    std::string audio, phones, output;
    MotionSource source;
  };
  CLI::App* command = eval.add_subcommand("visemes", "Writes a viseme track (CSV: time_s,viseme) of a sound file");
  command->footer("Example:\n  mien eval visemes speech.wav -o speech.csv");
  auto options = std::make_shared<Options>();
  command->add_option("AUDIO", options->audio, "Sound file")->required();
  command->add_option("-o,--output", options->output, "CSV file to write")->required();
  command->add_option("--phones", options->phones, "Phone file, for --motion truth");
  command->add_option("--motion", options->source.motion, "\"network\": from the sound; \"truth\": from the phones")
      ->check(CLI::IsMember({"network", "truth"}))
      ->capture_default_str();
  command->add_option("--speech", options->source.speech, "Speech networks (default: the shipped ones)");
  command->callback([options] {
    const Audio audio = read_audio(options->audio);
    PhoneTrack phones;
    if (options->source.motion == "truth") {
      phones = read_phones(phone_files({options->audio}, options->phones.empty()
                                                             ? std::vector<std::string>{}
                                                             : std::vector<std::string>{options->phones})[0]);
    }
    const std::vector<Viseme> visemes = make_visemes(options->source, audio, phones);
    AtomicFile file(options->output);
    file.write("time_s,viseme\n");
    int changes = 0;
    for (std::size_t i = 0; i < visemes.size(); ++i) {
      if (i > 0 && visemes[i] == visemes[i - 1]) continue;
      file.write(
          fmt::format("{:.3f},{}\n", static_cast<double>(i) / kVisemeRate, kVisemeNames[static_cast<int>(visemes[i])]));
      ++changes;
    }
    file.commit();
    std::printf("%s: %d visemes in %.2f s\n", options->output.c_str(), changes, audio.seconds());
  });
}

}  // namespace mien::app
