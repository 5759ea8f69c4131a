#include <algorithm>
#include <fstream>
#include <map>

#include "mien/base/json.h"
#include "mien/training/training_report.h"

namespace mien {
namespace {

bool is_place(const std::string& key) {
  return key == "step" || key == "stage" || key == "seconds" || key == "phase";
}

}  // namespace

TrainingCurves read_training_log(const std::filesystem::path& log) {
  TrainingCurves out;
  std::map<double, Json> lines;  // by step
  std::vector<std::string> order;
  std::ifstream in(log);
  double before = 0, last = 0;  // seconds of runs that ended, and of the present one
  for (std::string text; std::getline(in, text);) {
    const Json line = Json::parse(text, nullptr, false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number()) continue;
    const auto step = line["step"].get<double>();
    lines.erase(lines.lower_bound(step), lines.end());
    lines[step] = line;
    if (line.contains("seconds") && line["seconds"].is_number()) {
      const auto seconds = line["seconds"].get<double>();
      if (seconds < last) before += last;  // the clock of each run begins at 0
      last = seconds;
    }
    for (const auto& [key, value] : line.items()) {
      if (value.is_number() && !is_place(key) && std::find(order.begin(), order.end(), key) == order.end())
        order.push_back(key);
    }
  }
  out.seconds = before + last;
  for (const std::string& key : order) out.curves.push_back({key, {}});
  for (const auto& [step, line] : lines) {
    for (auto& [key, points] : out.curves) {
      if (line.contains(key) && line[key].is_number()) points.push_back({step, line[key].get<double>()});
    }
    const std::string stage = line.contains("stage") && line["stage"].is_string() ? line["stage"] : Json("");
    if (!stage.empty() && (out.stages.empty() || out.stages.back().first != stage)) out.stages.push_back({stage, step});
  }
  return out;
}

}  // namespace mien
