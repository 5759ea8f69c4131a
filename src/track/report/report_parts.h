// Parts of the page that reports a tracking.
#pragma once

#include <string>
#include <vector>

#include "mien/media/image.h"
#include "mien/track/report.h"

namespace mien::track_report {

// A frame of a sequence with lips, lids, brows, nose and outline of the fitted head as lines (cyan), and the landmarks
// as they were seen as dots (yellow).
Image8 draw_overlay(const Image8& picture, const Camera& camera, const HeadModel& head, const MotionFrame& frame,
                    const FaceSighting& seen, const CutWindow& window);

// The face and what is around it, cut out and enlarged, with the camera and the window that belong to the cut.
struct CloseUp {
  Image8 picture;
  Camera camera;
  CutWindow window;
};
CloseUp close_up(const Image8& picture, const Camera& camera, const FaceSighting& seen, const CutWindow& window);

// SVG drawings; text in them takes the page's colour.
std::string draw_views(const TrackedCoverage& coverage);        // yaw across, pitch upwards
std::string draw_expressions(const TrackedCoverage& coverage);  // a bar each
std::string draw_openings(const TrackedCoverage& coverage);
std::string draw_timeline(const SightedVideo& video, const FittedVideo& fitted);
// Colour of a reason for leaving out, "#rrggbb".
const char* reason_colour(const std::string& reason);

// Best, median and worst frame of a video that has a picture.
struct Pick {
  const char* label = "";
  std::size_t origin = 0;  // into the origins
  int frame = 0;           // of the sequence
  double error = 0;        // pixels
};
std::vector<Pick> pick_frames(std::span<const SequenceOrigin> origins, int video, const FittedVideo& fitted,
                              const Capture& capture);

}  // namespace mien::track_report
