// A page that a person can read of a training, while it runs and afterwards: one HTML file with everything inside.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace mien {

struct TrainingReportPage {
  std::string title;          // "me.mien"
  std::string state;          // "step 1200 of 6800", "finished"
  std::filesystem::path log;  // JSON, one object a line: "step", "stage", "seconds" and losses; see mien train --log
  std::filesystem::path preview;                                   // PNG or JPEG to embed; empty or not there = none
  using Table = std::vector<std::pair<std::string, std::string>>;  // name and value, as they shall stand there
  Table figures, options, hardware;
};

// Writes the page atomically. Curves are drawn as SVG, one for each loss of the log, with the stages marked; the page
// loads nothing from elsewhere and runs no script. Lines of the log that cannot be read are left out. Throws kIo.
void write_training_report(const std::filesystem::path& path, const TrainingReportPage& page);

// The log's numbers by name ("l1", "ssim", ...), with the step of each and where stages begin. Lines of a run that was
// stopped and began again from an earlier step replace what stood there.
struct TrainingCurves {
  struct Point {
    double step, value;
  };
  std::vector<std::pair<std::string, std::vector<Point>>> curves;  // in the order of their first line
  std::vector<std::pair<std::string, double>> stages;              // name and first step
  double seconds = 0;                                              // of all runs together
};
TrainingCurves read_training_log(const std::filesystem::path& log);

}  // namespace mien
