// A plain Gaussian rasteriser, templated on the scalar: the oracle that the fast one is tested against (in double for
// finite differences). One Gaussian after another over its pixels, textbook gradients from back to front; no tiles, no
// vectors, no threads. Formulas: Kerbl et al. 2023 (3DGS), Zwicker et al. 2002 (EWA); conventions of gsplat classic
// mode.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace mien::splat {

inline constexpr double kAlphaFloor = 1.0 / 255.0;  // fainter contributions are skipped
inline constexpr double kAlphaCeiling = 0.999;      // keeps 1 - alpha invertible
inline constexpr double kTransmittanceStop = 1e-4;  // a Gaussian that would pass below this ends the pixel, undrawn

template <typename T>
struct ReferenceCamera {
  int width = 0, height = 0;
  T fx = 0, fy = 0, cx = 0, cy = 0;   // pixels
  std::array<T, 9> rotation = {};     // world to camera, row-major
  std::array<T, 3> translation = {};  // metres
  T near_plane = T(0.01);             // metres
  T eps2d = T(0.3);                   // pixels^2
  std::array<T, 3> background = {};
};

// Shapes as in SplatInput.
template <typename T>
struct ReferenceScene {
  std::vector<T> means, quats, scales, opacities, sh;
  std::vector<T> deformation;  // empty = identity
  int sh_degree = 3;
  std::size_t count() const { return opacities.size(); }
};

template <typename T>
struct ReferenceImage {
  std::vector<T> rgb;    // [H,W,3]
  std::vector<T> alpha;  // [H,W]
};

template <typename T>
struct ReferenceGradients {
  std::vector<T> means, quats, scales, opacities, sh;
  std::vector<T> mean2d;  // [N,2] pixels
};

template <typename T>
ReferenceImage<T> reference_forward(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera);

// d_alpha may be empty.
template <typename T>
ReferenceGradients<T> reference_backward(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera,
                                         const std::vector<T>& d_rgb, const std::vector<T>& d_alpha);

extern template ReferenceImage<double> reference_forward(const ReferenceScene<double>&, const ReferenceCamera<double>&);
extern template ReferenceGradients<double> reference_backward(const ReferenceScene<double>&,
                                                              const ReferenceCamera<double>&,
                                                              const std::vector<double>&, const std::vector<double>&);
extern template ReferenceImage<float> reference_forward(const ReferenceScene<float>&, const ReferenceCamera<float>&);
extern template ReferenceGradients<float> reference_backward(const ReferenceScene<float>&,
                                                             const ReferenceCamera<float>&, const std::vector<float>&,
                                                             const std::vector<float>&);

}  // namespace mien::splat
