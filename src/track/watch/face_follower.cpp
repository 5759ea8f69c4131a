#include "track/watch/face_follower.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "track/watch/face_finder.h"

namespace mien::track {
namespace {

constexpr double kLeastPresence = 0.5;
constexpr double kSameFace = 0.25;      // overlap of two boxes that show one face
constexpr double kMoved = 0.12;         // of the region's size: a face that moves more is looked at again
constexpr double kSettled = 0.02;       // likewise for a face that is new: the detector's region is a rough one
constexpr double kJump = 0.5;           // of the box's height from one frame to the next: no head moves so
constexpr double kSmallestRegion = 12;  // pixels
constexpr int kThoroughEvery = 15;      // frames between thorough looks where there is no face
constexpr std::size_t kMostDescriptors = 64;

bool usable(const FaceRegion& r, const Image8& image) {
  return std::isfinite(r.x + r.y + r.size + r.angle) && r.size >= kSmallestRegion &&
         r.size < 4 * std::max(image.width, image.height) && r.x > -r.size && r.y > -r.size &&
         r.x < image.width + r.size && r.y < image.height + r.size;
}

FacePoints to_points(const FaceLandmarks& face) {
  FacePoints out;
  std::copy_n(face.points.begin(), out.size(), out.begin());
  return out;
}

// Landmarks from a region, and again from their own while they show that the region was off.
FaceLandmarks look_again(const FaceNetworks& networks, const Image8& image, FaceRegion region) {
  FaceLandmarks found = find_landmarks(networks, image, region);
  for (int again = 0; again < 3 && found.presence >= kLeastPresence; ++again) {
    const FaceRegion own = face_region(found);
    const bool off = std::hypot(own.x - region.x, own.y - region.y) > kSettled * region.size ||
                     std::abs(std::log(own.size / region.size)) > kSettled;
    if (!off || !usable(own, image)) break;
    region = own;
    found = find_landmarks(networks, image, region);
  }
  return found;
}

// The mean of two looks, at regions a little larger and smaller, turned a little to and fro: the network's error
// changes with every pixel's shift of its picture, the mean's less so (a fifth less jitter on recordings).
FaceLandmarks look_around(const FaceNetworks& networks, const Image8& image, const FaceRegion& region) {
  constexpr double kLarger = 1.03, kTurn = 0.02;
  FaceLandmarks out =
      find_landmarks(networks, image, {region.x, region.y, region.size * kLarger, region.angle + kTurn});
  const FaceLandmarks other =
      find_landmarks(networks, image, {region.x, region.y, region.size / kLarger, region.angle - kTurn});
  for (std::size_t i = 0; i < out.points.size(); ++i) {
    for (std::size_t k = 0; k < 3; ++k) out.points[i][k] = (out.points[i][k] + other.points[i][k]) / 2;
  }
  out.presence = std::min(out.presence, other.presence);
  return out;
}

// The region to look at next: calm where the face is, at once after it where it goes.
FaceRegion follow_region(const FaceRegion& before, const FaceRegion& now) {
  const double moved = std::hypot(now.x - before.x, now.y - before.y) / before.size;
  const double share = std::clamp(8 * moved, 0.15, 1.0);
  const double turn = std::remainder(now.angle - before.angle, 2 * std::numbers::pi);
  return {before.x + share * (now.x - before.x), before.y + share * (now.y - before.y),
          before.size + std::max(0.1, share / 2) * (now.size - before.size),
          before.angle + std::max(0.15, share) * turn};
}

}  // namespace

FaceFollower::FaceFollower(const FaceNetworks& networks, DescribeFace describe, const FollowOptions& options)
    : networks_(networks), describe_(std::move(describe)), options_(options), since_thorough_(kThoroughEvery) {}

bool FaceFollower::accept(Active& face, const Image8& image, const FaceLandmarks& found) {
  if (found.presence < kLeastPresence) return false;
  const FacePoints points = to_points(found);
  if (face.followed > 0 && face.lost == 0) {
    const FaceBox before = face_box(to_points(face.last)), now = face_box(points);
    const double moved = std::hypot(now.left + now.right - before.left - before.right,
                                    now.top + now.bottom - before.top - before.bottom);
    if (moved / 2 > kJump * before.height()) return false;
  }
  TrackedFace seen;
  seen.points = points;
  seen.presence = static_cast<float>(found.presence);
  seen.sharpness = static_cast<float>(measure_sharpness(image, points));
  seen.seen = true;
  if (!face.patch.empty() && face.lost == 0) {
    const std::vector<std::uint8_t> now = face_patch(image, face.box);
    int sum = 0;
    for (std::size_t i = 0; i < now.size(); ++i) sum += std::abs(now[i] - face.patch[i]);
    seen.change = static_cast<float>(sum) / static_cast<float>(now.size());
  }
  face.box = face_box(points);
  face.patch = face_patch(image, face.box);
  if (describe_ && face.followed % options_.describe_every == 0 && face.track.descriptors.size() < kMostDescriptors) {
    std::vector<float> descriptor = describe_(image, points);
    if (!descriptor.empty()) face.track.descriptors.push_back(std::move(descriptor));
  }
  face.track.frames.push_back(seen);
  face.last = found;
  const FaceRegion own = face_region(found);
  face.region = face.followed > 0 && face.lost == 0 ? follow_region(face.region, own) : own;
  face.lost = 0;
  ++face.followed;
  return true;
}

bool FaceFollower::follow(Active& face, const Image8& image) {
  if (!usable(face.region, image)) return false;
  FaceLandmarks found = look_around(networks_, image, face.region);
  if (found.presence < kLeastPresence) return false;
  const FaceRegion own = face_region(found);
  if (std::hypot(own.x - face.region.x, own.y - face.region.y) > kMoved * face.region.size && usable(own, image)) {
    face.region = own;
    found = look_around(networks_, image, own);
  }
  return accept(face, image, found);
}

void FaceFollower::look(const Image8& image, bool thorough) {
  since_look_ = 0;
  std::vector<FaceDetection> found = find_faces(networks_, image, thorough);
  std::stable_sort(found.begin(), found.end(), [](const FaceDetection& a, const FaceDetection& b) {
    return face_box(a).height() > face_box(b).height();
  });
  for (const FaceDetection& detection : found) {
    const FaceRegion region = face_region(detection);
    if (!usable(region, image)) continue;
    // A face that is being followed, or one lost in this very frame?
    Active* known = nullptr;
    for (Active& face : active_) {
      if (overlap(face_box(to_points(face.last)), face_box(detection)) > kSameFace) known = &face;
    }
    if (known != nullptr && known->track.end() > frame_) continue;
    if (known == nullptr && active_.size() >= options_.most_faces) continue;
    const FaceLandmarks landmarks = look_again(networks_, image, region);
    if (known != nullptr) {
      accept(*known, image, landmarks);
      continue;
    }
    Active face;
    face.track.first = frame_;
    face.track.shot = shot_;
    if (accept(face, image, landmarks)) active_.push_back(std::move(face));
  }
}

void FaceFollower::drop_doubles() {
  for (std::size_t i = 0; i < active_.size(); ++i) {
    for (std::size_t j = i + 1; j < active_.size();) {
      const bool both = active_[i].lost == 0 && active_[j].lost == 0;
      if (both && overlap(face_box(to_points(active_[i].last)), face_box(to_points(active_[j].last))) > 0.4) {
        if (active_[j].followed > active_[i].followed) std::swap(active_[i], active_[j]);
        end_track(active_[j]);
        active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(j));
      } else {
        ++j;
      }
    }
  }
}

