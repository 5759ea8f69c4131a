// The actor's stage: draws a performer in motion, as a game renderer would, on the CPU.
//
// Light is computed once a frame in the texture space of the skin (soft shadows, ambient occlusion, diffusion of light
// under the skin) and shared by all cameras of that frame; a camera then adds what depends on the view. Shading is in
// linear light; pictures come out in sRGB with exact mattes.
#pragma once

#include <array>
#include <memory>

#include "mien/actor/wardrobe.h"
#include "mien/geometry/camera.h"
#include "mien/head/head_assets.h"
#include "mien/head/head_motion.h"
#include "mien/media/image.h"

namespace mien {

struct StageOptions {
  int supersample = 2;                          // 1..4 samples a pixel side
  int skin_texels = 1024;                       // width of the face's texture in texels, 128..4096
  std::array<float, 3> background = {0, 0, 0};  // sRGB [0,1] behind the person
  float light_scale = 1;                        // multiplies every light
  bool hair = true, wrinkles = true;            // off for measurements
  bool light_every_sample = false;              // true: slower; the measure of what sharing light in a pixel costs
};

struct StagePicture {
  Image8 rgb;    // over the background: matte * colour + (1 - matte) * background, in sRGB
  Image8 matte;  // 1 channel
  // 1 channel: which part of the person each pixel shows most of, as captures store it. 0 background, 1 head (hair and
  // glasses too), 2 neck, 3 torso (clothes too); above 0 wherever the matte is.
  Image8 labels = {};
};

class Stage {
 public:
  // `model` and `assets` are those of the head file (identity not applied). Baking takes about a second.
  // Throws kBadArgument for names that do not exist and options out of range.
  Stage(const HeadModel& model, const HeadAssets& assets, const Performer& performer, const StageOptions& options = {});
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  const HeadModel& head() const;  // the person's head: identity applied

  // Poses the head and lights it. Everything that does not depend on the camera happens here.
  void set_frame(const MotionFrame& frame);
  // Draws the frame. Uses all threads; the result does not depend on their number. set_frame() must come first. May be
  // called from several threads at once, between two calls of set_frame().
  StagePicture draw(const Camera& camera) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
