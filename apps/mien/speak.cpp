// mien speak: a recording or a sentence in, a video of an avatar that says it out.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "mien/actor/voice.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/interrupt.h"
#include "mien/base/progress.h"
#include "mien/base/resource.h"
#include "mien/head/arkit_csv.h"
#include "mien/media/audio.h"
#include "mien/media/video.h"
#include "mien/session/session.h"
#include "mien/speech/voice_emotion.h"
#include "motion_video.h"
#include "parse.h"

namespace mien::app {
namespace {

constexpr int kOutputRate = 44100;      // Hz, of the sound in the video
constexpr double kBlockSeconds = 0.25;  // read ahead of the pictures
constexpr const char* kAutoEmotion = "auto";

struct SpeakOptions {
  std::string input, text, avatar = "ada", appearance, emotion = "neutral", camera = "front", output, size = "512x512";
  std::string motion, voice = "slt", speech, person, encoder_model, emotion_model, device = "auto";
  int fps = 30, crf = 18;
  bool no_idle = false, no_g2anet = false, json = false;
  float mouth_gain = 1;
  std::uint64_t seed = 1;
};

// Who hears the emotion for --emotion auto: given, or of the models' folder.
VoiceEmotion load_voice_emotion(const std::string& given) {
  if (!given.empty()) return VoiceEmotion::load(given);
  for (const std::filesystem::path& folder : model_folders()) {
    if (std::filesystem::exists(folder / "emotion.safetensors"))
      return VoiceEmotion::load(folder / "emotion.safetensors");
    if (std::filesystem::exists(folder / "emotion" / "config.json")) return VoiceEmotion::load(folder / "emotion");
  }
  throw Error(ErrorCode::kMissingFeature, "--emotion auto needs a network that hears emotions, and none is shipped",
              "train one on your own labelled recordings (mien train emotion) and give it as --emotion-model, or give "
              "the folder of a Wav2Vec2ForSequenceClassification or HubertForSequenceClassification (Hugging Face), or "
              "put one of them into the models folder (MIEN_MODELS) as emotion.safetensors or emotion/");
}

// The networks: given, or the avatar's own beside it (me.mien, me.speech.safetensors), or the shipped ones.
std::shared_ptr<const SpeechModel> load_speech(const SpeakOptions& options, const std::filesystem::path& avatar) {
  std::filesystem::path path = options.speech;
  if (path.empty()) path = own_speech_networks(avatar);
  if (!std::filesystem::exists(path) && options.speech.empty()) path = find_model("speech.safetensors");
  std::shared_ptr<const SpeechEncoder> encoder;
  if (!options.encoder_model.empty()) {
    encoder = make_speech_encoder({.kind = SpeechEncoderKind::kHubert, .model = options.encoder_model});
  }
  return SpeechModel::load(path, encoder);
}

// Sound for the networks (16 kHz) and for the ear, read in step.
class SoundSource {
 public:
  explicit SoundSource(const SpeakOptions& options) {
    if (!options.text.empty()) {
      VoiceOptions voice;
      voice.voice = options.voice;
      if (options.emotion != kAutoEmotion) {
        voice = emotional_prosody(voice, parse_emotion_track(options.emotion).at(0));
      }
      spoken_ = speak_text(options.text, voice).audio.samples;
    } else if (options.input == "-") {
      speech_.emplace("-");  // cannot be read twice: the ear hears what the networks hear
    } else {
      speech_.emplace(options.input);
      ear_.emplace(options.input, kOutputRate);
    }
  }
  int ear_rate() const { return ear_ ? kOutputRate : kSpeechRate; }
  double duration() const { return speech_ ? speech_->duration() : static_cast<double>(spoken_.size()) / kSpeechRate; }
  // The next block; false at the end. `ear` is at ear_rate().
  bool read(std::vector<float>& speech, std::vector<float>& ear) {
    speech.resize(static_cast<std::size_t>(kBlockSeconds * kSpeechRate));
    if (!speech_) {
      const std::size_t count = std::min(speech.size(), spoken_.size() - at_);
      std::copy_n(spoken_.begin() + static_cast<std::ptrdiff_t>(at_), count, speech.begin());
      at_ += count;
      speech.resize(count);
    } else {
      speech.resize(speech_->read(speech));
    }
    if (!ear_) {
      ear = speech;
    } else {
      ear.resize(static_cast<std::size_t>(kBlockSeconds * kOutputRate));
      ear.resize(ear_->read(ear));
    }
    return !speech.empty();
  }

