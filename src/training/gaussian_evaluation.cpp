#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "gaussian_carrier.h"
#include "mien/base/error.h"
#include "mien/gaussian_avatar/renderer.h"
#include "mien/metrics/image_metrics.h"
#include "mien/metrics/landmark_metrics.h"
#include "mien/metrics/lpips.h"
#include "mien/metrics/motion_metrics.h"
#include "mien/metrics/wrinkle_regions.h"
#include "mien/training/gaussian_trainer.h"
#include "training_samples.h"

namespace mien {
namespace {

constexpr std::size_t kSheetColumns = 8;

Image8 as_image(const std::vector<float>& rgb, int width, int height) {
  ImageF image(width, height, 3);
  image.pixels = rgb;
  return to_8bit(image);
}

// A mean of values that may be missing.
class Mean {
 public:
  void add(double value) {
    sum_ += value;
    ++count_;
  }
  std::optional<double> value() const { return count_ > 0 ? std::optional(sum_ / count_) : std::nullopt; }
  int count() const { return count_; }

 private:
  double sum_ = 0;
  int count_ = 0;
};

// The motions that drive the avatar in place of the capture's, made once a sequence and scored against the truth.
class DrivingMotions {
 public:
  // `carrier`: null with geometry.
  DrivingMotions(const GaussianAvatar& avatar, const SampleReader& reader, const GaussianEvaluationOptions& options,
                 GaussianCarrier* carrier)
      : avatar_(&avatar), reader_(&reader), capture_(&reader.capture()), options_(&options), carrier_(carrier) {}

  // The frame to draw where the truth is `tracked`.
  MotionFrame frame(const SampleKey& key, const MotionFrame& tracked) {
    if (!options_->motion) return tracked;
    const HeadMotion& motion = of(key);
    MotionFrame out = motion.frames[std::min(key.frame, motion.frame_count() - 1)];
    out.pose = tracked.pose;
    out.sound = tracked.sound;  // the same sound, whoever drives
    return out;
  }
  Mean lip_error_mm, jitter;

 private:
  // What is seen of the motion: without geometry, that of the Gaussians.
  HeadMotion seen(const SampleKey& key, const HeadMotion& motion) const {
    HeadMotion out = motion;
    for (int f = 0; carrier_ != nullptr && f < out.frame_count(); ++f) {
      out.frames[f].sound = reader_->motion({key.sequence, 0, std::min(f, reader_->frames(key.sequence) - 1)}).sound;
      out.frames[f] = carrier_->carry(out.frames[f]);
    }
    return out;
  }
  const HeadMotion& of(const SampleKey& key) {
    const int sequence = key.sequence;
    const auto found = made_.find(sequence);
    if (found != made_.end()) return found->second;
    const CaptureSequence& wanted = capture_->sequences[sequence];
    HeadMotion motion = options_->motion(wanted);
    if (motion.frames.empty()) {
      throw Error(ErrorCode::kBadArgument, fmt::format("sequence {}: its driving motion has no frame", wanted.id),
                  "give a motion at least one frame long");
    }
    HeadMotion truth = capture_->load_motion(wanted);
    HeadMotion compared = seen(key, motion);
    jitter.add(jitter_ratio(avatar_->head, truth, compared));
    compared.frames.resize(std::min(truth.frames.size(), motion.frames.size()));
    truth.frames.resize(compared.frames.size());
    lip_error_mm.add(lip_vertex_error_mm(avatar_->head, truth, compared));
    return made_.emplace(sequence, std::move(motion)).first->second;
  }

  const GaussianAvatar* avatar_;
  const SampleReader* reader_;
  const Capture* capture_;
  const GaussianEvaluationOptions* options_;
  GaussianCarrier* carrier_;
  std::map<int, HeadMotion> made_;
};

// The capture's head under its own motion.
class TrueHead {
 public:
  explicit TrueHead(const Capture& capture) : known(!capture.head_model.empty()) {
    if (known) model = capture.load_head_model();
  }
  // The vertices of that moment, world.
  const std::vector<Vec3>& posed(const MotionFrame& tracked) {
    model.deform(tracked.expression.data(), static_cast<int>(tracked.expression.size()),
                 tracked.offsets.empty() ? nullptr : tracked.offsets.data(), vertices_);
    model.pose(tracked.pose, vertices_);
    return vertices_;
  }
  const bool known;
  HeadModel model;

