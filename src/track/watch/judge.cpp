#include "track/watch/judge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace mien::track {
namespace {

constexpr float kLeastWeight = 0.1f;      // below: the frame is as good as lost
constexpr double kLongestGap = 0.4;       // seconds of lost frames inside a stretch
constexpr double kShortestStretch = 0.5;  // seconds

// 0 at `none`, 1 at `full`, even in between; `none` may be the larger one.
double ramp(double value, double none, double full) {
  return std::clamp((value - none) / (full - none), 0.0, 1.0);
}

struct Run {
  int first, end;
};

// Frames [first, end) of the track that are worth a stretch each, before short ones are dropped.
std::vector<Run> good_runs(const std::vector<Judgement>& judged, int longest_gap) {
  std::vector<Run> out;
  for (int i = 0; i < static_cast<int>(judged.size()); ++i) {
    if (judged[static_cast<std::size_t>(i)].weight < kLeastWeight) continue;
    if (!out.empty() && i - out.back().end <= longest_gap) {
      out.back().end = i + 1;
    } else {
      out.push_back({i, i + 1});
    }
  }
  return out;
}

FaceSighting sighting(const TrackedFace& face, const Judgement& judged, double sharpest) {
  FaceSighting out;
  if (!face.seen) return out;
  out.points = face.points;
  out.presence = face.presence;
  out.sharpness = static_cast<float>(std::min(1.0, face.sharpness / std::max(sharpest, 1e-9)));
  out.weight = judged.weight < kLeastWeight ? 0 : judged.weight;
  return out;
}

// Runs of one flaw become omissions; hiccups of a few frames go with their surroundings.
std::vector<Omission> omissions_of(std::vector<Flaw> flaws, double fps) {
  std::vector<Omission> out;
  const int few = std::max(1, static_cast<int>(0.3 * fps));
  const int n = static_cast<int>(flaws.size());
  const auto at = [&](int i) -> Flaw& { return flaws[static_cast<std::size_t>(i)]; };
  for (int i = 0; i < n;) {  // [i, end): a part that is left out
    if (at(i) == Flaw::kNone) {
      ++i;
      continue;
    }
    int end = i;
    while (end < n && at(end) != Flaw::kNone) ++end;
    for (int j = i; j < end;) {
      int same = j;
      while (same < end && at(same) == at(j)) ++same;
      if (same - j < few && !(j == i && same == end)) {
        const Flaw with = j > i ? at(j - 1) : at(same);
        for (int k = j; k < same; ++k) at(k) = with;
      }
      j = same;
    }
    for (int j = i; j < end;) {
      int same = j;
      while (same < end && at(same) == at(j)) ++same;
      out.push_back({j / fps, same / fps, flaw_name(at(j)), flaw_text(at(j))});
      j = same;
    }
    i = end;
  }
  return out;
}

}  // namespace

const char* flaw_name(Flaw flaw) {
  constexpr std::array kNames = {"", "no-face", "other-person", "blur", "small-face", "profile", "covered", "short"};
  return kNames[static_cast<std::size_t>(flaw)];
}

std::string flaw_text(Flaw flaw) {
  constexpr std::array kTexts = {
      "",
      "no face is to be seen",
      "another person is in the picture",
      "the face is blurred: hold the camera still, and give it more light",
      "the face is too small: film from nearer by",
      "the face is turned too far away from the camera",
      "something covers the face",
      "too short between two cuts or flaws to be of use",
  };
  return kTexts[static_cast<std::size_t>(flaw)];
}

Judgement judge(const TrackedFace& face, double sharpest) {
  if (!face.seen) return {0, Flaw::kNoFace};
  const FaceAngles angles = face_angles(face.points);
  const double turned = std::max(std::abs(angles.yaw), std::abs(angles.pitch));
  const std::array<std::pair<double, Flaw>, 4> parts = {{
      {ramp(face.presence, 0.5, 0.9), Flaw::kCovered},
      {ramp(face.sharpness / std::max(sharpest, 1e-9), 0.35, 0.6), Flaw::kBlur},
      {ramp(face_height(face.points), 32, 64), Flaw::kSmallFace},
      {ramp(turned, 65, 40), Flaw::kProfile},
  }};
  Judgement out{1, Flaw::kNone};
  double worst = 0.5;
  for (const auto& [part, flaw] : parts) {
    out.weight *= static_cast<float>(part);
    if (part >= worst) continue;
    worst = part;
    out.flaw = flaw;
  }
  return out;
}

double sharp_level(const std::vector<FaceTrack>& tracks) {
  std::vector<float> all;
  for (const FaceTrack& track : tracks) {
    for (const TrackedFace& face : track.frames) {
      if (face.seen) all.push_back(face.sharpness);
    }
  }
  if (all.empty()) return 0;
  const auto at = all.begin() + static_cast<std::ptrdiff_t>(all.size() * 9 / 10);
  std::nth_element(all.begin(), at, all.end());
  return *at;
}

double liveliness(const std::vector<FaceTrack>& tracks) {
  std::vector<float> changes;
  for (const FaceTrack& track : tracks) {
    for (const TrackedFace& face : track.frames) {
      if (face.seen && face.change >= 0) changes.push_back(face.change);
    }
  }
  if (changes.empty()) return 0;
  // Most frames of some videos repeat the one before, and in still ones every key frame differs a little.
  const auto at = changes.begin() + static_cast<std::ptrdiff_t>(changes.size() * 9 / 10);
  std::nth_element(changes.begin(), at, changes.end());
  return *at;
}

Selection select(const std::vector<FaceTrack>& person, const std::vector<bool>& others, int frames, double fps,
                 double sharpest) {
  Selection out;
  const auto count = static_cast<std::size_t>(frames);
  std::vector<Flaw> flaws(count, Flaw::kNoFace);
  for (std::size_t i = 0; i < count && i < others.size(); ++i) {
    if (others[i]) flaws[i] = Flaw::kOtherPerson;
  }
  const int shortest = std::max(2, static_cast<int>(std::ceil(kShortestStretch * fps)));
  for (const FaceTrack& track : person) {
    std::vector<Judgement> judged;
    for (const TrackedFace& face : track.frames) judged.push_back(judge(face, sharpest));
    for (std::size_t i = 0; i < judged.size(); ++i) {
      Flaw& flaw = flaws[static_cast<std::size_t>(track.first) + i];
      if (judged[i].flaw != Flaw::kNoFace && judged[i].flaw != Flaw::kNone) flaw = judged[i].flaw;
      if (track.frames[i].seen && judged[i].flaw == Flaw::kNone) flaw = Flaw::kShort;
    }
    for (const Run& run : good_runs(judged, std::max(1, static_cast<int>(kLongestGap * fps)))) {
      if (run.end - run.first < shortest) continue;
      Stretch stretch;
      stretch.first = track.first + run.first;
      for (int i = run.first; i < run.end; ++i) {
        const auto k = static_cast<std::size_t>(i);
        stretch.frames.push_back(sighting(track.frames[k], judged[k], sharpest));
        flaws[static_cast<std::size_t>(track.first + i)] = Flaw::kNone;
      }
      out.stretches.push_back(std::move(stretch));
    }
  }
  std::sort(out.stretches.begin(), out.stretches.end(),
            [](const Stretch& a, const Stretch& b) { return a.first < b.first; });
  out.omissions = omissions_of(std::move(flaws), fps);
  return out;
}

}  // namespace mien::track
