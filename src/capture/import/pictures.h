// A source's pictures as a capture wants them: straight, of one size a camera, the person on black with a matte.
#pragma once

#include "capture/import/layout.h"
#include "mien/media/image.h"

namespace mien::import {

// Where the lens with distortion sees what a lens without it sees at `normalised` (x / z, y / z): OpenCV's model.
Vec2 distort(const Vec2& normalised, const std::array<float, 5>& k);

// The lens as the picture needs it: given a picture of another size but the same shape, the intrinsics are scaled.
// Throws kBadFile for another shape.
Camera lens_for(const Camera& lens, int width, int height, const std::string& where);

// The lens of the capture: without distortion and with sides of at most `longest_side` (0 = any). Without a matte it
// zooms in until every pixel comes from inside the picture; with one, what lies outside becomes background. Throws
// kUnsupported when the distortion is too strong for that.
Camera straight_lens(const Camera& lens, bool masked, int longest_side, const std::string& where);

struct ConvertedPicture {
  Image8 rgb;              // person on black when there is a matte
  Image8 matte;            // grey; empty without mask and alpha
  bool same_rgb = true;    // as in the file: it may be copied
  bool same_matte = true;  // likewise
};

// `lens`: what lens_for() gave; `target`: what straight_lens() gave. Throws kNotFound, kBadFile naming the file.
ConvertedPicture convert_picture(const Picture& picture, const Camera& lens, const Camera& target);

}  // namespace mien::import
