// One person on several occasions.
#include "mien/actor/wardrobe.h"
#include "mien/base/error.h"

namespace mien {
namespace {

void wear(Performer& p, const char* hair, const char* clothes, const Colour& colour, const char* light) {
  p.hair = hair;
  p.clothes = clothes;
  p.clothes_colour = colour;
  p.light = light;
  p.glasses = false;
}

}  // namespace

std::vector<PerformerLook> performer_looks(const Performer& performer, int count) {
  if (count < 1 || count > kMostLooks) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{} appearances of {}", count, performer.name),
                fmt::format("there are 1 to {}", kMostLooks));
  }
  const auto male = performer.identity.find("male");
  const bool man = male != performer.identity.end() && male->second > 0;
  const auto other_than = [&](const char* first, const char* second) {
    return performer.hair == first ? second : first;
  };
  std::vector<PerformerLook> looks(kMostLooks, {"usual", performer});
  {
    Performer& p = looks[0].performer;
    p.beard.clear();
    p.stubble = 0;
    p.glasses = false;
    p.light = "studio";
  }
  {
    looks[1].name = man ? "beard" : "short";
    Performer& p = looks[1].performer;
    wear(p, other_than("short02", "short03"), "shirt", {0.55f, 0.62f, 0.72f}, "window");
    p.beard = man ? "full" : "";
  }
  {
    looks[2].name = "glasses";
    Performer& p = looks[2].performer;
    wear(p, other_than("short04", "bob01"), "jacket", {0.30f, 0.16f, 0.14f}, "soft");
    p.beard.clear();
    p.glasses = true;
    p.stubble = 0;
  }
  {
    looks[3].name = "long-hair";
    Performer& p = looks[3].performer;
    wear(p, other_than("long01", "bob02"), "blouse", {0.62f, 0.58f, 0.50f}, "warm");
    p.beard.clear();
    p.stubble = man ? 0.7f : 0.0f;
  }
  {
    looks[4].name = "summer";
    Performer& p = looks[4].performer;
    wear(p, "", "tshirt", {0.70f, 0.30f, 0.20f}, "cool");
    p.beard.clear();
    p.moustache = man ? "moustache" : "";
    p.hair = man ? "" : "ponytail01";
    p.stubble = 0;
    p.skin_brightness = std::min(1.5f, 0.9f * performer.skin_brightness);
    p.redness = 0.6f;
    p.oil = 0.9f;
  }
  {
    looks[5].name = "evening";
    Performer& p = looks[5].performer;
    wear(p, "afro01", "suit", {0.10f, 0.10f, 0.12f}, "warm");
    p.beard.clear();
    p.glasses = true;
  }
  looks.resize(static_cast<std::size_t>(count));
  return looks;
}

}  // namespace mien