 private:
  std::vector<Vec3> vertices_;
};

// Landmarks of both heads, when there are such.
class LandmarkComparison {
 public:
  LandmarkComparison(const HeadModel& avatar, const TrueHead& truth) : avatar_(&avatar), truth_(&truth) {
    if (!truth.known || avatar.landmarks.empty()) return;
    usable_ = truth.model.landmarks.size() == avatar.landmarks.size();
    lips_ = lip_landmarks(truth.model);
  }
  // `drawn` holds the avatar's posed vertices.
  void add(const std::vector<Vec3>& truth, const std::vector<Vec3>& drawn, const Camera& camera) {
    if (!usable_) return;
    const std::vector<Vec2> a = project_landmarks(truth_->model, truth, camera);
    const std::vector<Vec2> b = project_landmarks(*avatar_, drawn, camera);
    all.add(landmark_distance_px(a, b));
    if (!lips_.empty()) on_lips.add(landmark_distance_px(a, b, lips_));
  }
  Mean all, on_lips;

 private:
  const HeadModel* avatar_;
  const TrueHead* truth_;
  bool usable_ = false;
  std::vector<int> lips_;
};

// PSNR where and when the true face is wrinkled.
class WrinkleComparison {
 public:
  explicit WrinkleComparison(const TrueHead& truth) : regions_(truth.model) {}
  void add(const MotionFrame& tracked, const std::vector<Vec3>& truth, const Camera& camera, const Image8& a,
           const Image8& b, const Image8& matte) {
    constexpr int kLeastPixels = 32;
    if (!regions_.usable()) return;
    const auto active = regions_.activations(tracked.expression);
    std::array<Image8, kWrinkleRegionCount> masks = regions_.masks(truth, camera);
    for (int r = 0; r < kWrinkleRegionCount; ++r) {
      int pixels = 0;
      for (std::size_t i = 0; i < matte.pixels.size(); ++i) {
        if (matte.pixels[i] == 0) masks[r].pixels[i] = 0;
        pixels += masks[r].pixels[i] != 0 ? 1 : 0;
      }
      if (pixels < kLeastPixels) continue;
      const double value = std::min(psnr(a, b, &masks[r]), kMostPsnr);
      any_[r].add(value);
      if (active[r] < kWrinkledFrom) continue;
      wrinkled_[r].add(value);
      all_wrinkled_.add(value);
    }
  }
  void result(GaussianEvaluation& out) const {
    out.psnr_wrinkled = all_wrinkled_.value();
    for (int r = 0; r < kWrinkleRegionCount; ++r) {
      if (!any_[r].value()) continue;
      out.wrinkles.push_back(
          {kWrinkleRegionNames[r], any_[r].count(), *any_[r].value(), wrinkled_[r].count(), wrinkled_[r].value()});
    }
  }

 private:
  static constexpr double kMostPsnr = 100;  // of pictures that are equal there
  WrinkleRegions regions_;
  std::array<Mean, kWrinkleRegionCount> any_, wrinkled_;
  Mean all_wrinkled_;
};

// Landmarks of three pictures in a row: how they tremble.
class Tremble {
 public:
  void add(const SampleKey& key, const std::vector<Vec2>& landmarks) {
    const bool goes_on = key.sequence == last_.sequence && key.view == last_.view && key.frame == last_.frame + 1;
    if (!goes_on) before_.clear();
    before_.push_back(landmarks);
    last_ = key;
    if (before_.size() < 3) return;
    double sum = 0;
    for (std::size_t i = 0; i < landmarks.size(); ++i)
      sum += static_cast<double>((before_[0][i] - 2 * before_[1][i] + before_[2][i]).norm());
    mean.add(sum / static_cast<double>(landmarks.size()));
    before_.erase(before_.begin());
  }
  void miss() { before_.clear(); }
  Mean mean;

