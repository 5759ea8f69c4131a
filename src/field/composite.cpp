#include "mien/field/composite.h"

#include <cmath>

#include "mien/base/parallel.h"

namespace mien {
namespace {

constexpr std::int64_t kGrain = 256;  // rays

}  // namespace

template <typename T>
void composite_rays(const CompositeInput<T>& in, const CompositeOutput<T>& out) {
  parallel_for(in.rays, kGrain, [&](std::int64_t r) {
    T rgb[3] = {}, depth = 0, opacity = 0;
    T thickness = 0;  // sum of density dt so far; the transmittance is exp(-thickness)
    T passes = 1;
    const std::int64_t end = static_cast<std::int64_t>(in.first[r]) + in.count[r];
    for (std::int64_t i = in.first[r]; i < end; ++i) {
      T weight = 0;
      if (passes >= static_cast<T>(kLeastTransmittance)) {
        const T here = in.density[i] * in.dt[i];
        weight = passes * -std::expm1(-here);
        for (int c = 0; c < 3; ++c) rgb[c] += weight * in.colour[3 * i + c];
        depth += weight * in.t[i];
        opacity += weight;
        thickness += here;
        passes = std::exp(-thickness);
      } else if (out.weights == nullptr) {
        break;
      }
      if (out.weights != nullptr) out.weights[i] = weight;
    }
    for (int c = 0; c < 3; ++c) out.rgb[3 * r + c] = rgb[c];
    out.depth[r] = depth;
    out.opacity[r] = opacity;
  });
}

template <typename T>
void composite_backward(const CompositeInput<T>& in, const CompositeOutput<T>& out, const CompositeGradients<T>& g) {
  parallel_for(in.rays, kGrain, [&](std::int64_t r) {
    const T* d_rgb = g.d_rgb + 3 * r;
    const T d_depth = g.d_depth != nullptr ? g.d_depth[r] : T(0);
    const T d_opacity = g.d_opacity != nullptr ? g.d_opacity[r] : T(0);
    const std::int64_t first = in.first[r], end = first + in.count[r];
    // What the samples behind the present one contribute to the loss's slope: at first all do.
    T behind = d_rgb[0] * out.rgb[3 * r] + d_rgb[1] * out.rgb[3 * r + 1] + d_rgb[2] * out.rgb[3 * r + 2] +
               d_depth * out.depth[r] + d_opacity * out.opacity[r];
    T thickness = 0, passes = 1;
    if (g.d_weights != nullptr) {
      for (std::int64_t i = first; i < end && passes >= static_cast<T>(kLeastTransmittance); ++i) {
        const T here = in.density[i] * in.dt[i];
        behind += passes * -std::expm1(-here) * g.d_weights[i];
        thickness += here;
        passes = std::exp(-thickness);
      }
      thickness = 0;
      passes = 1;
    }
    for (std::int64_t i = first; i < end; ++i) {
      T* d_colour = g.d_colour + 3 * i;
      if (passes < static_cast<T>(kLeastTransmittance)) {
        g.d_density[i] = 0;
        for (int c = 0; c < 3; ++c) d_colour[c] = 0;
        continue;
      }
      const T* colour = in.colour + 3 * i;
      const T here = in.density[i] * in.dt[i];
      const T weight = passes * -std::expm1(-here);
      T value = d_rgb[0] * colour[0] + d_rgb[1] * colour[1] + d_rgb[2] * colour[2] + d_depth * in.t[i] + d_opacity;
      if (g.d_weights != nullptr) value += g.d_weights[i];
      thickness += here;
      passes = std::exp(-thickness);
      behind -= weight * value;
      g.d_density[i] = in.dt[i] * (passes * value - behind);
      for (int c = 0; c < 3; ++c) d_colour[c] = weight * d_rgb[c];
    }
  });
}

template void composite_rays(const CompositeInput<float>&, const CompositeOutput<float>&);
template void composite_rays(const CompositeInput<double>&, const CompositeOutput<double>&);
template void composite_backward(const CompositeInput<float>&, const CompositeOutput<float>&,
                                 const CompositeGradients<float>&);
template void composite_backward(const CompositeInput<double>&, const CompositeOutput<double>&,
                                 const CompositeGradients<double>&);

}  // namespace mien
