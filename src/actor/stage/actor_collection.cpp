// The actor before one camera on several occasions.
#include <algorithm>
#include <cmath>

#include "actor_speech.h"
#include "mien/actor/actor_capture.h"
#include "mien/actor/performance.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/capture/capture.h"
#include "mien/media/audio.h"

namespace fs = std::filesystem;

namespace mien {
namespace {

constexpr float kDegree = 0.01745329f;
constexpr float kNovelDegrees = 30;  // of the held-out cameras, from the training one
constexpr double kTestRate = 5;      // frames/s of held-out sequences: neighbours look alike
constexpr double kLaterShare = 0.6, kViewsShare = 0.5, kFacesShare = 0.6;  // of the training sequence's seconds

enum class Part { kTrain, kLater, kViews, kFaces };
struct PartPlan {
  Part part;
  const char* suffix;
  double share, rate;  // 0: the capture's own
};
constexpr PartPlan kParts[] = {{Part::kTrain, "", 1, 0},
                               {Part::kLater, "-later", kLaterShare, kTestRate},
                               {Part::kViews, "-views", kViewsShare, kTestRate},
                               {Part::kFaces, "-faces", kFacesShare, kTestRate}};

// Looks round as somebody does who films the own head for an avatar: slowly, to all sides.
void turn_head(HeadMotion& motion, Random& random) {
  const float side = random.uniform() < 0.5f ? -1.0f : 1.0f, phase = random.uniform(0, 6.28f);
  for (int i = 0; i < motion.frame_count(); ++i) {
    const auto t = static_cast<float>(i / motion.fps);
    const float yaw = side * 24 * std::sin(1.15f * t), pitch = 9 * (std::sin(0.83f * t + phase) - std::sin(phase));
    HeadPose& pose = motion.frames[i].pose;
    pose.head = Quat(Eigen::AngleAxisf(0.7f * yaw * kDegree, Vec3::UnitY())) *
                Quat(Eigen::AngleAxisf(0.7f * pitch * kDegree, Vec3::UnitX())) * pose.head;
    pose.neck = Quat(Eigen::AngleAxisf(0.3f * yaw * kDegree, Vec3::UnitY())) *
                Quat(Eigen::AngleAxisf(0.3f * pitch * kDegree, Vec3::UnitX())) * pose.neck;
  }
}

// The rig's cameras for look number `index`: no two occasions are filmed from quite the same place.
Camera camera_at(int index, float more_degrees, const RigOptions& options) {
  constexpr float kAzimuth[] = {0, -5, 4, 6, -3, 2}, kElevation[] = {0, 3, -3, 2, 5, -2},
                  kDistance[] = {1, 1.06f, 0.95f, 1.03f, 0.98f, 1.1f};
  const auto k = static_cast<std::size_t>(index) % std::size(kAzimuth);
  const float azimuth = (kAzimuth[k] + more_degrees) * kDegree, elevation = kElevation[k] * kDegree;
  const Vec3 target(0, -0.02f, 0.015f);
  const Vec3 direction(std::cos(elevation) * std::sin(azimuth), std::sin(elevation),
                       std::cos(elevation) * std::cos(azimuth));
  return look_at(target + kDistance[k] * options.distance * direction, target,
                 2 * std::atan(0.5f * options.frame / options.distance), options.size, options.size);
}

EmotionVector unseen_emotion(int index) {
  constexpr Emotion kUnseen[] = {Emotion::kSurprised, Emotion::kAngry, Emotion::kHappy,
                                 Emotion::kDisgusted, Emotion::kSad,   Emotion::kFear};
  return emotion_vector(kUnseen[static_cast<std::size_t>(index) % std::size(kUnseen)], 1);
}

class CollectionMaker {
 public:
  CollectionMaker(const HeadModel& model, const HeadAssets& assets, const ActorCaptureOptions& options,
                  std::vector<PerformerLook> looks, fs::path folder, ProgressCallback progress)
      : model_(model),
        assets_(assets),
        options_(options),
        looks_(std::move(looks)),
        folder_(std::move(folder)),
        progress_(std::move(progress)) {}

