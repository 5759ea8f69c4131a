// First Gaussians of an avatar: on the head model's surface, and inside the visual hull where the model has none (hair,
// clothing), coloured from the pictures of one canonical moment.
#pragma once

#include <cstdint>
#include <vector>

#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/media/image.h"

namespace mien {

// One picture of the canonical moment.
struct CanonicalView {
  Camera camera;
  ImageF rgb;    // foreground premultiplied by the matte (over black)
  ImageF matte;  // 1 channel, [0,1]
};

// All pictures of one moment.
struct CanonicalMoment {
  MotionFrame frame;
  std::vector<CanonicalView> views;
};

struct InitialiseOptions {
  int surface_count = 42000;  // Gaussians on the head model's own surface: most on face and mouth
  int volume_count = 10000;   // Gaussians off the surface, in the visual hull
  float hull_reach = 0.16f;   // metres from the surface that hair and clothing may reach
  float face_fade = 0.1f;     // 1/mm: hair at distance d from the face follows it by exp(-face_fade d)
  bool colour_modes = true;   // give the face's Gaussians (empty) colour modes
  std::uint64_t seed = 1;
};

// `frame` is the motion at the canonical moment (its vertices are undone, so that the Gaussians are canonical).
// `more`: other moments, such as an open mouth, that give what the canonical one hides its first colour.
// Throws kBadArgument without views.
GaussianAvatar initialise_avatar(const HeadModel& head, const MotionFrame& frame,
                                 const std::vector<CanonicalView>& views, const InitialiseOptions& options,
                                 const std::vector<CanonicalMoment>& more = {});

// One picture of a video, with what it shows.
struct MonocularMoment {
  MotionFrame frame;
  CanonicalView view;
  int appearance = 0;
};

// The same from videos by one camera at a time: no moment is seen from several sides, but the head turns. Gaussians off
// the surface fill what the mattes of an appearance's moments leave of the space round the head and the shoulders, each
// point carried along with the head (and near the head rather than far from it: a single camera says little about
// depth). Every appearance with `names` ([A]; the moments' appearances index them) gets features by `looks`, local ones
// with first residuals: the colours of its own moments, and transparency where its mattes say that nothing is. Throws
// kBadArgument without moments.
GaussianAvatar initialise_monocular(const HeadModel& head, const std::vector<MonocularMoment>& moments,
                                    const InitialiseOptions& options, const std::vector<std::string>& names = {},
                                    const AppearanceOptions& looks = {});

// Scalp, ears, neck, shoulders: what no expression moves.
bool is_rigid_region(HeadRegion region);

// The Gaussians whose look changes with the expression: those on the surface of face and mouth. Ascending.
std::vector<std::int32_t> facial_gaussians(const GaussianAvatar& avatar);

// Drops Gaussians that the pictures do not bear out: in the canonical moment they stand outside the matte in two or
// more views, or fewer than `least_views` views see them at all. Returns how many went.
int prune_floaters(GaussianAvatar& avatar, const MotionFrame& frame, const std::vector<CanonicalView>& views,
                   int least_views = 4);

// Keeps the Gaussians whose entry in `keep` [N] is true, in order.
void keep_gaussians(GaussianAvatar& avatar, const std::vector<bool>& keep);

}  // namespace mien
