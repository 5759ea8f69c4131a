#include "actor/performance/lip_solver.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mien {
namespace {

using namespace arkit;

float distance_to_segment(const Vec3& p, const Vec3& a, const Vec3& b) {
  const Vec3 along = b - a;
  const float t = std::clamp((p - a).dot(along) / std::max(along.squaredNorm(), 1e-18f), 0.0f, 1.0f);
  return (a + t * along - p).norm();
}

// Slopes of an ordinary face for models without contours, mm a unit.
std::array<float, kFaceCount> typical_slopes() {
  std::array<float, kFaceCount> slope{};
  slope[kJawOpen] = 28;
  slope[kMouthClose] = -28;
  slope[kMouthLowerDownLeft] = slope[kMouthLowerDownRight] = 3;
  slope[kMouthUpperUpLeft] = slope[kMouthUpperUpRight] = 2;
  slope[kMouthFunnel] = 5;
  slope[kMouthShrugLower] = -2;
  return slope;
}

void add(FaceWeights& weights, int index, float amount) {
  weights[index] = std::clamp(weights[index] + amount, 0.0f, 1.0f);
}

}  // namespace

const std::array<const char*, kExtraCount> kExtraNames = {"lipsPart", "lowerLipTuck", "tongueUp"};

Vec3 LipSolver::Point::at(const FaceWeights& weights) const {
  Vec3 p = base;
  for (int e = kJawForward; e < kFaceCount; ++e) p += weights[e] * slope[e];
  return p;
}

float LipSolver::Pair::at(const FaceWeights& weights) const {
  float gap = base;
  for (int e = kJawForward; e < kFaceCount; ++e) gap += weights[e] * slope[e];
  return gap;
}

LipSolver::LipSolver(const HeadModel& model) {
  const auto& lips = model.contours.lips;
  const std::size_t vertices = model.mesh.positions.size();
  for (int e = 0; e < kFaceCount; ++e) {
    column_[e] = e;
    if (e < kArkitCount) continue;
    const auto& names = model.expression_names;
    const auto found = std::find(names.begin(), names.end(), kExtraNames[e - kArkitCount]);
    column_[e] = found == names.end() ? -1 : static_cast<int>(found - names.begin());
  }
  const auto point = [&](int v) {
    Point p;
    p.base = model.mesh.positions[v];
    for (int e = 0; e < kFaceCount; ++e)
      p.slope[e] = column_[e] < 0 ? Vec3::Zero() : model.expression[column_[e] * vertices + v];
    return p;
  };
  const auto pair = [&](std::size_t i) {
    const Point upper = point(lips[i][0]), lower = point(lips[i][1]);
    Pair gap;
    gap.base = 1000 * (upper.base - lower.base).y();
    for (int e = 0; e < kFaceCount; ++e) gap.slope[e] = 1000 * (upper.slope[e] - lower.slope[e]).y();
    return gap;
  };
  if (lips.empty()) {
    middle_.base = 0;
    middle_.slope = typical_slopes();
  } else {
    const std::size_t n = lips.size();
    middle_ = pair(n / 2);
    if (n % 2 == 0) {
      const Pair other = pair(n / 2 - 1);
      middle_.base = 0.5f * (middle_.base + other.base);
      for (int e = 0; e < kFaceCount; ++e) middle_.slope[e] = 0.5f * (middle_.slope[e] + other.slope[e]);
    }
    for (std::size_t i = n / 4; i < n - n / 4; ++i) {
      pairs_.push_back(pair(i));
      lower_lip_.push_back(point(lips[i][1]));
    }
    for (const int v : model.contours.upper_teeth) upper_teeth_.push_back(point(v));
  }
  gap_per_jaw_ = std::max(5.0f, middle_.slope[kJawOpen]);
  if (upper_teeth_.size() < 2 || lower_lip_.empty()) return;

  // The labiodental pose of this mesh: the least tuck, roll and jaw that bring lip and teeth together.
  const bool has_tuck = column_[kLowerLipTuck] >= 0;
  float best = std::numeric_limits<float>::max();
  for (int r = 0; r <= 10; ++r) {
    for (int j = 0; j <= 12; ++j) {
      FaceWeights weights{};
      weights[has_tuck ? kLowerLipTuck : kMouthRollLower] = 0.1f * static_cast<float>(r);
      if (has_tuck) weights[kMouthRollLower] = 0.2f;
      weights[kJawOpen] = jaw_for(0.6f * static_cast<float>(j));
      const float cost = std::max(0.3f, lip_to_teeth_mm(weights)) + 0.04f * static_cast<float>(r + j);
      if (cost < best) {
        best = cost;
        teeth_tuck_ = weights[kLowerLipTuck];
        teeth_roll_ = weights[kMouthRollLower];
        teeth_jaw_ = weights[kJawOpen];
      }
    }
  }
}

void LipSolver::write(const FaceWeights& weights, std::vector<float>& expression) const {
  for (int e = 0; e < kFaceCount; ++e) {
    if (column_[e] >= 0) expression[column_[e]] = weights[e];
  }
}

FaceWeights LipSolver::read(const std::vector<float>& expression) const {
  FaceWeights weights{};
  for (int e = 0; e < kFaceCount; ++e) {
    if (column_[e] >= 0 && column_[e] < static_cast<int>(expression.size())) weights[e] = expression[column_[e]];
  }
  return weights;
}

float LipSolver::gap_mm(const FaceWeights& weights) const {
  return middle_.at(weights);
}

std::array<float, 2> LipSolver::gap_range_mm(const FaceWeights& weights) const {
  std::array<float, 2> range = {gap_mm(weights), gap_mm(weights)};
  for (const Pair& pair : pairs_) {
    const float gap = pair.at(weights);
    range = {std::min(range[0], gap), std::max(range[1], gap)};
  }
  return range;
}

