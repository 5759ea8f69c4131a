// Whom the body can be: the base person and the ways people differ, as displacements of the whole MakeHuman body.
#pragma once

#include <string>
#include <vector>

#include "head/makehuman/source.h"

namespace mien::makehuman {

// Average adult: mean over both sexes and MakeHuman's three ethnicities, young (about 25), average build. Metres.
std::vector<Vec3> base_person(const Source& source);

struct IdentityMode {
  std::string name;
  std::vector<Vec3> displacement;  // metres per unit; +-1 is about as far as MakeHuman's own slider goes
};
// Age, sex, ethnicity, build; then details of head, forehead, brows, eyes, nose, mouth, chin, cheeks, ears and neck,
// each symmetric left to right.
std::vector<IdentityMode> identity_modes(const Source& source);

}  // namespace mien::makehuman