 private:
  SampleKey last_ = {-1, -1, -1};
  std::vector<std::vector<Vec2>> before_;
};

// The scores of one appearance as they add up.
class AppearanceComparison {
 public:
  void add(const SampleKey& key, double psnr, double ssim, std::optional<double> lpips) {
    key_ = key;
    psnr_.add(psnr);
    ssim_.add(ssim);
    if (lpips) lpips_.add(*lpips);
  }
  void add_faces(const std::optional<SeenFace>& truth, const std::optional<SeenFace>& drawn) {
    if (!truth || !drawn) {
      trembles_.miss();
      trembles_truth_.miss();
      return;
    }
    lmd_.add(landmark_distance_px(truth->landmarks, drawn->landmarks));
    double cosine = 0;
    for (std::size_t k = 0; k < std::min(truth->descriptor.size(), drawn->descriptor.size()); ++k)
      cosine += double{truth->descriptor[k]} * drawn->descriptor[k];
    identity_.add(cosine);
    trembles_.add(key_, drawn->landmarks);
    trembles_truth_.add(key_, truth->landmarks);
  }
  AppearanceScore result(const std::string& name) const {
    AppearanceScore out;
    out.name = name;
    out.pictures = psnr_.count();
    out.psnr = *psnr_.value();
    out.ssim = *ssim_.value();
    out.lpips = lpips_.value();
    out.lmd_seen = lmd_.value();
    out.identity = identity_.value();
    if (trembles_.mean.value() && *trembles_truth_.mean.value() > 0)
      out.jitter_seen = *trembles_.mean.value() / *trembles_truth_.mean.value();
    return out;
  }

 private:
  SampleKey key_;
  Mean psnr_, ssim_, lpips_, lmd_, identity_;
  Tremble trembles_, trembles_truth_;
};

// The avatar in the appearance that a picture shows, by its name.
class Wardrobe {
 public:
  Wardrobe(const GaussianAvatar& avatar, const SampleReader& reader, Device device)
      : avatar_(&avatar), reader_(&reader), device_(device) {}
  AvatarRenderer& of(const SampleKey& key) {
    const int appearance = index_of(reader_->capture().sequences[key.sequence]);
    auto& worn = worn_[appearance];
    if (!worn) {
      worn_.clear();  // pictures come by sequence: one at a time is enough
      auto& fresh = worn_[appearance];
      fresh = std::make_unique<Worn>(dress(*avatar_, appearance), device_);
      return fresh->renderer;
    }
    return worn->renderer;
  }

 private:
  struct Worn {
    Worn(GaussianAvatar dressed, Device device) : avatar(std::move(dressed)), renderer(avatar, device) {}
    GaussianAvatar avatar;
    AvatarRenderer renderer;
  };
  int index_of(const CaptureSequence& sequence) const {
    const std::vector<std::string>& names = avatar_->looks.names;
    if (names.empty()) return 0;
    const int index = appearance_of(names, sequence);
    if (index >= 0) return index;
    throw Error(ErrorCode::kBadArgument,
                fmt::format("sequence {} shows the appearance \"{}\", which the avatar lacks", sequence.id,
                            sequence.appearance),
                fmt::format("it has {}; compare it with a capture of those", fmt::join(names, ", ")));
  }
  const GaussianAvatar* avatar_;
  const SampleReader* reader_;
  Device device_;
  std::map<int, std::unique_ptr<Worn>> worn_;
};

std::vector<SampleKey> wanted_keys(const SampleReader& reader, const GaussianEvaluationOptions& options) {
  std::vector<SampleKey> keys;
  for (const SampleKey& key : reader.keys()) {
    const std::string& camera = reader.capture().sequences[key.sequence].views[key.view].camera;
    if (!reader.capture().sequences[key.sequence].id.ends_with(options.sequences)) continue;
    const bool wanted = options.cameras.empty() ||
                        std::find(options.cameras.begin(), options.cameras.end(), camera) != options.cameras.end();
    if (wanted && key.frame % options.every == 0) keys.push_back(key);
  }
  if (keys.empty()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("no picture of the split \"{}\" and those cameras", options.split),
                "see what the capture holds: mien capture check");
  }
  return keys;
}

}  // namespace

