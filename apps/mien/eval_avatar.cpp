// mien eval avatar: an avatar against the pictures of a capture, moved by the capture's own motion or by its sound.
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

#include "commands.h"
#include "emotion_score.h"
#include "field_score.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/capture/split.h"
#include "mien/landmarks/face_descriptor.h"
#include "mien/landmarks/face_networks.h"
#include "mien/metrics/lpips.h"
#include "mien/training/gaussian_trainer.h"
#include "motion_source.h"

namespace mien::app {
namespace {

struct Options {
  std::string avatar, capture, sheet, lpips_weights;
  std::string motion = "tracked", device = "auto";
  std::string speech;
  GaussianEvaluationOptions evaluation;
  float hold_out = -1;  // -1: as the avatar was trained
  bool no_emotion = false, faces = false, json = false;
};

// What the speech networks make of a sequence's sound and emotion.
HeadMotion speech_motion(const Options& options, const Capture& capture, const HeadModel& head,
                         const CaptureSequence& sequence) {
  const std::string where = fmt::format("{}: sequence {}", options.capture, sequence.id);
  if (sequence.audio.empty()) {
    throw Error(ErrorCode::kBadFile, where + " has no audio to drive the avatar",
                "use --motion tracked, or choose a --split whose sequences have audio");
  }
  MotionSource source;
  source.speech = options.speech;
  source.fps = sequence.fps;
  return make_motion(source, head, read_audio(path_inside(capture.folder, sequence.audio, where)), {},
                     options.no_emotion ? EmotionTrack{} : sequence.emotion);
}

// A number, or null where there is none.
Json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

Json as_json(const Options& options, const GaussianEvaluation& r, const std::optional<EmotionScore>& emotion) {
  Json out = {{"motion", options.motion},
              {"split", options.evaluation.split},
              {"pictures", r.pictures},
              {"psnr", number(r.psnr)},
              {"ssim", r.ssim},
              {"lpips", number(r.lpips)},
              {"cpbd", r.cpbd},
              {"cpbd_truth", r.cpbd_truth},
              {"lmd_px", number(r.lmd)},
              {"lmd_lips_px", number(r.lmd_lips)},
              {"lve_mm", number(r.lve_mm)},
              {"jitter_ratio", number(r.jitter_ratio)},
              {"psnr_wrinkled", number(r.psnr_wrinkled)},
              {"wrinkles", Json::object()},
              {"emotion_accuracy", nullptr},
              {"emotion_accuracy_tracked", nullptr}};
  for (const AppearanceScore& a : r.appearances) {
    out["appearances"][a.name] = {{"pictures", a.pictures},
                                  {"psnr", number(a.psnr)},
                                  {"ssim", a.ssim},
                                  {"lpips", number(a.lpips)},
                                  {"lmd_seen_px", number(a.lmd_seen)},
                                  {"identity", number(a.identity)},
                                  {"jitter_seen", number(a.jitter_seen)}};
  }
  for (const WrinkleScore& w : r.wrinkles) {
    out["wrinkles"][w.region] = {{"pictures", w.pictures},
                                 {"psnr", w.psnr},
                                 {"wrinkled_pictures", w.wrinkled_pictures},
                                 {"wrinkled_psnr", number(w.wrinkled_psnr)}};
  }
  if (emotion) {
    out.update({{"emotion_accuracy", emotion->driven},
                {"emotion_accuracy_tracked", emotion->tracked},
                {"emotion_windows", emotion->windows},
                {"emotion_chance", emotion->chance}});
  }
  return out;
}

void print(const Options& options, const GaussianEvaluation& r, const std::optional<EmotionScore>& emotion) {
  if (options.json) {
    std::printf("%s\n", as_json(options, r, emotion).dump().c_str());
    return;
  }
  const auto line = [](const std::string& name, const std::optional<double>& value, const std::string& remark) {
    if (value) std::printf("%-22s %8.4f  %s\n", name.c_str(), *value, remark.c_str());
  };
  std::printf("%d pictures of the split \"%s\", %s motion\n", r.pictures, options.evaluation.split.c_str(),
              options.motion.c_str());
  line("PSNR", r.psnr, "dB, inside the matte");
  line("SSIM", r.ssim, "inside the matte");
  line("LPIPS", r.lpips, "SqueezeNet, whole picture on black");
  line("LMD", r.lmd, "pixels, all landmarks");
  line("LMD, lips", r.lmd_lips, "pixels");
  line("CPBD", r.cpbd, fmt::format("truth {:.4f}", r.cpbd_truth));
  line("LVE", r.lve_mm, "mm, worst lip vertex of each frame");
  line("jitter", r.jitter_ratio, "times that of the truth");
  if (emotion) {
    line("emotion accuracy", emotion->driven,
         fmt::format("of {} windows; the tracked motion {:.4f}, chance {:.4f}", emotion->windows, emotion->tracked,
                     emotion->chance));
  }
  line("PSNR, wrinkled", r.psnr_wrinkled, "dB, where and while the true face is wrinkled");
  for (const WrinkleScore& w : r.wrinkles) {
    line("  " + w.region, w.wrinkled_psnr,
         fmt::format("dB in {} pictures; {:.2f} in all {} that show it", w.wrinkled_pictures, w.psnr, w.pictures));
  }
}

// A row an appearance, and the mean over them, in which each counts the same.
void print_appearances(const std::vector<AppearanceScore>& all) {
  const auto cell = [](const std::optional<double>& value, const char* format) {
    return value && std::isfinite(*value) ? fmt::format(fmt::runtime(format), *value) : std::string("-");
  };
  const auto row = [&](const AppearanceScore& a) {
    std::printf("%-22s %8d %7s %7s %7s %7s %9s %7s\n", a.name.c_str(), a.pictures, cell(a.psnr, "{:.2f}").c_str(),
                cell(a.ssim, "{:.4f}").c_str(), cell(a.lpips, "{:.4f}").c_str(), cell(a.lmd_seen, "{:.2f}").c_str(),
                cell(a.identity, "{:.3f}").c_str(), cell(a.jitter_seen, "{:.2f}").c_str());
  };
  std::printf("\n%-22s %8s %7s %7s %7s %7s %9s %7s\n", "appearance", "pictures", "PSNR", "SSIM", "LPIPS", "LMD",
              "identity", "jitter");
  AppearanceScore mean;
  mean.name = "mean over appearances";
  const auto average = [&](auto member) {
    double sum = 0;
    int count = 0;
    for (const AppearanceScore& a : all) {
      const std::optional<double> value = a.*member;
      sum += value.value_or(0);
      count += value ? 1 : 0;
    }
    return count > 0 ? std::optional<double>(sum / count) : std::nullopt;
  };
  for (const AppearanceScore& a : all) {
    row(a);
    mean.pictures += a.pictures;
  }
  mean.psnr = average(&AppearanceScore::psnr).value_or(0);
  mean.ssim = average(&AppearanceScore::ssim).value_or(0);
  mean.lpips = average(&AppearanceScore::lpips);
  mean.lmd_seen = average(&AppearanceScore::lmd_seen);
  mean.identity = average(&AppearanceScore::identity);
  mean.jitter_seen = average(&AppearanceScore::jitter_seen);
  if (all.size() > 1) row(mean);
}

// Finds the face in a picture: its landmarks and descriptor.
std::function<std::optional<SeenFace>(const Image8&)> face_finder() {
  const auto networks = std::make_shared<const FaceNetworks>();
  const auto describer = std::make_shared<const FaceDescriber>();
  return [networks, describer](const Image8& picture) -> std::optional<SeenFace> {
    const std::span<const Image8> one(&picture, 1);
    const auto faces = networks->detect(one);
    if (faces.front().empty()) return std::nullopt;
    const FaceRegion region = face_region(faces.front().front());
    FaceLandmarks found = networks->landmarks(one, {&region, 1}, true).front();
    if (found.presence < 0.5) return std::nullopt;
    SeenFace seen;
    for (const auto& p : found.points) seen.landmarks.emplace_back(p[0], p[1]);
    seen.descriptor = describer->describe(picture, found.points);
    return seen;
  };
}

void run(Options& options) {
  options.evaluation.sheet = options.sheet;
  options.evaluation.device = parse_device(options.device);
  options.evaluation.lpips_weights =
      options.lpips_weights.empty() ? Lpips::find_weights() : std::filesystem::path(options.lpips_weights);
  const Avatar avatar = Avatar::load(find_avatar(options.avatar));
  const Capture capture = Capture::load(options.capture);
  const float trained = avatar.training.value("hold_out", usual_hold_out(capture));
  options.evaluation.hold_out = options.hold_out >= 0 ? options.hold_out : trained;
  if (avatar.field) {
    const GaussianEvaluationOptions& o = options.evaluation;
    score_field(avatar, capture, {o.device, o.split, o.hold_out, "", o.every, o.sheet, o.lpips_weights, {}},
                options.json);
    return;
  }
  options.evaluation.sound = find_sound_context(avatar.gaussian);
  std::optional<EmotionScore> emotion;
  std::map<std::string, HeadMotion> made;  // each sequence is heard once
  if (options.motion == "speech") {
    options.evaluation.motion = [&](const CaptureSequence& sequence) {
      auto found = made.find(sequence.id);
      if (found == made.end())
        found = made.emplace(sequence.id, speech_motion(options, capture, avatar.gaussian.head, sequence)).first;
      return found->second;
    };
    // What the judge sees is expressions, of which an avatar without geometry makes no use.
    if (options.evaluation.sound == nullptr)
      emotion = score_emotions(capture, options.evaluation.split, options.evaluation.motion);
  }
  if (options.faces) options.evaluation.see = face_finder();
  const GaussianEvaluation result = evaluate_gaussian_avatar(avatar.gaussian, capture, options.evaluation);
  print(options, result, emotion);
  if (!options.json && (result.appearances.size() > 1 || options.faces)) print_appearances(result.appearances);
}

}  // namespace

void add_eval_avatar_command(CLI::App& eval) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      eval.add_subcommand("avatar", "PSNR, SSIM, LPIPS, LMD, CPBD and more against a capture's pictures");
  command->add_option("AVATAR", options->avatar, "Shipped avatar or a .mien file")->required();
  command->add_option("--capture", options->capture, "Folder with capture.json")->required();
  command->add_option("--split", options->evaluation.split, "train or test")->capture_default_str();
  command
      ->add_option("--hold-out", options->hold_out,
                   "Share of each training video's end that counts as test (default: as in the avatar's training)")
      ->check(CLI::Range(0.0F, kMostHoldOut));
  command
      ->add_option("--motion", options->motion,
                   "\"tracked\": the capture's; \"speech\": from its sound (head pose and gaze stay the capture's)")
      ->check(CLI::IsMember({"tracked", "speech"}))
      ->capture_default_str();
  command->add_option("--device", options->device, "Draw on: auto, cpu or cuda (an NVIDIA GPU)")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  command->add_option("--speech", options->speech, "Speech networks (default: the shipped ones)");
  command->add_flag("--no-emotion", options->no_emotion, "The speech networks are told nothing of the emotion");
  command->add_option("--cameras", options->evaluation.cameras, "Only these cameras")->delimiter(',');
  command->add_option("--sequences", options->evaluation.sequences, "Only sequences whose name ends so");
  command->add_flag("--faces", options->faces,
                    "Find the face in pictures and renderings: landmark distance, identity, and with --every 1 jitter");
  command->add_option("--every", options->evaluation.every, "Every n-th frame")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--lpips-weights", options->lpips_weights,
                      "lpips_squeeze_v0.1.safetensors (default: the shipped one)");
  command->add_option("--sheet", options->sheet, "PNG with truth above render");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->footer(
      "Examples:\n  mien eval avatar me.mien --capture cap/ --split test\n"
      "  mien eval avatar me.mien --capture cap/ --motion speech --json");
  command->callback([options] { run(*options); });
}

}  // namespace mien::app