  void run() {
    make_output_folder(folder_);
    check_same_options();
    capture_.folder = folder_;
    capture_.person = options_.performer.name;
    capture_.head_model = "head.safetensors";
    const HeadModel head = performer_head(model_, options_.performer);
    SafetensorsWriter writer;
    head.save(writer, "");
    writer.write(folder_ / capture_.head_model);
    plan(head);
    for (int look = 0; look < static_cast<int>(looks_.size()); ++look) film(look);
    write_preview();
    capture_.save();
  }

 private:
  struct Plan {
    int look;
    CaptureSequence sequence;
    HeadMotion motion;
  };

  void check_same_options() const {
    Json looks = Json::array();
    for (const PerformerLook& look : looks_) looks.push_back(look.name);
    const Json made = {{"kind", "collection"},
                       {"person", options_.performer.name},
                       {"appearances", looks},
                       {"seconds", options_.seconds},
                       {"fps", options_.fps},
                       {"text", options_.text},
                       {"voice", options_.voice},
                       {"png", options_.png},
                       {"quality", options_.jpeg_quality},
                       {"seed", options_.seed},
                       {"size", options_.rig_options.size},
                       {"background", options_.stage.background}};
    const fs::path path = folder_ / "actor.json";
    const bool mine = fs::exists(path) && read_json(path) == made;
    if (!mine && (fs::exists(path) || fs::exists(folder_ / "capture.json"))) {
      throw Error(ErrorCode::kBadArgument, fmt::format("{} holds a capture made otherwise", folder_.string()),
                  "choose another folder, or remove that one");
    }
    write_json(path, made);
  }

  std::string add_camera(const std::string& id, const Camera& camera) {
    CaptureCamera c;
    c.id = id;
    c.camera = camera;
    c.background = options_.stage.background;
    capture_.cameras.push_back(c);
    return id;
  }

  void plan(const HeadModel& head) {
    for (int look = 0; look < static_cast<int>(looks_.size()); ++look) {
      const std::string& name = looks_[look].name;
      add_camera(name, camera_at(look, 0, options_.rig_options));
      add_camera(name + "-L30", camera_at(look, kNovelDegrees, options_.rig_options));
      add_camera(name + "-R30", camera_at(look, -kNovelDegrees, options_.rig_options));
      for (const PartPlan& part : kParts) plans_.push_back(plan_part(head, look, part));
    }
    for (const Plan& p : plans_)
      total_ += static_cast<std::int64_t>(p.sequence.frames) * static_cast<std::int64_t>(p.sequence.views.size());
  }

  Plan plan_part(const HeadModel& head, int look, const PartPlan& part) {
    const auto index = static_cast<int>(plans_.size());
    ActorCaptureOptions options = options_;
    options.fps = part.rate > 0 ? std::min(part.rate, options_.fps) : options_.fps;
    options.seconds = options_.seconds == 0 ? 0 : std::max(1.0, part.share * options_.seconds);
    const EmotionVector emotion =
        part.part == Part::kFaces ? unseen_emotion(look) : emotion_vector(Emotion::kNeutral, 1);
    const Speech speech = make_speech(options, emotion, index);
    Plan plan;
    plan.look = look;
    CaptureSequence& q = plan.sequence;
    q.appearance = looks_[look].name;
    q.id = q.appearance + part.suffix;
    q.emotion = waking_emotion(emotion);
    q.fps = options.fps;
    q.transcript = speech.text;
    q.split = part.part == Part::kTrain ? "train" : "test";
    PerformanceOptions performance;
    performance.fps = q.fps;
    performance.seed = options_.seed * 1000 + static_cast<std::uint64_t>(index);
    plan.motion = perform(speech.phones, speech.audio.seconds(), q.emotion, head, performance);
    Random random(options_.seed * 77 + static_cast<std::uint64_t>(index), 3);
    if (part.part == Part::kTrain || part.part == Part::kLater) turn_head(plan.motion, random);
    if (part.part == Part::kTrain) still_beginning(plan.motion);
    q.frames = plan.motion.frame_count();
    make_output_folder(folder_ / q.id);
    q.audio = q.id + "/audio.wav";
    q.phones = q.id + "/phones.json";
    q.motion = q.id + "/motion.safetensors";
    write_wav(folder_ / q.audio, speech.audio);
    write_phones(folder_ / q.phones, speech.phones);
    plan.motion.save(folder_ / q.motion);
    std::vector<std::string> cameras = {q.appearance};
    if (part.part == Part::kViews) cameras = {q.appearance + "-L30", q.appearance + "-R30"};
    for (const std::string& camera : cameras) {
      CaptureView view;
      view.camera = camera;
      view.images = q.id + "/images" + (cameras.size() > 1 ? "/" + camera : "");
      view.masks = q.id + "/masks" + (cameras.size() > 1 ? "/" + camera : "");
      view.labels = q.id + "/labels" + (cameras.size() > 1 ? "/" + camera : "");
      for (const std::string& made : {view.images, view.masks, view.labels}) make_output_folder(folder_ / made);
      q.views.push_back(view);
    }
    return plan;
  }

