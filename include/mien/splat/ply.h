// Gaussians as PLY, in the layout of 3D Gaussian splatting's reference code, which viewers and editors read.
#pragma once

#include <filesystem>

#include "mien/splat/gaussians.h"

namespace mien {

// Binary little-endian: x y z, nx ny nz (zeros), f_dc_0..2, f_rest_0..44 (channel-major: 15 of red, then green, then
// blue), opacity (logit), scale_0..2 (logarithm), rot_0..3 (w x y z). Atomic. Throws kIo; kBadArgument when the arrays
// disagree.
void write_ply(const std::filesystem::path& path, const Gaussians& gaussians);

// Reads such a file, with f_rest of degree 0 to 3 (missing coefficients are zero) and properties in any order; further
// scalar properties are skipped. Throws kNotFound; kBadFile for another layout, a count that the file cannot hold, or
// values that are not finite.
Gaussians read_ply(const std::filesystem::path& path);

}  // namespace mien
