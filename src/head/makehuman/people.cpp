#include "head/makehuman/people.h"

#include "mien/base/error.h"

namespace mien::makehuman {
namespace {

const char* const kEthnicities[] = {"african", "asian", "caucasian"};
const char* const kSexes[] = {"female", "male"};

std::vector<Vec3> zeros(const Source& source) {
  return std::vector<Vec3>(static_cast<std::size_t>(source.vertex_count()), Vec3::Zero());
}

void add_macro(std::vector<Vec3>& to, const Source& source, const std::string& ethnicity, const std::string& sex,
               const std::string& age, float scale) {
  add_scaled(to, source.target(fmt::format("macrodetails/{}-{}-{}", ethnicity, sex, age)), scale);
}

void add_build(std::vector<Vec3>& to, const Source& source, const std::string& sex, const std::string& age,
               const std::string& muscle, const std::string& weight, float scale) {
  add_scaled(to, source.target(fmt::format("macrodetails/universal-{}-{}-{}muscle-{}weight", sex, age, muscle, weight)),
             scale);
}

// A slider of MakeHuman: its two ends, so that +1 is `more` and -1 is `less` (half of each, since the ends are not
// exact opposites and a linear mode must serve both ways). A name that begins with "l-" stands for both sides of the
// face.
struct Slider {
  const char* name;  // of the mode
  const char* more;  // target
  const char* less;  // target, or empty
};
constexpr Slider kSliders[] = {
    {"head_fat", "head/head-fat", "head/head-skinny"},
    {"head_oval", "head/head-oval", ""},
    {"head_round", "head/head-round", ""},
    {"head_square", "head/head-square", ""},
    {"head_rectangular", "head/head-rectangular", ""},
    {"head_triangular", "head/head-triangular", "head/head-invertedtriangular"},
    {"head_diamond", "head/head-diamond", ""},
    {"head_depth", "head/head-scale-depth-more", "head/head-scale-depth-less"},
    {"head_width", "head/head-scale-horiz-more", "head/head-scale-horiz-less"},
    {"head_height", "head/head-scale-vert-more", "head/head-scale-vert-less"},
    {"head_back_depth", "head/head-back-scale-depth-more", "head/head-back-scale-depth-less"},
    {"forehead_bulge", "forehead/forehead-nubian-more", "forehead/forehead-nubian-less"},
    {"forehead_height", "forehead/forehead-scale-vert-more", "forehead/forehead-scale-vert-less"},
    {"forehead_forward", "forehead/forehead-trans-depth-forward", "forehead/forehead-trans-depth-backward"},
    {"brow_angle", "eyebrows/eyebrows-angle-up", "eyebrows/eyebrows-angle-down"},
    {"brow_height", "eyebrows/eyebrows-trans-vert-more", "eyebrows/eyebrows-trans-vert-less"},
    {"brow_forward", "eyebrows/eyebrows-trans-depth-more", "eyebrows/eyebrows-trans-depth-less"},
    {"eye_size", "eyes/l-eye-size-big", "eyes/l-eye-size-small"},
    {"eye_apart", "eyes/l-eye-move-out", "eyes/l-eye-move-in"},
    {"eye_up", "eyes/l-eye-move-up", "eyes/l-eye-move-down"},
    {"eye_height_inner", "eyes/l-eye-height1-max", "eyes/l-eye-height1-min"},
    {"eye_height_middle", "eyes/l-eye-height2-max", "eyes/l-eye-height2-min"},
    {"eye_height_outer", "eyes/l-eye-height3-max", "eyes/l-eye-height3-min"},
    {"eye_inner_corner_up", "eyes/l-eye-corner1-up", "eyes/l-eye-corner1-down"},
    {"eye_outer_corner_up", "eyes/l-eye-corner2-up", "eyes/l-eye-corner2-down"},
    {"eye_epicanthus", "eyes/l-eye-epicanthus-in", "eyes/l-eye-epicanthus-out"},
    {"eye_fold_angle", "eyes/l-eye-eyefold-angle-up", "eyes/l-eye-eyefold-angle-down"},
    {"eye_fold_height", "eyes/l-eye-eyefold-up", "eyes/l-eye-eyefold-down"},
    {"eye_bag", "eyes/l-eye-bag-out", "eyes/l-eye-bag-in"},
    {"nose_width", "nose/nose-scale-horiz-incr", "nose/nose-scale-horiz-decr"},
    {"nose_height", "nose/nose-scale-vert-incr", "nose/nose-scale-vert-decr"},
    {"nose_depth", "nose/nose-scale-depth-incr", "nose/nose-scale-depth-decr"},
    {"nose_up", "nose/nose-trans-vert-up", "nose/nose-trans-vert-down"},
    {"nose_curve", "nose/nose-curve-convex", "nose/nose-curve-concave"},
    {"nose_hump", "nose/nose-hump-morehump", "nose/nose-hump-lesshump"},
    {"nose_greek", "nose/nose-greek-moregreek", "nose/nose-greek-lessgreek"},
    {"nose_flaring", "nose/nose-flaring-incr", "nose/nose-flaring-decr"},
    {"nose_point_up", "nose/nose-point-up", "nose/nose-point-down"},
    {"nose_point_width", "nose/nose-point-width-more", "nose/nose-point-width-less"},
    {"nose_volume", "nose/nose-volume-potato", "nose/nose-volume-point"},
    {"nose_bridge_width", "nose/nose-width1-max", "nose/nose-width1-min"},
    {"mouth_width", "mouth/mouth-scale-horiz-incr", "mouth/mouth-scale-horiz-decr"},
    {"mouth_height", "mouth/mouth-scale-vert-incr", "mouth/mouth-scale-vert-decr"},
    {"mouth_up", "mouth/mouth-trans-up", "mouth/mouth-trans-down"},
    {"mouth_forward", "mouth/mouth-trans-forward", "mouth/mouth-trans-backward"},
    {"mouth_corners_up", "mouth/mouth-angles-up", "mouth/mouth-angles-down"},
    {"upper_lip_volume", "mouth/mouth-upperlip-volume-inflate", "mouth/mouth-upperlip-volume-deflate"},
    {"lower_lip_volume", "mouth/mouth-lowerlip-volume-inflate", "mouth/mouth-lowerlip-volume-deflate"},
    {"upper_lip_height", "mouth/mouth-upperlip-height-max", "mouth/mouth-upperlip-height-min"},
    {"lower_lip_height", "mouth/mouth-lowerlip-height-max", "mouth/mouth-lowerlip-height-min"},
    {"cupids_bow", "mouth/mouth-cupidsbow-incr", "mouth/mouth-cupidsbow-decr"},
    {"chin_height", "chin/chin-height-max", "chin/chin-height-min"},
    {"chin_width", "chin/chin-width-max", "chin/chin-width-min"},
    {"chin_prominent", "chin/chin-prominent-more", "chin/chin-prominent-less"},
    {"chin_forward", "chin/chin-prognathism-more", "chin/chin-prognathism-less"},
    {"chin_cleft", "chin/chin-cleft-in", "chin/chin-cleft-out"},
    {"jaw_width", "chin/chin-bones-out", "chin/chin-bones-in"},
    {"jaw_drop", "chin/chin-jaw-drop-more", "chin/chin-jaw-drop-less"},
    {"cheek_volume", "cheek/l-cheek-volume-inflate", "cheek/l-cheek-volume-deflate"},
    {"cheek_bones", "cheek/l-cheek-bones-out", "cheek/l-cheek-bones-in"},
    {"cheek_up", "cheek/l-cheek-trans-vert-up", "cheek/l-cheek-trans-vert-down"},
    {"ear_size", "ears/l-ear-size-big", "ears/l-ear-size-small"},
    {"ear_wing", "ears/l-ear-wing-out", "ears/l-ear-wing-in"},
    {"ear_lobe", "ears/l-ear-lobe-max", "ears/l-ear-lobe-min"},
    {"neck_width", "neck/neck-scale-horiz-more", "neck/neck-scale-horiz-less"},
    {"neck_double_chin", "neck/neck-double-more", "neck/neck-double-less"},
};

std::vector<Vec3> both_sides(const Source& source, std::string target) {
  std::vector<Vec3> sum = source.target(target);
  const std::size_t left = target.find("/l-");
  if (left == std::string::npos) return sum;
  target[left + 1] = 'r';
  add_scaled(sum, source.target(target), 1.0f);
  return sum;
}

}  // namespace

std::vector<Vec3> base_person(const Source& source) {
  std::vector<Vec3> person = source.positions();
  for (const char* sex : kSexes) {
    for (const char* ethnicity : kEthnicities) add_macro(person, source, ethnicity, sex, "young", 1.0f / 6);
    add_build(person, source, sex, "young", "average", "average", 0.5f);
  }
  return person;
}

std::vector<IdentityMode> identity_modes(const Source& source) {
  std::vector<IdentityMode> modes;
  modes.reserve(std::size(kSliders) + 16);  // start() hands out references
  const auto start = [&](const char* name) -> std::vector<Vec3>& {
    modes.push_back({name, zeros(source)});
    return modes.back().displacement;
  };

  std::vector<Vec3>& male = start("male");  // -1 is female, +1 male
  for (const char* ethnicity : kEthnicities) {
    add_macro(male, source, ethnicity, "male", "young", 0.5f / 3);
    add_macro(male, source, ethnicity, "female", "young", -0.5f / 3);
  }
  add_build(male, source, "male", "young", "average", "average", 0.5f);
  add_build(male, source, "female", "young", "average", "average", -0.5f);

  std::vector<Vec3>& old = start("old");  // 0 is about 25 years, 1 about 90
  for (const char* sex : kSexes) {
    for (const char* ethnicity : kEthnicities) {
      add_macro(old, source, ethnicity, sex, "old", 1.0f / 6);
      add_macro(old, source, ethnicity, sex, "young", -1.0f / 6);
    }
    add_build(old, source, sex, "old", "average", "average", 0.5f);
    add_build(old, source, sex, "young", "average", "average", -0.5f);
  }
  for (const char* ethnicity : kEthnicities) {  // 0 is the mean of the three, 1 the named one
    std::vector<Vec3>& mode = start(ethnicity);
    for (const char* sex : kSexes) {
      add_macro(mode, source, ethnicity, sex, "young", 0.5f);
      for (const char* other : kEthnicities) add_macro(mode, source, other, sex, "young", -1.0f / 6);
    }
  }
  std::vector<Vec3>& weight = start("weight");
  std::vector<Vec3>& muscle = start("muscle");
  for (const char* sex : kSexes) {
    add_build(weight, source, sex, "young", "average", "max", 0.25f);
    add_build(weight, source, sex, "young", "average", "min", -0.25f);
    add_build(muscle, source, sex, "young", "max", "average", 0.25f);
    add_build(muscle, source, sex, "young", "min", "average", -0.25f);
  }
  for (const Slider& slider : kSliders) {
    std::vector<Vec3>& mode = start(slider.name);
    const bool two_ended = *slider.less != 0;
    add_scaled(mode, both_sides(source, slider.more), two_ended ? 0.5f : 1.0f);
    if (two_ended) add_scaled(mode, both_sides(source, slider.less), -0.5f);
  }
  return modes;
}

}  // namespace mien::makehuman