  std::string picture(const CaptureView& view, int frame) const {
    return view.images + "/" + frame_name(frame) + (options_.png ? ".png" : ".jpg");
  }

  void film(int look) {
    std::unique_ptr<Stage> stage;  // made when the first picture is missing
    for (const Plan& plan : plans_) {
      if (plan.look != look) continue;
      const CaptureSequence& q = plan.sequence;
      for (int frame = 0; frame < q.frames; ++frame) {
        bool posed = false;
        for (const CaptureView& view : q.views) {
          const fs::path rgb = folder_ / picture(view, frame),
                         mask = folder_ / view.masks / (frame_name(frame) + ".png"),
                         labels = folder_ / view.labels / (frame_name(frame) + ".png");
          if (fs::exists(rgb) && fs::exists(mask) && fs::exists(labels)) continue;
          if (!stage) stage = std::make_unique<Stage>(model_, assets_, looks_[look].performer, options_.stage);
          if (!std::exchange(posed, true)) stage->set_frame(plan.motion.frames[frame]);
          const StagePicture drawn = stage->draw(capture_.camera(view.camera).camera);
          write_image(mask, drawn.matte);
          write_image(labels, drawn.labels);
          write_image(rgb, drawn.rgb, options_.jpeg_quality);
        }
        done_ += static_cast<std::int64_t>(q.views.size());
        if (progress_ && !progress_(done_, total_, q.id)) {
          throw Error(ErrorCode::kInterrupted, fmt::format("stopped at {}, frame {}", q.id, frame),
                      "run the same command again to continue");
        }
      }
      capture_.sequences.push_back(q);
      capture_.save();
    }
  }

  // A row an appearance, a moment of each part.
  void write_preview() const {
    constexpr int kSize = 192;
    std::vector<Image8> tiles;
    for (const CaptureSequence& q : capture_.sequences)
      for (const CaptureView& view : q.views)
        tiles.push_back(resize_image(read_image(folder_ / picture(view, q.frames / 2)), kSize, kSize));
    write_image(folder_ / "preview.jpg", tile_images(tiles, static_cast<int>(std::size(kParts)) + 1));
  }

  const HeadModel& model_;
  const HeadAssets& assets_;
  const ActorCaptureOptions& options_;
  std::vector<PerformerLook> looks_;
  fs::path folder_;
  ProgressCallback progress_;
  Capture capture_;
  std::vector<Plan> plans_;
  std::int64_t done_ = 0, total_ = 0;
};

}  // namespace

void make_actor_collection(const HeadModel& model, const HeadAssets& assets, const ActorCaptureOptions& options,
                           int appearances, const fs::path& folder, const ProgressCallback& progress) {
  check_actor_options(options);
  if (appearances < 2) {
    throw Error(ErrorCode::kBadArgument, fmt::format("a collection of {} appearances", appearances),
                fmt::format("give 2 to {}, or film a single one with another rig", kMostLooks));
  }
  CollectionMaker(model, assets, options, performer_looks(options.performer, appearances), folder, progress).run();
}

}  // namespace mien