void FaceFollower::end_track(Active& face) {
  auto& frames = face.track.frames;
  while (!frames.empty() && !frames.back().seen) frames.pop_back();
  if (!frames.empty()) done_.push_back(std::move(face.track));
}

void FaceFollower::add(const Image8& image, bool cut) {
  if (cut) {
    for (Active& face : active_) end_track(face);
    active_.clear();
    ++shot_;
    since_thorough_ = kThoroughEvery;
  }
  bool lost = false;
  for (Active& face : active_) lost |= !follow(face, image);
  ++since_look_;
  ++since_thorough_;
  if (active_.empty() || lost || since_look_ >= options_.look_every) {
    const bool thorough = active_.empty() && since_thorough_ >= kThoroughEvery;
    look(image, thorough);
    if (thorough) since_thorough_ = 0;
  }
  for (Active& face : active_) {
    if (face.track.end() > frame_) continue;
    face.track.frames.emplace_back();
    if (++face.lost > options_.lost_for) end_track(face);
  }
  std::erase_if(active_, [&](const Active& face) { return face.lost > options_.lost_for; });
  drop_doubles();
  ++frame_;
}

std::vector<FaceTrack> FaceFollower::finish() {
  for (Active& face : active_) end_track(face);
  active_.clear();
  std::stable_sort(done_.begin(), done_.end(),
                   [](const FaceTrack& a, const FaceTrack& b) { return a.first < b.first; });
  return std::move(done_);
}

}  // namespace mien::track