 private:
  std::optional<AudioReader> speech_, ear_;
  std::vector<float> spoken_;
  std::size_t at_ = 0;
};

std::shared_ptr<const Avatar> load_avatar(const SpeakOptions& options, const std::filesystem::path& path) {
  Avatar avatar = Avatar::load(path);
  if (options.no_g2anet) avatar.gaussian.g2anet = {};
  avatar.appearance_mix(options.appearance);  // known?
  return std::make_shared<const Avatar>(std::move(avatar));
}

// The face moves as a file says, and the recording is only heard; an emotion still changes the look of the skin.
void play_motion(const SpeakOptions& options, const SessionOptions& session, bool quiet) {
  if (!options.text.empty() || options.input == "-" || options.emotion == kAutoEmotion) {
    throw Error(ErrorCode::kBadArgument, "--motion does not go with --text, standard input or --emotion auto",
                "for example: mien speak take.wav --motion take.csv -o take.mp4");
  }
  const auto avatar = load_avatar(options, find_avatar(options.avatar));
  HeadMotion motion = load_motion(options.motion);
  if (options.emotion != SpeakOptions().emotion) {  // else the file's own
    const EmotionTrack emotion = parse_emotion_track(options.emotion);
    for (int f = 0; f < motion.frame_count(); ++f) motion.frames[f].emotion = emotion.at(f / motion.fps);
  }
  add_sound(options.input, *avatar, motion);
  write_motion_video(avatar, motion, session,
                     {.output = options.output, .audio = options.input, .crf = options.crf, .quiet = quiet});
  if (options.json) {
    const Json result = {{"output", options.output}, {"frames", motion.frame_count()}, {"fps", motion.fps}};
    std::printf("%s\n", result.dump().c_str());
  }
}

void speak(const SpeakOptions& options, bool quiet) {
  if (options.motion.empty() && options.input.empty() == options.text.empty()) {
    throw Error(ErrorCode::kBadArgument, "speak needs either a recording or --text",
                "for example: mien speak hello.wav -o hello.mp4");
  }
  SessionOptions session_options;
  parse_size(options.size, session_options.width, session_options.height);
  session_options.fps = options.fps;
  session_options.device = parse_device(options.device);
  session_options.view = parse_view(options.camera);
  session_options.idle = !options.no_idle;
  session_options.idle_options.seed = options.seed;
  session_options.mouth_gain = options.mouth_gain;
  session_options.person = options.person;
  session_options.appearance = options.appearance;
  if (!options.motion.empty()) return play_motion(options, session_options, quiet);
  const bool listens = options.emotion == kAutoEmotion;
  const EmotionTrack emotion = listens ? EmotionTrack{} : parse_emotion_track(options.emotion);
  if (std::filesystem::path(options.output).extension() != ".mp4") {
    throw Error(ErrorCode::kBadArgument, fmt::format("output \"{}\" is not an .mp4 file", options.output),
                "give a name such as -o hello.mp4");
  }
  SoundSource sound(options);
  std::optional<VoiceEmotion::Stream> listener;
  if (listens) listener.emplace(load_voice_emotion(options.emotion_model).stream());
  const std::filesystem::path avatar_path = find_avatar(options.avatar);
  const auto avatar = load_avatar(options, avatar_path);
  Session session(avatar, load_speech(options, avatar_path), session_options);
  session.set_emotion(emotion);

  VideoWriterOptions video;
  video.width = session_options.width;
  video.height = session_options.height;
  video.fps = options.fps;
  video.crf = options.crf;
  video.audio_rate = sound.ear_rate();
  video.metadata = {{"comment", "Synthetic talking head made with Mien"},
                    {"mien_avatar", avatar->name},
                    {"mien_provenance", "synthetic"}};
  VideoWriter writer(options.output, video);

  const auto start = std::chrono::steady_clock::now();
  ProgressBar bar("speaking", quiet);
  const auto total = static_cast<std::int64_t>(sound.duration() * options.fps);
  std::vector<float> speech, ear;
  SessionFrame frame;
  std::int64_t frames = 0;
  bool more = true;
  while (more) {
    more = sound.read(speech, ear);
    if (more) {
      if (listener) {
        listener->push(speech);
        session.set_emotion(listener->track());
      }
      session.push_audio(speech);
      writer.write_audio(ear);
    } else {
      session.finish();
    }
    while (session.next_frame(frame)) {
      writer.write_frame(std::move(frame.picture));
      bar(++frames, total);
      throw_if_interrupted();
    }
  }
  if (frames == 0) throw Error(ErrorCode::kBadFile, options.input + ": holds no sound", "give a recording with speech");
  writer.finish();
  bar.finish();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (options.json) {
    Json result = {{"output", options.output},
                   {"frames", frames},
                   {"fps", options.fps},
                   {"seconds", seconds},
                   {"frames_per_second", static_cast<double>(frames) / seconds}};
    if (listener) result["emotion_latency_seconds"] = listener->latency();
    std::printf("%s\n", result.dump().c_str());
  } else {
    std::printf("%s: %lld frames at %d per second, made at %.1f frames/s\n", options.output.c_str(),
                static_cast<long long>(frames), options.fps, static_cast<double>(frames) / seconds);
  }
}

}  // namespace

void add_speak_command(CLI::App& app) {
  auto options = std::make_shared<SpeakOptions>();
  CLI::App* command = app.add_subcommand("speak", "Make a video of an avatar that says a recording or a text");
  command->add_option("INPUT", options->input, "Any audio or video file; - reads standard input");
  command->add_option("--text", options->text, "Say this sentence instead (English, synthetic voice)");
  command->add_option("--motion", options->motion,
                      "Move as this HeadMotion file (.safetensors) or these ARKit curves of Live Link Face (.csv) say; "
                      "INPUT, if given, is the sound that goes with it");
  command->add_option("--voice", options->voice, "Voice for --text: slt, rms, awb or kal16")->capture_default_str();
  command->add_option("-o,--output", options->output, "Video to write (.mp4)")->required();
  command->add_option("--avatar", options->avatar, "Shipped avatar or a .mien file")->capture_default_str();
  command->add_option("--appearance", options->appearance,
                      "One of the avatar's appearances, or a mixture such as beach:0.3,studio:0.7");
  command
      ->add_option(
          "--emotion", options->emotion,
          "NAME[:INTENSITY][,...], for example happy:0.8; over time \"neutral@0; happy:0.8@1.5\"; a .json file; or "
          "auto: what the voice expresses, heard by a network of your own, 1.6 to 2.5 s late")
      ->capture_default_str();
  command->add_option("--emotion-model", options->emotion_model,
                      "For --emotion auto: a file of mien train emotion, or the folder with config.json and "
                      "model.safetensors of a Wav2Vec2ForSequenceClassification or HubertForSequenceClassification "
                      "(default: emotion.safetensors or emotion/ of the models folder; none is shipped)");
  command->add_option("--speech", options->speech,
                      "Speech networks (default: the avatar's own, NAME.speech.safetensors beside it, else the shipped "
                      "ones)");
  command->add_option("--person", options->person, "Whose way of moving, of those that the speech networks know");
  command->add_option("--encoder-model", options->encoder_model,
                      "Folder of the HuBERT or wav2vec 2.0 model that the speech networks listen to, if they do");
  command->add_option("--camera", options->camera, "front, left, right, three-quarter, orbit, sway, or YAW,PITCH,ZOOM")
      ->capture_default_str();
  command->add_option("--size", options->size, "Picture size WIDTHxHEIGHT")->capture_default_str();
  command->add_option("--device", options->device, "Draw on: auto, cpu or cuda (an NVIDIA GPU)")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command->add_option("--fps", options->fps, "Frames per second")->capture_default_str();
  command->add_option("--crf", options->crf, "H.264 quality, 0 (best) to 51")
      ->check(CLI::Range(0, 51))
      ->capture_default_str();
  command->add_option("--mouth-gain", options->mouth_gain, "Size of the mouth's movements, 0 to 2")
      ->capture_default_str();
  command->add_flag("--no-idle", options->no_idle, "No blinks, gaze, breathing or head sway of its own");
  command->add_flag("--no-g2anet", options->no_g2anet, "Draw without the networks for the look of the moment");
  command->add_option("--seed", options->seed, "Of everything random")->capture_default_str();
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->footer("Example:\n  mien speak hello.wav --emotion happy:0.8 --camera orbit -o hello.mp4");
  command->callback([options, command] { speak(*options, is_quiet(*command)); });
}

}  // namespace mien::app
