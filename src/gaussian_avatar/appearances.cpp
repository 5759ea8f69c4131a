#include "mien/gaussian_avatar/appearances.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {
namespace {

constexpr int kColourWidth = 32, kDensityWidth = 16;

G2aLayer layer(std::string name, int inputs, int outputs) {
  G2aLayer out;
  out.name = std::move(name);
  out.inputs = inputs;
  out.outputs = outputs;
  out.weight.assign(static_cast<std::size_t>(inputs) * outputs, 0.0f);
  out.bias.assign(static_cast<std::size_t>(outputs), 0.0f);
  return out;
}

float logistic(float x) {
  return 1 / (1 + std::exp(-x));
}

void check_mix(const Appearances& looks, const AppearanceMix& mix) {
  const bool sound = mix.size() == looks.names.size() &&
                     std::all_of(mix.begin(), mix.end(), [](float w) { return w >= 0 && w <= 1; }) &&
                     std::abs(std::accumulate(mix.begin(), mix.end(), 0.0f) - 1) < 1e-3f;
  if (sound) return;
  throw Error(
      ErrorCode::kBadArgument,
      fmt::format("{} weights for the {} appearances {}", mix.size(), looks.count(), fmt::join(looks.names, ", ")),
      "give each a weight of at least 0, 1 in all");
}

}  // namespace

AppearanceFeatures parse_appearance_features(const std::string& name) {
  if (name == "none") return AppearanceFeatures::kNone;
  if (name == "global") return AppearanceFeatures::kGlobal;
  if (name == "local") return AppearanceFeatures::kLocal;
  throw Error(ErrorCode::kBadArgument, "appearance features \"" + name + "\" are unknown", "use none, global or local");
}

void make_look_layers(Appearances& looks) {
  G2aOptions place;
  place.frequencies = kLookFrequencies;
  const bool global = looks.options.features == AppearanceFeatures::kGlobal;
  const int inputs = kLatent + 3 + (global ? g2a_place_count(place) : 0);
  looks.colour = {layer("colour.0", inputs, kColourWidth), layer("colour.1", kColourWidth, kColourWidth),
                  layer("colour.2", kColourWidth, kLookColours)};
  looks.density.clear();
  // PAV's offset network sees Z alone; with one Z for all it needs the place to say where.
  if (looks.options.density_offset)
    looks.density = {layer("density.0", global ? inputs : kLatent, kDensityWidth),
                     layer("density.1", kDensityWidth, 1)};
}

void make_appearances(GaussianAvatar& avatar, const std::vector<std::string>& names, const AppearanceOptions& options,
                      std::uint64_t seed) {
  Appearances& looks = avatar.looks;
  looks = {};
  if (options.features == AppearanceFeatures::kNone || names.size() < 2) return;
  looks.options = options;
  looks.names = names;
  make_look_layers(looks);
  Random random(seed, 43);
  for (std::vector<G2aLayer>* stack : {&looks.colour, &looks.density}) {
    for (std::size_t l = 0; l + 1 < stack->size(); ++l) {
      const float deviation = std::sqrt(2.0f / static_cast<float>((*stack)[l].inputs));
      for (float& w : (*stack)[l].weight) w = deviation * random.normal();
    }
  }
  const auto n = static_cast<std::size_t>(avatar.gaussians.count());
  const auto row = static_cast<std::size_t>(looks.feature_row());
  for (std::size_t a = 0; a < names.size(); ++a) {
    // All Gaussians of an appearance start alike: what no picture of it shows then stays as smooth as it was.
    std::vector<float> one(row > 0 ? row : kLatent, 0.0f);
    for (int k = 0; k < kLatent; ++k) one[k] = random.normal();
    std::vector<float>& all = looks.features.emplace_back();
    for (std::size_t i = 0; i < (row > 0 ? n : 1); ++i) all.insert(all.end(), one.begin(), one.end());
    looks.shift.emplace_back(n * kLookRow, 0.0f);
  }
}

std::vector<float> look_places(const GaussianAvatar& avatar) {
  GaussianAvatar all;  // as if every Gaussian followed networks
  all.head = avatar.head;
  all.anchors = avatar.anchors;
  all.g2anet.options.frequencies = kLookFrequencies;
  all.g2anet.gaussian.resize(avatar.anchors.size());
  std::iota(all.g2anet.gaussian.begin(), all.g2anet.gaussian.end(), 0);
  return g2a_places(all);
}

