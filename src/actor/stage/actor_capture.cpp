#include "mien/actor/actor_capture.h"

#include <algorithm>

#include "actor_speech.h"
#include "mien/actor/performance.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"
#include "mien/base/parallel.h"
#include "mien/base/safetensors.h"
#include "mien/capture/capture.h"
#include "mien/media/audio.h"

namespace fs = std::filesystem;

namespace mien {
namespace {

// One camera of a sequence: fixed, or one camera a frame.
struct Filming {
  std::string id;
  std::vector<Camera> cameras;  // 1, or one a frame
  const Camera& at(int frame) const { return cameras.size() == 1 ? cameras[0] : cameras[frame]; }
};

std::string picture_path(const CaptureView& view, int frame, bool png) {
  return view.images + "/" + frame_name(frame) + (png ? ".png" : ".jpg");
}

class Maker {
 public:
  Maker(const HeadModel& model, const HeadAssets& assets, const ActorCaptureOptions& options, fs::path folder,
        ProgressCallback progress)
      : options_(options),
        folder_(std::move(folder)),
        progress_(std::move(progress)),
        stage_(model, assets, options.performer, options.stage) {}

  void run() {
    make_output_folder(folder_);
    check_same_options();
    capture_.folder = folder_;
    capture_.person = options_.performer.name;
    capture_.head_model = "head.safetensors";
    SafetensorsWriter head;
    stage_.head().save(head, "");
    head.write(folder_ / capture_.head_model);
    set_up_cameras();
    plan();
    for (std::size_t s = 0; s < plans_.size(); ++s) film(plans_[s]);
    write_preview();
    capture_.save();
  }

 private:
  struct Plan {
    CaptureSequence sequence;
    std::vector<CaptureView> extra;  // views of the test-only twin
    HeadMotion motion;
  };

  // The options that decide what the pictures show; an existing folder must have been made with the same.
  void check_same_options() {
    const Performer& p = options_.performer;
    Json emotions = Json::array();
    for (const EmotionVector& e : options_.emotions) emotions.push_back(e);
    const Json made = {{"person", p.name},
                       {"identity", p.identity},
                       {"hair", p.hair},
                       {"clothes", p.clothes},
                       {"glasses", p.glasses},
                       {"light", p.light},
                       {"rig", options_.rig},
                       {"seconds", options_.seconds},
                       {"fps", options_.fps},
                       {"sequences", options_.sequences},
                       {"emotions", emotions},
                       {"text", options_.text},
                       {"voice", options_.voice},
                       {"appearance", options_.appearance},
                       {"extra_views", options_.extra_views},
                       {"png", options_.png},
                       {"quality", options_.jpeg_quality},
                       {"seed", options_.seed},
                       {"size", options_.rig_options.size},
                       {"supersample", options_.stage.supersample},
                       {"background", options_.stage.background}};
    const fs::path path = folder_ / "actor.json";
    if (fs::exists(path)) {
      if (read_json(path) != made) {
        throw Error(ErrorCode::kBadArgument,
                    fmt::format("{} holds a capture made with other options", folder_.string()),
                    "choose another folder, or remove that one");
      }
    } else if (fs::exists(folder_ / "capture.json")) {
      throw Error(ErrorCode::kBadArgument, fmt::format("{} holds a capture that is not the actor's", folder_.string()),
                  "choose another folder");
    }
    write_json(path, made);
  }