float LipSolver::lip_to_teeth_mm(const FaceWeights& weights) const {
  float smallest = std::numeric_limits<float>::max();
  if (upper_teeth_.size() < 2) return smallest;
  std::vector<Vec3> teeth;
  for (const Point& point : upper_teeth_) teeth.push_back(point.at(weights));
  for (const Point& point : lower_lip_) {
    const Vec3 lip = point.at(weights);
    for (std::size_t t = 1; t < teeth.size(); ++t) {
      smallest = std::min(smallest, distance_to_segment(lip, teeth[t - 1], teeth[t]));
    }
  }
  return 1000 * smallest;
}

void LipSolver::reach_gap(float mm, FaceWeights& weights) const {
  float missing = mm - gap_mm(weights);
  if (missing > 0) {
    // First take back what closes, then open: the jaw most, the lower lip, the upper lip a little.
    const float close_slope = std::min(-1.0f, middle_.slope[kMouthClose]);
    const float undo = std::min(weights[kMouthClose], missing / -close_slope);
    weights[kMouthClose] -= undo;
    missing += undo * close_slope;
    const auto lips = [&](int left, int right, float share, float most) {
      const float slope = middle_.slope[left] + (left == right ? 0 : middle_.slope[right]);
      if (slope < 0.5f) return;
      const float amount = std::clamp(share * missing / slope, 0.0f, std::max(0.0f, most - weights[left]));
      add(weights, left, amount);
      if (left != right) add(weights, right, amount);
    };
    lips(kLipsPart, kLipsPart, 0.18f, 0.5f);
    lips(kMouthLowerDownLeft, kMouthLowerDownRight, 0.06f, 0.35f);
    lips(kMouthUpperUpLeft, kMouthUpperUpRight, 0.20f, 0.40f);
    add(weights, kJawOpen, (mm - gap_mm(weights)) / gap_per_jaw_);
  } else if (missing < 0) {
    // Half by the jaw as far as it goes, the rest by the lips themselves.
    const float jaw = std::min(weights[kJawOpen], -0.5f * missing / gap_per_jaw_);
    weights[kJawOpen] -= jaw;
    add(weights, kMouthClose, (mm - gap_mm(weights)) / std::min(-1.0f, middle_.slope[kMouthClose]));
    // What mouthClose cannot do: take away what holds the lips apart.
    for (const int e : {kLipsPart, kMouthLowerDownLeft, kMouthLowerDownRight, kMouthUpperUpLeft, kMouthUpperUpRight,
                        kMouthFunnel, kJawOpen, kNoseSneerLeft, kNoseSneerRight}) {
      missing = mm - gap_mm(weights);
      if (missing >= -0.02f) break;
      if (middle_.slope[e] > 0.1f) weights[e] -= std::min(weights[e], -missing / middle_.slope[e]);
    }
  }
}

void LipSolver::close(float mm, FaceWeights& weights) const {
  reach_gap(mm, weights);
  // Beside the middle smiles and sneers may hold the lips apart; a little more closing there, but no deep crossing.
  for (int step = 0; step < 4; ++step) {
    const auto [least, most] = gap_range_mm(weights);
    if (most <= 0.25f || least < -1.5f) return;
    reach_gap(gap_mm(weights) - std::min(0.5f, most - 0.2f), weights);
  }
}

// Coordinate search with halving steps.
void LipSolver::search_teeth(FaceWeights& weights) const {
  float step_roll = 0.15f, step_jaw = jaw_for(1.5f);
  float best = lip_to_teeth_mm(weights);
  for (int round = 0; round < 12 && best > 0.3f; ++round) {
    bool better = false;
    for (const auto& [index, step] : {std::pair{+kLowerLipTuck, step_roll}, std::pair{+kMouthRollLower, step_roll},
                                      std::pair{+kJawOpen, step_jaw}}) {
      for (const float sign : {1.0f, -1.0f}) {
        FaceWeights trial = weights;
        add(trial, index, sign * step);
        const float distance = lip_to_teeth_mm(trial);
        if (distance < best - 1e-4f) {
          best = distance;
          weights = trial;
          better = true;
        }
      }
    }
    if (!better) {
      step_roll *= 0.5f;
      step_jaw *= 0.5f;
    }
  }
}

void LipSolver::touch_teeth(FaceWeights& weights) const {
  for (const int e : {kMouthFunnel, kMouthPucker, kMouthShrugLower, kMouthLowerDownLeft, kMouthLowerDownRight,
                      kMouthPressLeft, kMouthPressRight, kMouthRollUpper}) {
    weights[e] *= e == kMouthPucker || e == kMouthFunnel ? 0.3f : 0.1f;
  }
  weights[kJawForward] *= 0.2f;
  weights[kMouthClose] = weights[kLipsPart] = 0;
  weights[kLowerLipTuck] = teeth_tuck_;
  weights[kMouthRollLower] = teeth_roll_;
  weights[kJawOpen] = teeth_jaw_;
  for (const int e : {kMouthUpperUpLeft, kMouthUpperUpRight})
    weights[e] = std::max(weights[e], teeth_tuck_ > 0 ? 0.15f : 0.28f);
  if (upper_teeth_.size() < 2) return;
  // Emotions and neighbours have moved the lip: look around the pose for the contact; if what protrudes the lips still
  // keeps them away, it has to go.
  search_teeth(weights);
  if (lip_to_teeth_mm(weights) < 0.4f) return;
  for (const int e : {kMouthPucker, kMouthFunnel, kJawForward, kMouthShrugLower, kMouthShrugUpper}) weights[e] = 0;
  search_teeth(weights);
}

}  // namespace mien
