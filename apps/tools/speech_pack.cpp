// Developers' program: makes the data that the speech networks are trained from. See
// scripts/train_speech_models.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>

#include "mien/actor/corpus.h"
#include "mien/actor/voice.h"
#include "mien/base/error.h"
#include "mien/base/log.h"
#include "speech/corpus/force_align.h"
#include "speech/corpus/pack_builder.h"

namespace {

using namespace mien;

// Lines "speaker<TAB>wave file<TAB>text" on standard input become manifest lines on standard output. A text that begins
// with "@" gives phones instead of words ("@ B OW SIL ZH UW HH"; pauses may be where SIL stands).
void align() {
  ForceAligner aligner;
  int good = 0;
  int bad = 0;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    std::string speaker, file, text;
    std::getline(fields, speaker, '\t');
    std::getline(fields, file, '\t');
    std::getline(fields, text);
    PhoneTrack phones;
    if (text.starts_with("@")) {
      std::istringstream names(text.substr(1));
      const std::vector<std::string> sequence{std::istream_iterator<std::string>(names), {}};
      if (!sequence.empty()) phones = aligner.align_phones(read_audio(file).samples, sequence);
    } else {
      const std::vector<std::string> words = aligner.words(text);
      if (!words.empty()) phones = aligner.align(read_audio(file).samples, words);
    }
    if (phones.empty()) {
      spdlog::warn("{}: no alignment for \"{}\"", file, text);
      ++bad;
      continue;
    }
    std::cout << speaker << "\t" << file;
    for (const Phone& p : phones) std::cout << "\t" << fmt::format("{}:{:.3f}:{:.3f}", p.name, p.begin, p.end);
    std::cout << std::endl;
    ++good;
  }
  spdlog::info("{} aligned, {} left out", good, bad);
}

struct PackArguments {
  std::string head, out, base;
  std::vector<std::string> manifests;  // FILE or FILE*COPIES
  double flite_seconds = 540;          // a voice
  double most_seconds = 420;           // a speaker of a manifest (a copy counts)
  PackOptions options;
};

void add_flite(PackBuilder& builder, const PackArguments& a) {
  Random random(a.options.seed, 5);
  const std::vector<std::string> sentences = corpus_sentences(4000, 12 + a.options.seed);
  std::size_t next = 0;
  for (const std::string& voice : voice_names()) {
    while (builder.seconds("flite-" + voice) < a.flite_seconds && next < sentences.size()) {
      const EmotionVector emotion = random_emotion(random);
      VoiceOptions base;
      base.voice = voice;
      base.duration_stretch = random.uniform(0.8f, 1.3f);
      base.pitch_mean = voice_pitch(voice).mean * random.uniform(0.8f, 1.3f);
      base.pitch_stddev = voice_pitch(voice).stddev * random.uniform(0.7f, 1.6f);
      const SpokenSentence spoken = speak_text(sentences[next++], emotional_prosody(base, emotion));
      builder.add("flite-" + voice, spoken.audio, spoken.phones, random.uniform() < 0.5f, &emotion);
    }
  }
}

// Recorded faces. A speaker's takes know the same weights: those that move in any of them.
void add_takes(PackBuilder& builder, const std::vector<ManifestEntry>& entries) {
  std::map<std::string, std::vector<FaceTrack>> tracks;
  for (const ManifestEntry& entry : entries) {
    if (!entry.track.empty()) tracks[entry.speaker].push_back(read_face_track(entry.track, entry.columns, entry.map));
  }
  std::map<std::string, std::size_t> used;
  for (const ManifestEntry& entry : entries) {
    if (entry.track.empty()) continue;
    const std::vector<FaceTrack>& own = tracks[entry.speaker];
    builder.add_take(entry.speaker, entry.speaker, read_audio(entry.audio), own[used[entry.speaker]++],
                     moving_names(own));
  }
}

void pack(const PackArguments& a) {
  std::optional<HeadModel> model;
  if (!a.head.empty()) model = HeadModel::load(a.head);
  PackBuilder builder(model ? &*model : nullptr, a.options);
  if (!a.base.empty()) builder.start_from(SpeechPack::load(a.base));
  for (const std::string& argument : a.manifests) {
    const std::size_t star = argument.find('*');
    const int copies = star == std::string::npos ? 1 : std::stoi(argument.substr(star + 1));
    const std::vector<ManifestEntry> entries = read_manifest(argument.substr(0, star));
    add_takes(builder, entries);
    for (int copy = 0; copy < copies; ++copy) {
      for (const ManifestEntry& entry : entries) {
        if (!entry.track.empty()) continue;
        if (builder.seconds(entry.speaker) >= a.most_seconds * copies) continue;
        builder.add(entry.speaker, read_audio(entry.audio), entry.phones, copy > 0 || copies == 1);
      }
    }
    spdlog::info("{} done", argument);
  }
  add_flite(builder, a);
  for (const std::string& speaker : builder.speakers()) spdlog::info("{}: {:.0f} s", speaker, builder.seconds(speaker));
  const SpeechPack result = builder.take();
  result.save(a.out);
  spdlog::info("wrote {}: {:.1f} min, {} clips, {:.1f} MB", a.out, result.seconds() / 60, result.clips.size(),
               static_cast<double>(std::filesystem::file_size(a.out)) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Makes training data for the speech networks.", "mien_speech_pack"};
  app.require_subcommand(1);
  app.add_subcommand("align", "Transcripts to phone times")->callback([] { align(); });
  PackArguments a;
  CLI::App* build = app.add_subcommand("build", "Manifests and flite to a pack");
  build->add_option("--head", a.head, "The head model; without it the pack holds phones only");
  build->add_option("--out", a.out)->required();
  build->add_option("--base", a.base, "Add to this pack (of the same head)");
  build->add_option("--manifest", a.manifests, "FILE, or FILE*N for N copies with different speed and pitch");
  build->add_option("--flite-seconds", a.flite_seconds, "Of each flite voice");
  build->add_option("--most-seconds", a.most_seconds, "Of each speaker of a manifest");
  build->add_option("--renders", a.options.renders, "Performances of each clip");
  build->add_option("--seed", a.options.seed);
  build->callback([&] { pack(a); });
  try {
    init_logging("info");
    CLI11_PARSE(app, argc, argv);
  } catch (const Error& error) {
    std::cerr << "mien_speech_pack: " << error.what() << "\n";
    return exit_status(error.code());
  }
  return 0;
}
