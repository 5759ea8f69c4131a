#include "same_person.h"

#include <cmath>
#include <limits>

#include "mien/base/error.h"
#include "mien/base/log.h"
#include "mien/landmarks/face_descriptor.h"
#include "mien/landmarks/face_networks.h"

namespace mien::app {
namespace {

constexpr int kPictures = 3;  // of each sequence
// Descriptors of one person are usually less than 0.38 apart; beards, glasses and light take them further.
constexpr double kOther = 0.55;

double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

// Mean descriptor of a few pictures; empty when no face is found.
std::vector<double> describe(const Capture& capture, const CaptureSequence& sequence, const FaceNetworks& networks,
                             const FaceDescriber& describer) {
  std::vector<double> mean;
  int seen = 0;
  for (int p = 0; p < kPictures; ++p) {
    const Image8 picture =
        read_image(capture.image_path(sequence.views.front(), sequence.frames * (2 * p + 1) / (2 * kPictures)));
    const std::span<const Image8> one(&picture, 1);
    const auto faces = networks.detect(one);
    if (faces.front().empty()) continue;
    const FaceRegion region = face_region(faces.front().front());
    const FaceLandmarks face = networks.landmarks(one, {&region, 1}, false).front();
    if (face.presence < 0.5) continue;
    const std::vector<float> descriptor = describer.describe(picture, face.points);
    mean.resize(descriptor.size(), 0.0);
    for (std::size_t k = 0; k < descriptor.size(); ++k) mean[k] += descriptor[k];
    ++seen;
  }
  for (double& v : mean) v /= seen;
  return mean;
}

}  // namespace

void require_one_person(const Capture& capture) {
  std::vector<const CaptureSequence*> sequences;
  for (const CaptureSequence& s : capture.sequences)
    if (s.split == "train" && !s.motion.empty() && s.frames > 0) sequences.push_back(&s);
  if (sequences.size() < 2) return;
  std::vector<std::pair<const CaptureSequence*, std::vector<double>>> known;
  try {
    const FaceNetworks networks;
    const FaceDescriber describer;
    for (const CaptureSequence* s : sequences) {
      std::vector<double> mean = describe(capture, *s, networks, describer);
      if (!mean.empty()) known.emplace_back(s, std::move(mean));
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound && error.code() != ErrorCode::kMissingFeature) throw;
    spdlog::info("whether all videos show one person was not looked at: {}", error.message());
    return;
  }
  for (const auto& [sequence, mean] : known) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const auto& [other, values] : known)
      if (other != sequence) nearest = std::min(nearest, apart(mean, values));
    if (!(nearest > kOther) || known.size() < 2) continue;
    throw Error(ErrorCode::kBadArgument,
                fmt::format("sequence {} seems to show somebody else than the others (faces {:.2f} apart, one person's "
                            "are less than {})",
                            sequence->id, nearest, kOther),
                "leave it out of the capture, or train with --force if it is the same person");
  }
}

}  // namespace mien::app