  void set_up_cameras() {
    const auto add = [&](const std::string& id, const Camera& camera, bool moving) {
      CaptureCamera c;
      c.id = id;
      c.camera = camera;
      c.moving = moving;
      c.background = options_.stage.background;
      capture_.cameras.push_back(c);
    };
    if (options_.rig == "emotalk" || options_.rig == "dome") {
      const auto rig = options_.rig == "dome" ? dome_rig(options_.rig_options) : emotalk_rig(options_.rig_options);
      for (const RigCamera& c : rig) {
        add(c.id, c.camera, false);
        filming_.push_back({c.id, {c.camera}});
      }
    } else if (options_.rig == "mono") {
      add("mono", moving_camera(1, options_.fps, options_.seed, options_.rig_options)[0], true);
      filming_.push_back({"mono", {}});
    } else {
      throw Error(ErrorCode::kBadArgument, fmt::format("there is no rig \"{}\"", options_.rig),
                  "choose emotalk, dome or mono");
    }
    if (!options_.extra_views) return;
    for (const RigCamera& c : extra_views(options_.rig_options)) {
      add(c.id, c.camera, false);
      extra_.push_back({c.id, {c.camera}});
    }
  }

  void plan() {
    const int n = options_.sequences;
    const int tests = n >= 3 ? std::max(1, n / 5) : 0;
    // Once every emotion has been trained on, the tests are spread over the last round of them; else the last
    // sequences.
    const int emotions = static_cast<int>(options_.emotions.size());
    const int among = n >= 2 * emotions ? std::max(emotions, tests) : tests;
    const auto is_test = [&](int s) {
      const int k = s - (n - among);
      return k >= 0 && (k + 1) * tests / among > k * tests / among;
    };
    for (int s = 0; s < n; ++s) {
      const EmotionVector& emotion = options_.emotions[static_cast<std::size_t>(s) % options_.emotions.size()];
      const Speech speech = make_speech(options_, emotion, s);
      Plan plan;
      CaptureSequence& q = plan.sequence;
      q.id = fmt::format("{:03}", s);
      q.appearance = options_.appearance;
      q.emotion = waking_emotion(emotion);
      q.fps = options_.fps;
      q.transcript = speech.text;
      q.split = is_test(s) ? "test" : "train";
      PerformanceOptions performance;
      performance.fps = options_.fps;
      performance.seed = options_.seed * 1000 + static_cast<std::uint64_t>(s);
      plan.motion = perform(speech.phones, speech.audio.seconds(), q.emotion, stage_.head(), performance);
      still_beginning(plan.motion);
      q.frames = plan.motion.frame_count();
      make_output_folder(folder_ / q.id);
      q.audio = q.id + "/audio.wav";
      q.phones = q.id + "/phones.json";
      q.motion = q.id + "/motion.safetensors";
      write_wav(folder_ / q.audio, speech.audio);
      write_phones(folder_ / q.phones, speech.phones);
      plan.motion.save(folder_ / q.motion);
      for (const Filming& f : filming_) q.views.push_back(make_view(q, f));
      for (const Filming& f : extra_) plan.extra.push_back(make_view(q, f));
      total_ += static_cast<std::int64_t>(q.frames) * static_cast<std::int64_t>(filming_.size() + extra_.size());
      plans_.push_back(std::move(plan));
    }
  }

  CaptureView make_view(const CaptureSequence& q, const Filming& f) const {
    CaptureView view;
    view.camera = f.id;
    view.images = q.id + "/images/" + f.id;
    view.masks = q.id + "/masks/" + f.id;
    view.labels = q.id + "/labels/" + f.id;
    if (f.cameras.empty()) view.camera_path = q.id + "/camera_path.json";
    make_output_folder(folder_ / view.images);
    make_output_folder(folder_ / view.masks);
    make_output_folder(folder_ / view.labels);
    return view;
  }