AppearanceMix parse_appearance_mix(const std::string& text, const std::vector<std::string>& names) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kBadArgument, "appearance \"" + text + "\": " + what,
                names.size() == 1 ? fmt::format("there is only \"{}\"", names.front())
                                  : fmt::format("give one of {}, or a mixture such as {}:0.3,{}:0.7",
                                                fmt::join(names, ", "), names.front(), names.back()));
  };
  MIEN_CHECK(!names.empty(), "no appearance to choose from: {}", text);
  AppearanceMix mix(names.size(), 0.0f);
  std::vector<bool> named(names.size(), false);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    float share = 1;
    auto found = std::find(names.begin(), names.end(), part);  // a name may hold a colon
    if (const std::size_t colon = part.rfind(':'); found == names.end() && colon != std::string::npos) {
      const std::string number = part.substr(colon + 1);
      std::size_t used = 0;
      try {
        share = std::stof(number, &used);
      } catch (const std::exception&) {
        used = 0;
      }
      if (used == 0 || used != number.size() || !(share >= 0 && share <= 1e6f))
        refuse("\"" + number + "\" is no share of at least 0");
      part.resize(colon);
      found = std::find(names.begin(), names.end(), part);
    }
    if (found == names.end()) refuse("there is no \"" + part + "\"");
    const auto index = static_cast<std::size_t>(found - names.begin());
    if (named[index]) refuse("\"" + part + "\" comes twice");
    named[index] = true;
    mix[index] = share;
  }
  const float sum = std::accumulate(mix.begin(), mix.end(), 0.0f);
  if (!(sum > 0)) refuse("its shares are all 0");
  for (float& w : mix) w /= sum;
  return mix;
}

GaussianAvatar dress(const GaussianAvatar& avatar, const AppearanceMix& mix) {
  const Appearances& looks = avatar.looks;
  if (looks.empty()) return avatar;
  check_mix(looks, mix);
  GaussianAvatar out;
  out.head = avatar.head;
  out.gaussians = avatar.gaussians;
  out.anchors = avatar.anchors;
  out.modes = avatar.modes;
  out.g2anet = avatar.g2anet;
  out.pixel_filter = avatar.pixel_filter;
  const bool single = std::count(mix.begin(), mix.end(), 0.0f) + 1 == static_cast<std::ptrdiff_t>(mix.size());
  Gaussians& g = out.gaussians;
  parallel_for(g.count(), 1024, [&](std::int64_t i) {
    float opacity = 0, colour[kLookColours] = {}, logit = 0;
    const auto row = static_cast<std::size_t>(i) * kLookRow;
    for (std::size_t a = 0; a < mix.size(); ++a) {
      if (mix[a] == 0) continue;
      const float* shift = &looks.shift[a][row];
      logit = g.opacity_logits[i] + shift[kLookColours];
      const float share = single ? 1.0f : mix[a] * std::max(logistic(logit), 1e-6f);
      opacity += share;
      for (int c = 0; c < kLookColours; ++c) colour[c] += share * shift[c];
    }
    for (int c = 0; c < kLookColours; ++c)
      g.sh[static_cast<std::size_t>(i) * kShCoefficients * 3 + c] += colour[c] / opacity;
    if (!single) {
      opacity = std::clamp(opacity, 1e-6f, 1 - 1e-6f);
      logit = std::log(opacity / (1 - opacity));
    }
    g.opacity_logits[i] = logit;
  });
  return out;
}

GaussianAvatar dress(const GaussianAvatar& avatar, int appearance) {
  if (avatar.looks.empty()) return avatar;
  AppearanceMix mix(avatar.looks.names.size(), 0.0f);
  MIEN_CHECK(appearance >= 0 && appearance < avatar.looks.count(), "appearance {} of {}", appearance,
             avatar.looks.count());
  mix[static_cast<std::size_t>(appearance)] = 1;
  return dress(avatar, mix);
}

float most_opaque_logit(const GaussianAvatar& avatar, std::size_t gaussian) {
  const float own = avatar.gaussians.opacity_logits[gaussian];
  if (avatar.looks.empty()) return own;
  float most = -std::numeric_limits<float>::infinity();
  for (const std::vector<float>& shift : avatar.looks.shift)
    most = std::max(most, own + shift[gaussian * kLookRow + kLookColours]);
  return most;
}

}  // namespace mien
