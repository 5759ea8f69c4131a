// Scenes to time the rasteriser on.
#pragma once

#include <string>
#include <vector>

#include "mien/head/head_motion.h"
#include "mien/splat/gaussians.h"

namespace mien::bench {

struct Scene {
  std::string name;
  std::vector<float> means, quats, scales, opacities, sh, deformation;
  Camera camera;
  SplatOptions options;
  SplatInput input() const {
    return {static_cast<int>(opacities.size()),
            means.data(),
            quats.data(),
            scales.data(),
            opacities.data(),
            sh.data(),
            deformation.empty() ? nullptr : deformation.data(),
            3};
  }
};

// An ellipsoid shell of a head's size that fills the picture: Gaussians evenly spread (golden spiral) with a little
// depth noise, flat against the surface, about half as wide as their spacing, mostly opaque; one in eight lies below
// the skin.
Scene head_like(int count, int size);

// Tensors means, quats, scales, opacities, sh, K, viewmat, bg: the reference results' layout; sides in the metadata.
Scene read_scene(const std::string& path);

// A stored avatar in its front view, `size` pixels wide, in the pose of avatar_motion().
Scene avatar_scene(const std::string& name, int size);
MotionFrame avatar_motion(const HeadModel& head);  // the mouth half open

}  // namespace mien::bench