GaussianEvaluation evaluate_gaussian_avatar(const GaussianAvatar& avatar, const Capture& capture,
                                            const GaussianEvaluationOptions& options) {
  const bool geometry = avatar.g2anet.options.geometry();
  if (!geometry && options.sound == nullptr) {
    throw Error(ErrorCode::kBadArgument, "an avatar without geometry needs to hear", "give the evaluation its sound");
  }
  const SampleReader reader(capture, options.split, std::size_t{64} << 20, geometry ? nullptr : options.sound.get(),
                            options.hold_out);
  const std::vector<SampleKey> keys = wanted_keys(reader, options);
  std::optional<Lpips> lpips;
  if (!options.lpips_weights.empty()) lpips = Lpips::load(options.lpips_weights);
  Wardrobe wardrobe(avatar, reader, options.device);
  std::optional<GaussianCarrier> carrier;
  if (!geometry) carrier.emplace(avatar);
  DrivingMotions driving(avatar, reader, options, carrier ? &*carrier : nullptr);
  TrueHead true_head(capture);
  LandmarkComparison landmarks(avatar.head, true_head);
  WrinkleComparison wrinkles(true_head);
  Mean peak, similarity, perceptual, sharp, sharp_truth;
  std::map<std::string, AppearanceComparison> appearances;
  std::vector<Image8> truth, drawn;
  // An odd stride through the list, so that the sheet shows sequences, views and frames alike.
  const std::size_t stride = std::max<std::size_t>(1, keys.size() / kSheetColumns) | 1;
  for (std::size_t n = 0; n < keys.size(); ++n) {
    const TrainingSample sample = reader.read(keys[n]);
    std::vector<float> rgb(sample.rgb.size()), alpha(sample.matte.size());
    const MotionFrame driven = driving.frame(keys[n], *sample.motion);
    AvatarRenderer& renderer = wardrobe.of(keys[n]);
    renderer.render(driven, sample.camera, splat_options(avatar), rgb.data(), alpha.data());
    const Image8 a = as_image(sample.rgb, sample.camera.width, sample.camera.height);
    const Image8 b = as_image(rgb, sample.camera.width, sample.camera.height);
    Image8 mask(a.width, a.height, 1);
    for (std::size_t i = 0; i < sample.matte.size(); ++i) mask.pixels[i] = sample.matte[i] > 0.5f ? 255 : 0;
    const double sample_psnr = psnr(a, b, &mask), sample_ssim = ssim(a, b, &mask);
    peak.add(sample_psnr);
    similarity.add(sample_ssim);
    sharp.add(cpbd(b));
    sharp_truth.add(cpbd(a));
    std::optional<double> sample_lpips;
    if (lpips && std::min(a.width, a.height) >= Lpips::kSmallestSide) sample_lpips = (*lpips)(a, b);
    if (sample_lpips) perceptual.add(*sample_lpips);
    AppearanceComparison& appearance = appearances[capture.sequences[keys[n].sequence].appearance];
    appearance.add(keys[n], sample_psnr, sample_ssim, sample_lpips);
    if (options.see) appearance.add_faces(options.see(a), options.see(b));
    if (true_head.known) {
      const std::vector<Vec3>& posed = true_head.posed(*sample.motion);
      landmarks.add(posed, carrier ? carrier->vertices(driven) : renderer.vertices(), sample.camera);
      wrinkles.add(*sample.motion, posed, sample.camera, a, b, mask);
    }
    if (!options.sheet.empty() && truth.size() < kSheetColumns && n % stride == stride / 2) {
      truth.push_back(a);
      drawn.push_back(b);
    }
  }
  if (!options.sheet.empty()) {
    const int columns = static_cast<int>(truth.size());
    truth.insert(truth.end(), drawn.begin(), drawn.end());
    write_image(options.sheet, tile_images(truth, columns));
  }
  GaussianEvaluation result;
  result.pictures = static_cast<int>(keys.size());
  result.psnr = *peak.value();
  result.ssim = *similarity.value();
  result.lpips = perceptual.value();
  result.cpbd = *sharp.value();
  result.cpbd_truth = *sharp_truth.value();
  for (const CaptureSequence& sequence : capture.sequences) {
    const auto found = appearances.find(sequence.appearance);
    if (found == appearances.end()) continue;
    result.appearances.push_back(found->second.result(sequence.appearance));
    appearances.erase(found);
  }
  result.lmd = landmarks.all.value();
  result.lmd_lips = landmarks.on_lips.value();
  result.lve_mm = driving.lip_error_mm.value();
  result.jitter_ratio = driving.jitter.value();
  wrinkles.result(result);
  return result;
}

}  // namespace mien