  void film(const Plan& plan) {
    const CaptureSequence& q = plan.sequence;
    std::vector<CaptureView> views = q.views;
    views.insert(views.end(), plan.extra.begin(), plan.extra.end());
    std::vector<Filming> filming = filming_;
    filming.insert(filming.end(), extra_.begin(), extra_.end());
    if (options_.rig == "mono") {
      filming[0].cameras =
          moving_camera(q.frames, q.fps, options_.seed + std::hash<std::string>{}(q.id) % 997, options_.rig_options);
      std::vector<Mat4> path;
      for (const Camera& c : filming[0].cameras) path.push_back(c.world_to_camera);
      write_camera_path(folder_ / q.views[0].camera_path, path);
    }
    for (int frame = 0; frame < q.frames; ++frame) {
      std::vector<std::size_t> missing;
      for (std::size_t v = 0; v < views.size(); ++v) {
        if (!fs::exists(folder_ / picture_path(views[v], frame, options_.png)) ||
            !fs::exists(folder_ / views[v].masks / (frame_name(frame) + ".png")) ||
            !fs::exists(folder_ / views[v].labels / (frame_name(frame) + ".png"))) {
          missing.push_back(v);
        }
      }
      if (!missing.empty()) {
        stage_.set_frame(plan.motion.frames[frame]);
        film_frame(views, filming, missing, frame);
      }
      done_ += static_cast<std::int64_t>(views.size());
      if (progress_ && !progress_(done_, total_, "sequence " + q.id)) {
        throw Error(ErrorCode::kInterrupted, fmt::format("stopped at sequence {}, frame {}", q.id, frame),
                    "run the same command again to continue");
      }
    }
    capture_.sequences.push_back(q);
    if (!plan.extra.empty()) {
      CaptureSequence twin = q;
      twin.id += "-views";
      twin.split = "test";
      twin.views = plan.extra;
      capture_.sequences.push_back(twin);
    }
    capture_.save();
  }

  // One task a camera: with several, each is drawn on one thread, which wastes less than sharing every picture.
  void film_frame(const std::vector<CaptureView>& views, const std::vector<Filming>& filming,
                  const std::vector<std::size_t>& which, int frame) const {
    std::vector<std::exception_ptr> errors(which.size());
    parallel_for(static_cast<std::int64_t>(which.size()), 1, [&](std::int64_t i) {
      try {
        const CaptureView& view = views[which[i]];
        const StagePicture picture = stage_.draw(filming[which[i]].at(frame));
        write_image(folder_ / view.masks / (frame_name(frame) + ".png"), picture.matte);
        write_image(folder_ / view.labels / (frame_name(frame) + ".png"), picture.labels);
        write_image(folder_ / picture_path(view, frame, options_.png), picture.rgb, options_.jpeg_quality);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    });
    for (const std::exception_ptr& e : errors) {
      if (e) std::rethrow_exception(e);
    }
  }

  // A few moments of the first sequences, a few cameras each.
  void write_preview() const {
    constexpr int kRows = 4, kSize = 192;
    std::vector<Image8> tiles;
    std::vector<std::size_t> cameras;
    const std::size_t n = plans_[0].sequence.views.size();
    for (std::size_t v = 0; v < n; v += std::max<std::size_t>(1, (n - 1) / 5)) cameras.push_back(v);
    for (int row = 0; row < kRows; ++row) {
      const CaptureSequence& q = plans_[static_cast<std::size_t>(row) % plans_.size()].sequence;
      const int frame = (2 * row + 1) * q.frames / (2 * kRows);
      for (const std::size_t v : cameras) {
        tiles.push_back(
            resize_image(read_image(folder_ / picture_path(q.views[v], frame, options_.png)), kSize, kSize));
      }
    }
    write_image(folder_ / "preview.jpg", tile_images(tiles, static_cast<int>(cameras.size())));
  }

  const ActorCaptureOptions& options_;
  fs::path folder_;
  ProgressCallback progress_;
  Stage stage_;
  Capture capture_;
  std::vector<Filming> filming_, extra_;
  std::vector<Plan> plans_;
  std::int64_t done_ = 0, total_ = 0;
};

}  // namespace

void make_actor_capture(const HeadModel& model, const HeadAssets& assets, const ActorCaptureOptions& o,
                        const fs::path& folder, const ProgressCallback& progress) {
  check_actor_options(o);
  Maker(model, assets, o, folder, progress).run();
}

}  // namespace mien
