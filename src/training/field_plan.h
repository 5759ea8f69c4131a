// Which frames a step of the field trainer looks at, and through which pixels.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "field_pixels.h"
#include "mien/training/field_trainer.h"
#include "training_pictures.h"

namespace mien {

// A frame as a step wants it, but for its pixels.
struct FieldFrame {
  SampleKey key;
  int appearance = 0;
  Camera camera;
  std::vector<Vec3> posed;       // [V] world
  std::vector<float> condition;  // field_condition()
  PixelChoice choice;
};

class FieldPlan {
 public:
  FieldPlan(const SampleReader& reader, const HeadModel& head, const FieldTrainOptions& options);

  // Frame `slot` of a step: drawn from its index, so that resuming needs no generator state; as often as SampleChoice
  // has it.
  SampleKey key(int step, int slot) const;
  FieldFrame frame(const SampleKey& key) const;
  std::uint32_t seed(int step) const;
  const std::vector<std::string>& appearances() const { return appearances_; }
  int appearance(const SampleKey& key) const;

 private:
  PixelChoice choice(const Camera& camera, const std::vector<Vec3>& posed) const;

  const SampleReader& reader_;
  const HeadModel& head_;
  const FieldTrainOptions& options_;
  std::vector<std::string> appearances_;
  SampleChoice choice_;
};

}  // namespace mien
