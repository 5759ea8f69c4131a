#include "mien/head/arkit_csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien {
namespace {

constexpr double kCodeRate = 60;              // frames a second that time codes count
constexpr std::size_t kMostBytes = 1u << 30;  // 12 hours at 60 frames/s are 2 million lines
constexpr int kMostMissing = 600;             // frames in a row that may be filled in
constexpr const char* kAngles[9] = {"HeadYaw",     "HeadPitch",   "HeadRoll",      "LeftEyeYaw",  "LeftEyePitch",
                                    "LeftEyeRoll", "RightEyeYaw", "RightEyePitch", "RightEyeRoll"};
constexpr int kChannels = kArkitCount + 9;

std::string column_name(const char* arkit) {  // "eyeBlinkLeft" -> "EyeBlinkLeft"
  std::string name = arkit;
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

struct Line {
  double time = 0;  // seconds
  float values[kChannels] = {};
};

class Table {
 public:
  explicit Table(const std::filesystem::path& path) : path_(path), text_(read_text(path, kMostBytes)) {}

  std::vector<Line> read() {
    std::string_view rest = text_;
    std::vector<Line> lines;
    for (number_ = 1; !rest.empty(); ++number_) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
      if (number_ == 1 && line.substr(0, 3) == "\xef\xbb\xbf") line.remove_prefix(3);
      if (line.empty()) continue;
      if (channels_.empty()) {
        read_names(line);
      } else {
        lines.push_back(read_line(line));
        if (lines.size() > 1 && lines.back().time <= lines[lines.size() - 2].time) bad("its time is not later");
      }
    }
    if (lines.empty()) bad("no frames");
    return lines;
  }

 private:
  [[noreturn]] void bad(const std::string& what) const {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: line {}: {}", path_.string(), number_, what),
                "give a CSV file as Live Link Face writes it");
  }

  std::string_view take_field(std::string_view& line) const {
    const std::size_t end = std::min(line.find(','), line.size());
    const std::string_view field = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return field;
  }

  void read_names(std::string_view line) {
    std::vector<std::string> known;
    known.reserve(kChannels);
    for (const char* name : kArkitNames) known.push_back(column_name(name));
    known.insert(known.end(), std::begin(kAngles), std::end(kAngles));
    int found = 0;
    for (int column = 0; !line.empty(); ++column) {
      const std::string_view name = take_field(line);
      if (column == 0 && name != "Timecode") bad(fmt::format("starts with \"{:.40}\", not Timecode", name));
      const auto at = std::find(known.begin(), known.end(), name);
      channels_.push_back(at == known.end() ? -1 : static_cast<int>(at - known.begin()));
      found += at == known.end() ? 0 : 1;
    }
    if (found == 0) bad("names no ARKit curve");
  }

  double time_of(std::string_view code) const {  // HH:MM:SS:FF.fff
    double parts[4] = {};
    std::string_view rest = code;
    for (int k = 0; k < 4; ++k) {
      const std::size_t end = k < 3 ? rest.find(':') : rest.size();
      const auto result = end == std::string_view::npos
                              ? std::from_chars_result{rest.data(), std::errc::invalid_argument}
                              : std::from_chars(rest.data(), rest.data() + end, parts[k]);
      if (result.ec != std::errc() || result.ptr != rest.data() + end || !(parts[k] >= 0 && parts[k] < 1000))
        bad(fmt::format("\"{:.40}\" is no time code HH:MM:SS:FF", code));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return parts[0] * 3600 + parts[1] * 60 + parts[2] + parts[3] / kCodeRate;
  }

  Line read_line(std::string_view line) const {
    Line out;
    std::size_t column = 0;
    for (; !line.empty(); ++column) {
      const std::string_view field = take_field(line);
      if (column >= channels_.size()) bad(fmt::format("more values than the {} columns", channels_.size()));
      if (column == 0) out.time = time_of(field);
      if (channels_[column] < 0) continue;
      float& value = out.values[channels_[column]];
      const auto result = std::from_chars(field.data(), field.data() + field.size(), value);
      if (result.ec != std::errc() || result.ptr != field.data() + field.size() || !std::isfinite(value))
        bad(fmt::format("\"{:.40}\" in column {} is no number", field, column + 1));
    }
    if (column < channels_.size()) bad(fmt::format("{} values for {} columns", column, channels_.size()));
    return out;
  }

  std::filesystem::path path_;
  std::string text_;
  std::vector<int> channels_;  // of each column; -1: none
  int number_ = 0;
};

Quat head_rotation(const float* angles) {
  return Quat(Eigen::AngleAxisf(-angles[0], Vec3::UnitY()) * Eigen::AngleAxisf(angles[1], Vec3::UnitX()) *
              Eigen::AngleAxisf(angles[2], Vec3::UnitZ()));
}

// yaw, pitch, roll of head_rotation(); pitch within 90 degrees.
std::array<float, 3> head_angles(const Quat& rotation) {
  const Mat3 m = rotation.toRotationMatrix();
  const float pitch = std::asin(std::clamp(-m(1, 2), -1.0f, 1.0f));
  return {-std::atan2(m(0, 2), m(2, 2)), pitch, std::atan2(m(1, 0), m(1, 1))};
}

MotionFrame frame_of(const Line& line) {
  MotionFrame frame;
  frame.expression.assign(line.values, line.values + kArkitCount);
  const float* angles = line.values + kArkitCount;
  frame.pose.head = head_rotation(angles);
  frame.pose.gaze_left = {-angles[3], -angles[4]};
  frame.pose.gaze_right = {-angles[6], -angles[7]};
  return frame;
}

// The step of most lines, as a rate: a whole number where it is one to the precision of time codes.
double rate_of(const std::vector<Line>& lines) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < lines.size(); ++i) steps.push_back(lines[i].time - lines[i - 1].time);
  if (steps.empty()) return 30;
  std::nth_element(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2), steps.end());
  const double rate = 1 / steps[steps.size() / 2];
  return std::abs(rate - std::round(rate)) < 0.05 ? std::round(rate) : rate;
}

}  // namespace

