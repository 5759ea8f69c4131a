#include "train_speech.h"

#include <cstdio>
#include <filesystem>

#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/interrupt.h"
#include "mien/base/leftovers.h"
#include "mien/base/log.h"
#include "mien/base/progress.h"

namespace fs = std::filesystem;

namespace mien::app {
namespace {

std::shared_ptr<const SpeechEncoder> make_encoder(const SpeechStage& stage) {
  const std::string name = stage.encoder.empty() && !stage.encoder_model.empty() ? "hubert" : stage.encoder;
  if (name.empty()) return nullptr;
  const SpeechEncoderKind kind = parse_speech_encoder(name);
  if (kind == SpeechEncoderKind::kPhonetic) return nullptr;  // the networks' own
  if (kind == SpeechEncoderKind::kHubert && stage.encoder_model.empty()) {
    throw Error(ErrorCode::kBadArgument, "--speech-encoder hubert needs a model",
                "give --encoder-model the folder of config.json and model.safetensors");
  }
  return make_speech_encoder({.kind = kind, .model = stage.encoder_model, .device = "cpu"});
}

}  // namespace

void add_speech_stage(CLI::App& command, SpeechStage& s) {
  const auto option = [&](const std::string& name, auto& value, const std::string& help) {
    return command.add_option(name, value, help)->group("Speech stage")->capture_default_str();
  };
  command
      .add_option("--stage", s.stage,
                  "avatar: the looks; speech: this person's own speech networks from sound and motion, written beside "
                  "the avatar (NAME.speech.safetensors), where speak finds them")
      ->check(CLI::IsMember({"avatar", "speech"}))
      ->capture_default_str();
  option("--speech-networks", s.networks, "Networks to start from (default: the shipped ones)");
  option("--speech-encoder", s.encoder, "What they listen to: mel, phonetic or hubert (default: as before)");
  option("--encoder-model", s.encoder_model, "hubert: folder of a HuBERT or wav2vec 2.0 model (Hugging Face)");
  option("--speech-head", s.head,
         "weights; pca or vertices: free vertex offsets, too (or alone, when the motion has none of its own)");
  option("--speech-components", s.tuning.components, "Of the pca head");
  option("--speech-lookahead", s.tuning.lookahead_frames, "Frames of the future that they see; -1: as before");
  option("--speech-steps", s.tuning.steps, "Training steps");
  option("--speech-rate", s.tuning.rate, "Learning rate");
  option("--speech-person", s.tuning.person, "Name in the networks' table of persons (default: the capture's)");
  option("--speech-device", s.tuning.device, "auto, cpu or cuda");
  option("--precision", s.tuning.precision,
         "single; mixed: bfloat16 where it is safe; auto: mixed on GPUs that have it");
  option("--speech-log", s.tuning.log, "JSON log to append to, one line a report");
}

void train_speech_stage(const std::string& capture_folder, const std::string& avatar, SpeechStage stage,
                        std::uint64_t seed, bool all_sequences, bool restart, bool json, bool quiet) {
  if (fs::path(avatar).extension() != ".mien") {
    throw Error(ErrorCode::kBadArgument, fmt::format("output \"{}\" is not a .mien file", avatar),
                "give the avatar's name, such as -o me.mien; its networks are written beside it");
  }
  SpeechTuningOptions& tuning = stage.tuning;
  tuning.head = parse_s2g_head(stage.head);
  tuning.encoder = make_encoder(stage);
  tuning.init = stage.networks.empty() ? find_model("speech.safetensors") : fs::path(stage.networks);
  tuning.seed = seed;
  Capture capture = Capture::load(capture_folder);
  if (all_sequences) {
    for (CaptureSequence& sequence : capture.sequences) sequence.split = "train";
  }
  const fs::path output = own_speech_networks(avatar);
  make_output_folder(output.has_parent_path() ? output.parent_path() : fs::path("."));
  tuning.checkpoint = fs::path(output).concat(".checkpoint");
  remove_leftovers(tuning.checkpoint);
  if (restart) fs::remove(tuning.checkpoint);
  ProgressBar bar("training speech", quiet);
  tuning.progress = [&](std::int64_t done, std::int64_t total, const std::string& note) {
    if (interrupted()) return false;  // the trainer saves its checkpoint before it ends
    return bar(done, total, note);
  };
  const SpeechTuningReport report = tune_speech(capture, tuning, output);
  bar.finish();
  if (!report.finished) {
    throw Error(ErrorCode::kInterrupted,
                fmt::format("stopped after {} steps; {} holds them", report.steps, tuning.checkpoint.string()),
                "run the same command again to go on");
  }
  if (!report.leads) return;  // the first rank says it
  if (json) {
    const Json result = {{"output", output.string()},
                         {"person", report.person},
                         {"steps", report.steps},
                         {"seconds", report.seconds},
                         {"device", report.device},
                         {"held_out", report.held_out},
                         {"lip_mm_before", report.lip_mm_before},
                         {"lip_mm", report.lip_mm},
                         {"lip_mm_by_phones", report.by_phones}};
    std::printf("%s\n", result.dump().c_str());
    return;
  }
  std::printf("%s: %d steps in %.0f s on %s; lips of %s sequences %.2f mm from the truth, %.2f before\n",
              output.c_str(), report.steps, report.seconds, report.device.c_str(), report.held_out ? "the test" : "all",
              report.lip_mm, report.lip_mm_before);
}

}  // namespace mien::app
