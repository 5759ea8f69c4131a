#include "mien/actor/wardrobe.h"

#include <algorithm>

#include "mien/base/error.h"
#include "mien/base/random.h"

namespace mien {
namespace {

std::vector<Performer> make_presets() {
  std::vector<Performer> presets;
  {
    Performer p;
    p.name = "ada";
    p.identity = {{"male", -0.85f},           {"caucasian", 0.75f},       {"old", 0.08f},     {"cheek_bones", 0.25f},
                  {"upper_lip_volume", 0.2f}, {"lower_lip_volume", 0.2f}, {"eye_size", 0.15f}};
    p.skin = "young_caucasian_female";
    p.iris = "green";
    p.hair = "long01";
    p.brows = "brows01";
    p.clothes = "blouse";
    p.hair_colour = {0.36f, 0.23f, 0.15f};
    p.brow_colour = {0.26f, 0.17f, 0.12f};
    p.lip_colour = {0.68f, 0.33f, 0.33f};
    p.lip_strength = 0.45f;
    p.freckles = 0.35f;
    p.seed = 11;
    presets.push_back(p);
  }
  {
    Performer p;
    p.name = "ben";
    p.identity = {{"male", 0.95f}, {"caucasian", 0.8f}, {"old", 0.3f}, {"jaw_width", 0.3f}, {"nose_hump", 0.3f}};
    p.skin = "middleage_caucasian_male";
    p.iris = "blue";
    p.hair = "short02";
    p.brows = "brows01";
    p.clothes = "shirt";
    p.hair_colour = {0.30f, 0.22f, 0.16f};
    p.brow_colour = {0.24f, 0.17f, 0.12f};
    p.clothes_colour = {0.22f, 0.26f, 0.34f};
    p.lip_strength = 0.1f;
    p.stubble = 0.75f;
    p.lines = 0.35f;
    p.wrinkles = 0.9f;
    p.lashes = 0.5f;
    p.redness = 0.5f;
    p.seed = 23;
    presets.push_back(p);
  }
  {
    Performer p;
    p.name = "chidi";
    p.identity = {{"male", 0.9f}, {"african", 0.85f}, {"old", 0.1f}};
    p.skin = "young_african_male";
    p.iris = "brown";
    p.hair = "short04";
    p.brows = "brows02";
    p.clothes = "jacket";
    p.hair_colour = {0.09f, 0.075f, 0.065f};
    p.brow_colour = {0.08f, 0.065f, 0.055f};
    p.clothes_colour = {0.62f, 0.58f, 0.50f};
    p.lip_colour = {0.45f, 0.25f, 0.23f};
    p.lip_strength = 0.3f;
    p.stubble = 0.35f;
    p.oil = 0.8f;
    p.lashes = 0.6f;
    p.glasses = true;
    p.light = "warm";
    p.seed = 37;
    presets.push_back(p);
  }
  {
    Performer p;
    p.name = "mei";
    p.identity = {{"male", -0.8f}, {"asian", 0.9f}, {"old", 0.15f}};
    p.skin = "young_asian_female";
    p.iris = "brown";
    p.hair = "ponytail01";
    p.brows = "brows04";
    p.clothes = "blouse";
    p.hair_colour = {0.12f, 0.095f, 0.085f};
    p.brow_colour = {0.13f, 0.10f, 0.09f};
    p.clothes_colour = {0.52f, 0.22f, 0.24f};
    p.lip_colour = {0.66f, 0.28f, 0.30f};
    p.lip_strength = 0.5f;
    p.light = "soft";
    p.seed = 41;
    presets.push_back(p);
  }
  {
    Performer p;
    p.name = "ruth";
    p.identity = {{"male", -0.7f}, {"caucasian", 0.5f}, {"african", 0.2f}, {"old", 0.75f}, {"weight", 0.3f}};
    p.skin = "old_caucasian_female";
    p.iris = "lightblue";
    p.hair = "short03";
    p.brows = "brows08";
    p.clothes = "blouse";
    p.hair_colour = {0.62f, 0.60f, 0.57f};
    p.brow_colour = {0.42f, 0.39f, 0.36f};
    p.clothes_colour = {0.28f, 0.38f, 0.33f};
    p.lip_strength = 0.25f;
    p.lines = 0.6f;
    p.wrinkles = 1.0f;
    p.glasses = true;
    p.light = "window";
    p.seed = 53;
    presets.push_back(p);
  }
  {
    Performer p;
    p.name = "omar";
    p.identity = {{"male", 1.0f}, {"caucasian", 0.45f}, {"african", 0.3f}, {"old", 0.22f}, {"nose_depth", 0.3f}};
    p.skin = "young_caucasian_male";
    p.skin_brightness = 0.74f;
    p.iris = "brownlight";
    p.hair = "short01";
    p.beard = "full";
    p.brows = "brows02";
    p.clothes = "tshirt";
    p.hair_colour = {0.13f, 0.10f, 0.085f};
    p.brow_colour = {0.11f, 0.085f, 0.07f};
    p.clothes_colour = {0.18f, 0.20f, 0.22f};
    p.lip_strength = 0.15f;
    p.stubble = 0.5f;
    p.lashes = 0.7f;
    p.light = "cool";
    p.seed = 67;
    presets.push_back(p);
  }
  return presets;
}

const std::vector<Performer>& presets() {
  static const std::vector<Performer> all = make_presets();
  return all;
}

template <typename T>
const T& pick(Random& random, const std::vector<T>& from) {
  return from[random.below(static_cast<std::uint32_t>(from.size()))];
}

Colour natural_hair(Random& random) {
  // From black over brown and red to blond and grey.
  constexpr std::array<Colour, 7> kColours = {{{0.09f, 0.075f, 0.065f},
                                               {0.17f, 0.12f, 0.09f},
                                               {0.30f, 0.20f, 0.13f},
                                               {0.42f, 0.29f, 0.18f},
                                               {0.46f, 0.22f, 0.12f},
                                               {0.66f, 0.52f, 0.34f},
                                               {0.58f, 0.56f, 0.53f}}};
  Colour c = kColours[random.below(kColours.size())];
  for (float& v : c) v = std::clamp(v * random.uniform(0.85f, 1.15f), 0.03f, 0.9f);
  return c;
}

}  // namespace

std::vector<std::string> performer_names() {
  std::vector<std::string> names;
  for (const Performer& p : presets()) names.push_back(p.name);
  return names;
}

Performer named_performer(const std::string& name) {
  for (const Performer& p : presets()) {
    if (p.name == name) return p;
  }
  throw Error(ErrorCode::kBadArgument, fmt::format("there is no performer \"{}\"", name),
              fmt::format("choose one of {}, or random:SEED", fmt::join(performer_names(), ", ")));
}

Performer random_performer(std::uint64_t seed, const HeadModel& model, const HeadAssets& assets) {
  Random random(seed, 5);
  Performer p;
  p.name = fmt::format("random{}", seed);
  p.seed = seed;
  const bool male = random.uniform() < 0.5f;
  for (const std::string& mode : model.identity_names) {
    if (mode == "male") {
      p.identity[mode] = male ? random.uniform(0.5f, 1.0f) : random.uniform(-1.0f, -0.5f);
    } else if (mode == "old") {
      p.identity[mode] = std::max(0.0f, random.uniform(-0.3f, 0.7f));
    } else if (mode == "african" || mode == "asian" || mode == "caucasian") {
      p.identity[mode] = random.uniform(0.0f, 0.5f);
    } else {
      p.identity[mode] = std::clamp(0.22f * random.normal(), -0.5f, 0.5f);
    }
  }
  std::vector<std::string> skins;
  for (const HeadTexture& t : assets.skins) {
    const bool female_skin = t.name.find("female") != std::string::npos;
    if (female_skin != male) skins.push_back(t.name);
  }
  if (skins.empty()) {
    for (const HeadTexture& t : assets.skins) skins.push_back(t.name);
  }
  if (!skins.empty()) p.skin = pick(random, skins);
  for (const char* people : {"african", "asian", "caucasian"}) {
    const auto found = p.identity.find(people);
    if (found != p.identity.end() && p.skin.find(people) != std::string::npos)
      found->second = random.uniform(0.6f, 0.95f);
  }
  if (!assets.irises.empty()) p.iris = pick(random, assets.irises).name;
  const auto choose = [&](StyleKind kind, float chance) -> std::string {
    const std::vector<std::string> names = assets.style_names(kind);
    const bool worn = random.uniform() < chance;
    return names.empty() || !worn ? std::string() : pick(random, names);
  };
  p.hair = choose(StyleKind::kHair, 0.95f);
  p.beard = choose(StyleKind::kBeard, male ? 0.25f : 0.0f);
  p.moustache = choose(StyleKind::kMoustache, male && p.beard.empty() ? 0.2f : 0.0f);
  p.brows = choose(StyleKind::kBrows, 1);
  p.clothes = choose(StyleKind::kClothes, 1);
  p.hair_colour = natural_hair(random);
  for (int c = 0; c < 3; ++c) p.brow_colour[c] = 0.75f * p.hair_colour[c];
  for (float& c : p.clothes_colour) c = random.uniform(0.12f, 0.7f);
  p.lip_strength = male ? random.uniform(0, 0.2f) : random.uniform(0.15f, 0.6f);
  p.freckles = std::max(0.0f, random.uniform(-0.7f, 0.9f));
  p.stubble = male ? std::max(0.0f, random.uniform(-0.3f, 0.9f)) : 0.0f;
  p.wrinkles = random.uniform(0.5f, 1.0f);
  p.lines = random.uniform(0.05f, 0.4f);
  p.pores = random.uniform(0.4f, 1.0f);
  p.redness = random.uniform(0.15f, 0.6f);
  p.oil = random.uniform(0.3f, 0.8f);
  p.lashes = male ? random.uniform(0.4f, 0.7f) : random.uniform(0.7f, 1.0f);
  p.glasses = random.uniform() < 0.25f;
  p.light = pick(random, light_names());
  return p;
}

HeadModel performer_head(const HeadModel& model, const Performer& performer) {
  std::vector<float> weights(model.identity_names.size(), 0);
  for (const auto& [name, weight] : performer.identity) {
    const auto found = std::find(model.identity_names.begin(), model.identity_names.end(), name);
    if (found == model.identity_names.end()) {
      throw Error(ErrorCode::kBadArgument,
                  fmt::format("performer {}: the head has no identity mode \"{}\"", performer.name, name),
                  fmt::format("it has {}", fmt::join(model.identity_names, ", ")));
    }
    weights[static_cast<std::size_t>(found - model.identity_names.begin())] = weight;
  }
  return model.with_identity(weights);
}

}  // namespace mien
