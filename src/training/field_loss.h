// The loss of a ray with its gradient; the same code for both processors.
#pragma once

#include <cmath>

#include "mien/geometry/triangle_tree.h"

namespace mien {

// Weights already divided by the number of rays (and channels).
struct FieldLossWeights {
  float colour, depth, matte;
};

// What a ray should have seen.
struct FieldTarget {
  float rgb[3];  // of the person, premultiplied by the matte
  float matte;
  float background[3];  // put behind both
  float depth;          // metres; below 0: not known
};

// What it saw, and after field_loss() the loss's gradient by that.
template <typename T>
struct FieldSeen {
  T rgb[3];
  T opacity, depth;
};

template <typename T>
struct FieldLossParts {
  T colour = 0, depth = 0, matte = 0;  // squared difference a channel, difference, squared difference
};

// `exposure`: three gains and three shifts of this ray's sequence; nullptr: none. `d_exposure` [6] is overwritten.
template <typename T>
MIEN_HD FieldLossParts<T> field_loss(const FieldLossWeights& weights, const FieldTarget& target, const T* exposure,
                                     const FieldSeen<T>& seen, FieldSeen<T>& d_seen, T* d_exposure) {
  FieldLossParts<T> parts;
  d_seen.opacity = 0;
  for (int c = 0; c < 3; ++c) {
    const T behind = static_cast<T>(target.background[c]);
    const T gain = exposure == nullptr ? T(1) : exposure[c], shift = exposure == nullptr ? T(0) : exposure[3 + c];
    const T shown = gain * seen.rgb[c] + shift * seen.opacity + (T(1) - seen.opacity) * behind;
    const T difference = shown - (static_cast<T>(target.rgb[c]) + (T(1) - static_cast<T>(target.matte)) * behind);
    parts.colour += difference * difference / T(3);
    const T d = T(2) * static_cast<T>(weights.colour) * difference;
    d_seen.rgb[c] = d * gain;
    d_seen.opacity += d * (shift - behind);
    if (d_exposure != nullptr) {
      d_exposure[c] = d * seen.rgb[c];
      d_exposure[3 + c] = d * seen.opacity;
    }
  }
  const T off = seen.opacity - static_cast<T>(target.matte);
  parts.matte = off * off;
  d_seen.opacity += T(2) * static_cast<T>(weights.matte) * off;
  d_seen.depth = 0;
  if (target.depth >= 0) {
    const T far = seen.depth - static_cast<T>(target.depth);
    parts.depth = far < 0 ? -far : far;
    d_seen.depth = static_cast<T>(weights.depth) * (far < 0 ? T(-1) : T(1));
  }
  return parts;
}

}  // namespace mien
