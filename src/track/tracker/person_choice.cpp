#include "track/tracker/person_choice.h"

#include "track/watch/persons.h"

namespace mien {

std::vector<float> most_seen_person(const std::vector<SightedVideo>& videos) {
  std::size_t most = 0;
  std::vector<float> best;
  for (const SightedVideo& centre : videos) {
    if (centre.descriptor.empty()) continue;
    std::size_t frames = 0;
    std::vector<std::vector<float>> alike;
    for (const SightedVideo& other : videos) {
      if (other.descriptor.empty() ||
          track::descriptor_distance(centre.descriptor, other.descriptor) > track::kSamePerson) {
        continue;
      }
      for (const Stretch& stretch : other.stretches) frames += stretch.frames.size();
      alike.push_back(other.descriptor);
    }
    if (frames <= most) continue;
    most = frames;
    best = track::mean_descriptor(alike);
  }
  return best;
}

}  // namespace mien
