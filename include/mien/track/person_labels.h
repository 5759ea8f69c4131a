// Head, neck and torso in pictures of a person whose head is known.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "mien/base/progress.h"
#include "mien/geometry/camera.h"
#include "mien/head/head_model.h"
#include "mien/head/head_motion.h"
#include "mien/media/image.h"

namespace mien {

// A PersonPart (capture.h) a pixel, above 0 wherever the matte is. What the head's surface covers is head or neck by
// the model's regions; hair, clothes and the rest of the matte belong to what they hang together with, along paths on
// which the colour changes little. Hair that hangs over neck and shoulders is known by its colour, and is of the head;
// what looks like the clothes is torso, where it covers the neck too.
//
// `vertices`: of the frame, posed, in the world; `camera`: of the picture; `picture`: RGB; `matte`: as large. Labels
// are worked out at 512 pixels at most and enlarged.
Image8 label_person(const HeadModel& head, std::span<const Vec3> vertices, const Camera& camera, const Image8& picture,
                    const Image8& matte);

// One sequence of pictures with mattes, and where its labels go. Folders hold frames as captures do.
struct LabelJob {
  std::filesystem::path images, masks, labels;
  Camera camera;
  const HeadMotion* motion = nullptr;
};

// Writes the labels of every frame, on all threads. Frames whose labels are there and whole are kept. Throws kNotFound
// and kBadFile for pictures and mattes, kIo, kInterrupted.
void label_pictures(const HeadModel& head, std::span<const LabelJob> jobs, const ProgressCallback& progress = {});

}  // namespace mien
