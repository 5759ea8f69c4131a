// What came of tracking, for people (report.html) and programs (report.json): how well the head fits, what was seen of
// the person and what was not, what was left out and why, and what that means for an avatar.
//
// Left and right are the person's own. "Seen from the left" means that the camera stands on the person's left.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "mien/capture/capture.h"
#include "mien/track/head_fit.h"
#include "mien/track/sighting.h"

namespace mien {

struct TrackedVideoFigures {
  std::string name;
  double seconds = 0;         // of the file
  double used_seconds = 0;    // in stretches, with the face seen
  double error = 0;           // mean landmark error as a share of the distance between the pupils
  double worst_error = 0;     // of one frame, likewise
  double jitter_mm = -1;      // RMS of a still head's movement from frame to frame; -1: the head was never still
  double pupil_distance = 0;  // pixels of the upright frame, median
};

// All videos together. Only frames in which the face was seen count.
struct TrackedCoverage {
  static constexpr int kYawBins = 12, kPitchBins = 8;  // of 15 degrees: yaw -90 to 90, pitch -60 to 60
  static constexpr int kOpeningBins = 20;              // of 2 mm
  double seconds = 0;
  std::array<std::array<double, kYawBins>, kPitchBins> views = {};  // seconds; [0][0]: from below, from the right
  double left = 0, right = 0, above = 0, below = 0;  // degrees: the furthest the camera stands for half a second in all
  std::array<double, kArkitCount> reach = {};        // weight that each expression exceeds 2 % of the time
  std::array<double, kArkitCount> active = {};       // seconds above a quarter
  std::array<double, kOpeningBins> opening = {};     // seconds at each gap between the lips
  double widest_mm = 0;                              // gap exceeded for half a second in all
  int blinks = 0;                                    // both lids down together, or one
  double gaze_degrees = 0;                           // spread of the gaze sideways, 5th to 95th percentile
};

enum class Outlook { kGood, kFair, kPoor };
const char* outlook_name(Outlook outlook);  // "good", "fair", "poor"

struct Forecast {
  std::string topic;  // "left side", "smile"
  Outlook outlook = Outlook::kGood;
  std::string text;    // what was seen and what follows for an avatar
  std::string advice;  // what to film to change it; empty when all is well
};

struct TrackReport {
  std::vector<TrackedVideoFigures> videos;
  TrackedCoverage coverage;
  std::vector<Forecast> forecast;  // the poorest first
};

// Figures of a fit. `videos` and fit.videos belong together, stretch by stretch. Throws kBadArgument when they do not.
TrackReport make_track_report(std::span<const SightedVideo> videos, const HeadFit& fit);

// What figures mean; the thresholds stand in src/track/report/forecast.cpp.
struct ForecastInput {
  std::vector<TrackedVideoFigures> videos;
  TrackedCoverage coverage;
  int appearances = 1;
  double audio_seconds = 0;
};
std::vector<Forecast> make_forecast(const ForecastInput& input);

// Which part of which video a sequence of the capture is.
struct SequenceOrigin {
  std::string sequence;
  int video = 0;
  int stretch = 0;
  int first = 0;  // frame of the stretch that is the sequence's frame 0
};

// Writes report.html (one file, pictures inside) and report.json into the capture's folder, atomically. Pictures are
// the best, the median and the worst frame of each video with the fitted head and the landmarks over it; a picture that
// cannot be read is left out. Throws kBadArgument, kIo.
void write_track_report(const Capture& capture, std::span<const SequenceOrigin> origins,
                        std::span<const SightedVideo> videos, const HeadFit& fit);

}  // namespace mien
