// How close a picture comes to another, and how sharp it is.
#pragma once

#include "mien/media/image.h"

namespace mien {

// All of these are pure functions, safe from any thread. Pictures must be of one size, grey or RGB alike; masks are
// grey of that size and weight each pixel by mask / 255. Throws kBadArgument otherwise, or when a mask is empty.

// Peak signal-to-noise ratio in dB, over all channels: 10 log10(255^2 / mean squared difference). Infinite when equal.
double psnr(const Image8& a, const Image8& b, const Image8* mask = nullptr);

// Structural similarity (Wang et al. 2004), Gaussian window of 11x11 with sigma 1.5, K1 = 0.01, K2 = 0.03, population
// covariance; mean over channels and over the pixels whose window lies inside the picture. The same number as
// scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255).
// Sides of at least 11 pixels. With a mask: the weighted mean of those pixels' values.
double ssim(const Image8& a, const Image8& b, const Image8* mask = nullptr);

// Cumulative probability of blur detection (Narvekar and Karam, IEEE TIP 2011), 0 (blurred) to 1 (sharp), of the grey
// picture (BT.601 luma), in blocks of 64x64 pixels; 0 when no block has an edge. Edge widths after Marziliano et al.
// 2002 along the row, as in the published implementations that papers' figures come from.
double cpbd(const Image8& image);

}  // namespace mien
