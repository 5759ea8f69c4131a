// Where heads of others stand, and how their identity shapes are taken in.
#pragma once

#include <string>
#include <vector>

#include "mien/head/head_model.h"

namespace mien::outside {

// Sets the joints of the eyes from the eyeballs' vertices and moves the mesh so that the origin lies where HeadModel
// wants it. Throws kBadFile naming `where` when there are no two eyeballs or they are not as far apart as eyes.
void place_by_eyes(HeadModel& model, const std::string& where);
// The same with known joints.
void place_at(HeadModel& model, const Vec3& left_eye, const Vec3& right_eye, const std::string& where);

// Appends a mode (displacements [V]); the eyes' middle stays where it is, joints move with what is around them.
void add_identity_mode(const std::string& name, std::vector<Vec3> displacement, HeadModel& model);

std::vector<int> vertices_of(const HeadModel& model, HeadPart part);

}  // namespace mien::outside
