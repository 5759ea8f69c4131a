// The field avatar: one radiance field for a person in many appearances (PAV, Caliskan et al. 2024), which follows the
// moving head.
//
// A world point goes to its place in the canonical head (deformation.h). There a hash grid, shared by all appearances,
// and the density network D give 16 features that depend on the expression; the offset network O adds to them what the
// appearance's latent features Z say, which lie on the head's vertices and are read at the nearest surface point. The
// first feature is the logarithm of the density; the colour network C sees Z, the direction of view and the features.
//     f = D(grid(x_c), expression) + O(Z, expression),   density = 10/m exp(f_0),   colour = sigmoid(C(f, view, Z))
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "mien/field/hash_grid.h"
#include "mien/field/mlp.h"
#include "mien/head/head_motion.h"

namespace mien {

constexpr int kFieldLatent = 16;     // features of an appearance a vertex
constexpr int kFieldFeatures = 16;   // that the density network gives
constexpr int kFieldDirection = 16;  // spherical harmonics of the direction of view
constexpr int kFieldGaze = 4;        // inputs for the eyes, after the expression weights
constexpr float kFieldDensity = 10;  // per metre, of f_0 = 0

// Where an appearance's latent features live: nowhere (INSTA's setting), once for all of the head, or on its vertices.
enum class FieldLatents { kNone, kGlobal, kLocal };

struct FieldSettings {
  HashGridOptions grid;
  FieldLatents latents = FieldLatents::kLocal;
  bool density_offset = true;
  float limit = 0.10f;   // metres from the head model's surface, beyond which nothing is; long hair needs so much
  float step = 0.0015f;  // metres between the samples of a ray
  int occupancy = 128;   // cells a side of the canonical cube
};

// All that is learnt. Also gradients of it, and in double for tests.
template <typename T>
struct FieldParameters {
  std::vector<T> table;    // of the hash grid
  std::vector<T> density;  // networks' weights, see mlp.h
  std::vector<T> offset;   // empty without density offset or latents
  std::vector<T> colour;
  std::vector<T> latents;  // [A, rows, 16]; rows: vertices, or 1; zero and not learnt for kNone
};

// Sizes of what is learnt.
struct FieldShape {
  HashGrid grid;
  MlpShape density, offset, colour;
  int appearances = 1;
  int rows = 1;  // of latents an appearance
  bool has_latents = true, has_offset = true;
};

// Value type.
struct FieldAvatar {
  HeadModel head;  // the person's: identity applied
  FieldSettings settings;
  int appearances = 1;
  FieldParameters<float> parameters;
  // What rendering need not ask for: canonical cells that hold something, and how far from each triangle (of
  // CanonicalHead) there is something, metres.
  std::vector<std::uint32_t> occupied;  // bits, [(R^3 + 31) / 32]
  std::vector<float> reach;             // [F]
};

FieldShape field_shape(const FieldAvatar& avatar);

// An avatar that has learnt nothing: everything occupied. Throws kBadArgument for settings out of range.
FieldAvatar make_field_avatar(const HeadModel& head, const FieldSettings& settings, int appearances,
                              std::uint64_t seed);

// What the networks know of a moment: expression weights [E], then both eyes' gaze (radians).
std::vector<float> field_condition(const HeadModel& head, const MotionFrame& frame);

// The latents of a mixture of appearances: weight of each [A]; shorter is padded with 0. [rows, 16]
std::vector<float> mix_latents(const FieldAvatar& avatar, std::span<const float> weights);

}  // namespace mien
