// All expressions of the head, by name, as displacements from the neutral face.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "head/makehuman/sculptor.h"

namespace mien::makehuman {

using Expressions = std::map<std::string, Field>;

void add_eye_expressions(const Sculptor& sculptor,
                         Expressions& out);  // blinks, lids that follow the gaze, squint, wide
void add_brow_expressions(const Sculptor& sculptor, Expressions& out);   // brows, cheeks, nose
void add_jaw_expressions(const Sculptor& sculptor, Expressions& out);    // jaw, mouthClose, tongue
void add_mouth_expressions(const Sculptor& sculptor, Expressions& out);  // the lips

// Names beyond ARKit's 52, in the order they follow them.
extern const std::vector<std::string> kExtraExpressions;

}  // namespace mien::makehuman
