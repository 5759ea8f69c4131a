// Contacts on any mouth: what a network says roughly becomes lips that meet and teeth that touch, on the mesh at hand.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "mien/head/head_model.h"
#include "mien/head/phone.h"

namespace mien {

// Corrects a stream of frames, one object a stream. Where the phone posteriors say P B M the lips close on this head's
// mesh, for F V the lower lip goes to the upper teeth, and in a lasting pause the mouth settles shut. Vowels stay as
// they are, times `gain`. Also adapts weights learnt on one head to another head's lips.
class MouthContacts {
 public:
  // A head without ARKit expressions throws kBadArgument; one without contours gets typical slopes.
  explicit MouthContacts(const HeadModel& head);
  ~MouthContacts();
  MouthContacts(MouthContacts&&) noexcept;
  MouthContacts& operator=(MouthContacts&&) noexcept;

  // `expression` [E] of that head, changed in place, stays in [0,1]. `phones`: posterior probabilities. `dt`: seconds
  // since the last frame. `gain` in [0,2]: size of the mouth's opening.
  void apply(const std::array<float, kPhoneCount>& phones, double dt, float gain, std::vector<float>& expression);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