HeadMotion read_arkit_csv(const std::filesystem::path& path) {
  const std::vector<Line> lines = Table(path).read();
  HeadMotion motion;
  motion.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
  motion.fps = rate_of(lines);
  if (!(motion.fps >= 1 && motion.fps <= 1000)) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: {:.3g} frames a second", path.string(), motion.fps),
                "give a CSV file as Live Link Face writes it");
  }
  motion.frames.push_back(frame_of(lines[0]));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const int steps = std::max(
        1, static_cast<int>(std::min((lines[i].time - lines[i - 1].time) * motion.fps + 0.5, 1.0 + kMostMissing)));
    if (steps > kMostMissing) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: frame {}: {:.1f} s after the one before", path.string(), i + 1,
                              lines[i].time - lines[i - 1].time),
                  "cut the take there");
    }
    for (int k = 1; k <= steps; ++k) {
      const float t = static_cast<float>(k) / static_cast<float>(steps);
      Line between;
      for (int c = 0; c < kChannels; ++c)
        between.values[c] = k == steps ? lines[i].values[c] : (1 - t) * lines[i - 1].values[c] + t * lines[i].values[c];
      motion.frames.push_back(frame_of(between));
    }
  }
  return motion;
}

void write_arkit_csv(const HeadMotion& motion, const std::filesystem::path& path) {
  AtomicFile file(path);
  std::string text = "Timecode,BlendShapeCount";
  std::vector<int> source;  // where the motion has each weight
  for (const char* name : kArkitNames) {
    text += ',';
    text += column_name(name);
    const auto at = std::find(motion.expression_names.begin(), motion.expression_names.end(), name);
    source.push_back(at == motion.expression_names.end() ? -1 : static_cast<int>(at - motion.expression_names.begin()));
  }
  for (const char* name : kAngles) text.append(",").append(name);
  file.write(text + "\n");
  for (int f = 0; f < motion.frame_count(); ++f) {
    const MotionFrame& frame = motion.frames[static_cast<std::size_t>(f)];
    const double seconds = std::max(0.0, motion.start + f / motion.fps);
    const auto whole = static_cast<long>(seconds + 1e-6);
    text = fmt::format("{:02}:{:02}:{:02}:{:06.3f},{}", whole / 3600, whole / 60 % 60, whole % 60,
                       std::max(0.0, (seconds - static_cast<double>(whole)) * kCodeRate), kChannels);
    for (const int s : source) {
      const bool there = s >= 0 && s < static_cast<int>(frame.expression.size());
      text += fmt::format(",{:.9g}", there ? frame.expression[static_cast<std::size_t>(s)] : 0.0f);
    }
    const HeadPose& pose = frame.pose;
    for (const float angle : head_angles(pose.neck * pose.head)) text += fmt::format(",{:.9g}", angle);
    for (const std::array<float, 2>& gaze : {pose.gaze_left, pose.gaze_right})
      text += fmt::format(",{:.9g},{:.9g},0", -gaze[0], -gaze[1]);
    file.write(text + "\n");
  }
  file.commit();
}

HeadMotion load_motion(const std::filesystem::path& path) {
  return path.extension() == ".csv" ? read_arkit_csv(path) : HeadMotion::load(path);
}

}  // namespace mien
