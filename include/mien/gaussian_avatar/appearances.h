// One person in several appearances: the Gaussians of one avatar look different in each, and some are there in one
// only.
//
// An appearance ("beach", "studio") is a set of videos with the same hair, beard, clothes and light. All share one
// geometry; what tells them apart is, for Gaussian i in appearance j, a latent feature vector Z_ij of 16 numbers, from
// which a small network makes a residual of the colour, and a smaller one, which learns ten times more slowly, a
// residual of the opacity's logit: PAV's local neural features and its density offset (ECCV 2024), carried by the
// Gaussians themselves in place of the mesh. Four more numbers beside Z_ij are residuals themselves, of colour and
// logit: they start from what the pictures of that appearance show.
//
// None of that depends on the moment. It is worked out once, after training: the avatar keeps the residuals alone, and
// dress() adds those of an appearance, or of a mixture, to the Gaussians before the first picture. A frame costs
// nothing more.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mien/gaussian_avatar/g2anet.h"

namespace mien {

struct GaussianAvatar;

enum class AppearanceFeatures {
  kNone,    // all appearances look alike (INSTA's setting)
  kGlobal,  // one Z_j for all Gaussians of an appearance, with their place on the head
  kLocal    // a Z_ij each
};
// "none", "global", "local". Throws kBadArgument, listing them.
AppearanceFeatures parse_appearance_features(const std::string& name);

struct AppearanceOptions {
  AppearanceFeatures features = AppearanceFeatures::kLocal;
  bool density_offset = true;  // whether the opacity differs too
};

constexpr int kLatent = 16;                 // numbers of Z
constexpr int kLookColours = 12;            // spherical harmonics that an appearance moves: degrees 0 and 1, RGB
constexpr int kLookRow = kLookColours + 1;  // and the opacity's logit
constexpr int kDirect = 4;                  // residuals beside Z: RGB of degree 0, logit

struct Appearances {
  std::vector<std::string> names;         // [A]; none: the avatar has one appearance, the Gaussians' own
  std::vector<std::vector<float>> shift;  // [A] of [N, kLookRow]: added to SH degrees 0 and 1, and to the logit
  // What training learns, and nobody needs afterwards.
  AppearanceOptions options;
  std::vector<std::vector<float>> features;  // [A] of [N, kLatent + kDirect], or of [kLatent] for all Gaussians
  std::vector<G2aLayer> colour, density;     // Z, base colour (and the place, with kGlobal) -> 12; Z -> 1

  bool empty() const { return names.empty(); }
  int count() const { return static_cast<int>(names.size()); }
  bool learns() const { return !features.empty(); }
  // Numbers a Gaussian has in `features`; 0 when they are the same for all.
  int feature_row() const { return options.features == AppearanceFeatures::kLocal ? kLatent + kDirect : 0; }
};

// Numbers of a Gaussian's place that kGlobal's network sees: as g2a_places() encodes it.
constexpr int kLookFrequencies = 6;
std::vector<float> look_places(const GaussianAvatar& avatar);  // [N, 2 + 4 kLookFrequencies + 9]

// New features and networks for an avatar without: every appearance starts as the Gaussians are.
void make_appearances(GaussianAvatar& avatar, const std::vector<std::string>& names, const AppearanceOptions& options,
                      std::uint64_t seed);

// The layers of those options, all zero: what a checkpoint fills.
void make_look_layers(Appearances& looks);

// How much of each appearance: weights [A], at least 0, of sum 1.
using AppearanceMix = std::vector<float>;

// "beach", or "beach:0.3,studio:0.7" (shares of any sum). Throws kBadArgument, listing the names, for an unknown or a
// repeated one, and for a share that is negative, no number, or all zero.
AppearanceMix parse_appearance_mix(const std::string& text, const std::vector<std::string>& names);

// The avatar in an appearance: Gaussians with its residuals, `looks` empty. In a mixture opacities are the weighted
// mean, and colours are weighted by opacity too: what is not there in an appearance has no say in the colour. Throws
// kBadArgument for weights that are not as above; an avatar without appearances is returned as it is.
GaussianAvatar dress(const GaussianAvatar& avatar, const AppearanceMix& mix);
GaussianAvatar dress(const GaussianAvatar& avatar, int appearance);

// The logit of a Gaussian's opacity where it is highest, over all appearances.
float most_opaque_logit(const GaussianAvatar& avatar, std::size_t gaussian);

}  // namespace mien
