// Who stands on the actor's stage: one synthetic person's identity, skin, hair, clothes and light.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mien/head/head_assets.h"
#include "mien/head/head_model.h"

namespace mien {

using Colour = std::array<float, 3>;  // sRGB, [0,1]

// Names of styles and textures are those of HeadAssets; an empty name wears nothing of that kind.
struct Performer {
  std::string name;
  std::map<std::string, float> identity;  // weights by HeadModel::identity_names
  std::string skin, iris;
  std::string hair, beard, moustache, brows, clothes;
  Colour hair_colour = {0.25f, 0.15f, 0.09f};  // also of beard and moustache
  Colour brow_colour = {0.20f, 0.13f, 0.09f};
  Colour clothes_colour = {0.30f, 0.36f, 0.45f};
  Colour lip_colour = {0.66f, 0.34f, 0.32f};
  float lip_strength = 0.35f;    // [0,1] how far the lips are drawn towards lip_colour
  float skin_brightness = 1.0f;  // [0.5, 1.5] on top of the skin texture
  float freckles = 0;            // [0,1]
  float stubble = 0;             // [0,1]
  float wrinkles = 0.6f;         // [0,1] depth of the wrinkles that expressions bring
  float lines = 0.1f;            // [0,1] how much of them stays in the neutral face (age)
  float pores = 0.6f;            // [0,1]
  float redness = 0.3f;          // [0,1] of nose, cheeks, ears
  float oil = 0.5f;              // [0,1] shine of forehead and nose
  float lashes = 1.0f;           // [0,1] darkness
  bool glasses = false;
  Colour glasses_colour = {0.05f, 0.05f, 0.06f};
  std::string light = "studio";  // one of light_names()
  std::uint64_t seed = 1;        // of freckles, pores and stubble
};

// "ada" (the one the program ships), and others of other sex, age, skin and hair.
std::vector<std::string> performer_names();
Performer named_performer(const std::string& name);  // throws kBadArgument, listing the names
// The same person on another day.
struct PerformerLook {
  std::string name;  // "usual", "beard", ...
  Performer performer;
};
constexpr int kMostLooks = 6;
// The person as he or she is, then with beard and other hair, with glasses, with long hair, in summer, in the evening:
// identity, eyes and brows stay, hair, clothes and light change. `count` [1, kMostLooks], else throws kBadArgument.
std::vector<PerformerLook> performer_looks(const Performer& performer, int count);

// Somebody nobody has seen: every choice from the seed, out of what `model` and `assets` have.
Performer random_performer(std::uint64_t seed, const HeadModel& model, const HeadAssets& assets);

// The light set-ups: "studio", "soft", "window", "warm", "cool".
std::vector<std::string> light_names();

// The head of this person: identity applied. Throws kBadArgument when `model` lacks a mode that the person names.
HeadModel performer_head(const HeadModel& model, const Performer& performer);

}  // namespace mien
