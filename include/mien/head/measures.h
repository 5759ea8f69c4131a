// Distances on a face that speech and blinks are judged by. All take vertices [V] of the given model, in head space or
// posed (the measured parts move rigidly with the skull), and return millimetres. A model without contours throws
// kUnsupported.
#pragma once

#include <vector>

#include "mien/head/head_model.h"

namespace mien {

// Gap between the inner lips at the middle of the mouth; 0 when they touch or cross.
float mouth_opening_mm(const HeadModel& model, const std::vector<Vec3>& vertices);
// Smallest gap between the inner lips over the central half of the lip line.
float minimal_lip_gap_mm(const HeadModel& model, const std::vector<Vec3>& vertices);
// Smallest distance between the lower lip (its upper edge, central half) and the biting edge of the upper front teeth.
float lower_lip_to_teeth_mm(const HeadModel& model, const std::vector<Vec3>& vertices);
// Distance between the corners of the mouth.
float mouth_width_mm(const HeadModel& model, const std::vector<Vec3>& vertices);
// Gap between the lid edges at the middle of the eye; 0 when shut.
float lid_opening_left_mm(const HeadModel& model, const std::vector<Vec3>& vertices);
float lid_opening_right_mm(const HeadModel& model, const std::vector<Vec3>& vertices);

// Vertices of both lips (regions kUpperLip, kLowerLip), ascending; and of all four lids. For losses and error measures.
std::vector<int> lip_vertices(const HeadModel& model);
std::vector<int> lid_vertices(const HeadModel& model);

}  // namespace mien
