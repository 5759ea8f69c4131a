#include "growth.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "coverage.h"
#include "feature_weights.h"
#include "limits.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/geometry/nearest.h"
#include "ssim.h"

namespace mien {
namespace {

constexpr float kVanished = 0.01f;     // opacity below which a Gaussian is dropped
constexpr float kDivisible = 3.5e-4f;  // metres: smaller ones are not split
// Two halves have the whole's variance, nearly: 0.6^2 + 0.75^2 = 0.92.
constexpr float kApart = 0.6f, kShrink = 0.75f;
constexpr const char* kFeatures = "looks.features.";  // groups with a row a Gaussian, if they are local
constexpr float kReach = 0.004f;  // metres from the surface within which a half finds a new triangle

// The error of one picture, [H,W].
std::vector<float> error_map(const TrainingSample& sample, const std::vector<float>& rgb,
                             const std::vector<WeightedRectangle>& rectangles, const ImageLossOptions& loss) {
  const int width = sample.camera.width, height = sample.camera.height;
  std::vector<float> map(rgb.size());
  const PhotometricJob job = {width, height, rgb.data(), sample.rgb.data(), nullptr, 0, 0, nullptr, map.data()};
  const int bands = std::min(omp_get_max_threads(), height);
#pragma omp parallel for schedule(static, 1)
  for (int b = 0; b < bands; ++b) {
    PhotometricBand band;
    band.run(job, height * b / bands, height * (b + 1) / bands);
  }
  std::vector<float> out(sample.matte.size(), 0.0f);
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (std::size_t c = 3 * i; c < 3 * i + 3; ++c)
      out[i] += (loss.l1 * std::abs(rgb[c] - sample.rgb[c]) + loss.ssim * (1 - map[c])) / 3;
  }
  for (const WeightedRectangle& r : rectangles) {
    for (int y = r.y0; y < r.y1; ++y)
      for (int x = r.x0; x < r.x1; ++x) out[static_cast<std::size_t>(y) * width + x] *= 1 + 0.5f * r.extra;
  }
  return out;
}

// Keeps the rows of width `width` whose entry is true.
void keep_rows(std::vector<float>& values, const std::vector<bool>& keep, std::size_t width) {
  if (values.empty()) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (!keep[i]) continue;
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                values.begin() + static_cast<std::ptrdiff_t>(kept++ * width));
  }
  values.resize(kept * width);
}

void append_row(std::vector<float>& values, std::size_t row, std::size_t width) {
  const std::size_t end = values.size();
  values.resize(end + width);
  std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row * width), width,
              values.begin() + static_cast<std::ptrdiff_t>(end));
}

// Gaussians' rows and colour modes' rows of the Adam states.
class StateRows {
 public:
  StateRows(std::vector<ParameterGroup>& groups, std::size_t gaussians, std::size_t mode_rows, int feature_row) {
    for (ParameterGroup& group : groups) {
      if (group.name.starts_with("g2anet.")) continue;
      if (group.name.starts_with(kLooksPrefix) && (feature_row == 0 || !group.name.starts_with(kFeatures))) continue;
      const bool modes = group.name == "modes";
      const std::size_t rows = modes ? mode_rows : gaussians;
      if (rows == 0) continue;
      for (std::vector<float>* state : {&group.state.first, &group.state.second}) {
        if (state->empty()) continue;
        MIEN_CHECK(state->size() % rows == 0, "{}: {} values for {} rows", group.name, state->size(), rows);
        (modes ? modes_ : gaussians_).push_back({state, state->size() / rows});
      }
    }
  }
  void keep_gaussians(const std::vector<bool>& keep) {
    for (const Rows& r : gaussians_) keep_rows(*r.values, keep, r.width);
  }
  void keep_modes(const std::vector<bool>& keep) {
    for (const Rows& r : modes_) keep_rows(*r.values, keep, r.width);
  }
  void divide_gaussian(std::size_t i) { divide(gaussians_, i); }
  void divide_modes(std::size_t k) { divide(modes_, k); }

 private:
  struct Rows {
    std::vector<float>* values;
    std::size_t width;
  };
  // Both halves start without momentum.
  static void divide(std::vector<Rows>& all, std::size_t i) {
    for (const Rows& r : all) {
      std::fill_n(r.values->begin() + static_cast<std::ptrdiff_t>(i * r.width), r.width, 0.0f);
      r.values->resize(r.values->size() + r.width, 0.0f);
    }
  }
  std::vector<Rows> gaussians_, modes_;
};

// The surface under a Gaussian that has moved.
class Anchoring {
 public:
  explicit Anchoring(const HeadModel& head) : head_(&head), nearest_(head.mesh.positions, head.mesh.faces) {}

  // On a triangle that shares a region with the old one, so that lips and lids keep apart; else the old anchor.
  GaussianAnchor of(const Vec3& mean, const GaussianAnchor& old) const {
    if (!on_surface(old)) return old;
    const NearestHit hit = nearest_.query(mean, kReach);
    if (hit.face < 0) return old;
    const Index3& corners = head_->mesh.faces[static_cast<std::size_t>(hit.face)];
    bool shared = false;
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b) shared |= head_->region[corners[a]] == head_->region[old.vertex[b]];
    if (!shared) return old;
    return {{corners[0], corners[1], corners[2], corners[0]},
            {hit.barycentric[0], hit.barycentric[1], hit.barycentric[2], 0}};
  }

 private:
  const HeadModel* head_;
  NearestTriangle nearest_;
};

// Entries of `rows` (ascending Gaussians) by Gaussian; -1 where there is none.
std::vector<std::int32_t> row_of_gaussian(const std::vector<std::int32_t>& rows, std::size_t gaussians) {
  std::vector<std::int32_t> out(gaussians, -1);
  for (std::size_t k = 0; k < rows.size(); ++k) out[static_cast<std::size_t>(rows[k])] = static_cast<std::int32_t>(k);
  return out;
}

void divide(GaussianAvatar& avatar, std::size_t i, const Anchoring& anchoring) {
  Gaussians& g = avatar.gaussians;
  append_row(g.means, i, 3);
  append_row(g.quats, i, 4);
  const float* s = &g.log_scales[3 * i];
  const auto axis = static_cast<std::size_t>(std::max_element(s, s + 3) - s);
  const std::array<float, 4> q = unit_quaternion(&g.quats[4 * i]);
  const Vec3 along = Quat(q[0], q[1], q[2], q[3]).toRotationMatrix().col(static_cast<int>(axis));
  const Vec3 offset = kApart * std::exp(g.log_scales[3 * i + axis]) * along;
  g.log_scales[3 * i + axis] += std::log(kShrink);
  append_row(g.log_scales, i, 3);
  append_row(g.opacity_logits, i, 1);
  append_row(g.sh, i, kShCoefficients * 3);
  Appearances& looks = avatar.looks;
  for (std::vector<float>& shift : looks.shift) append_row(shift, i, kLookRow);
  if (const auto row = static_cast<std::size_t>(looks.feature_row()); row > 0)
    for (std::vector<float>& features : looks.features) append_row(features, i, row);
  Eigen::Map<Vec3>{&g.means[3 * i]} -= offset;
  Eigen::Map<Vec3> child{&g.means[g.means.size() - 3]};
  child += offset;
  const GaussianAnchor old = avatar.anchors[i];
  avatar.anchors[i] = anchoring.of(Eigen::Map<const Vec3>(&g.means[3 * i]), old);
  avatar.anchors.push_back(anchoring.of(child, old));
}

}  // namespace

std::vector<float> covered_error(const GaussianAvatar& avatar, const SampleReader& reader,
                                 const GaussianTrainOptions& options) {
  return covered_by_all(avatar, reader, [&](Coverage& coverage, const SampleKey& key) {
    const TrainingSample sample = reader.read(key);
    coverage.pose(*sample.motion);
    const std::vector<float> rgb = coverage.draw(*sample.motion, sample.camera);
    coverage.add(sample.camera,
                 error_map(sample, rgb, feature_rectangles(avatar.head, coverage.surface(), sample.camera, options),
                           options.loss));
  });
}

int grow_gaussians(GaussianAvatar& avatar, std::vector<ParameterGroup>& groups, const std::vector<float>& score,
                   int count) {
  Gaussians& g = avatar.gaussians;
  const int before = g.count();
  MIEN_CHECK(score.size() == static_cast<std::size_t>(before), "scores {} gaussians {}", score.size(), before);
  ColourModes& modes = avatar.modes;
  StateRows states(groups, score.size(), modes.gaussian.size(), avatar.looks.feature_row());

  std::vector<bool> keep(score.size()), keep_modes;
  const float least = std::log(kVanished / (1 - kVanished));
  for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = most_opaque_logit(avatar, i) >= least;
  for (const std::int32_t i : modes.gaussian) keep_modes.push_back(keep[static_cast<std::size_t>(i)]);
  std::vector<float> kept_score = score;
  keep_rows(kept_score, keep, 1);
  states.keep_gaussians(keep);
  states.keep_modes(keep_modes);
  keep_gaussians(avatar, keep);

  const auto n = static_cast<std::size_t>(g.count());
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < n; ++i) {
    if (*std::max_element(&g.log_scales[3 * i], &g.log_scales[3 * i] + 3) > std::log(kDivisible)) chosen.push_back(i);
  }
  std::stable_sort(chosen.begin(), chosen.end(),
                   [&](std::size_t a, std::size_t b) { return kept_score[a] > kept_score[b]; });
  chosen.resize(std::min(chosen.size(), static_cast<std::size_t>(std::max(0, count))));
  std::sort(chosen.begin(), chosen.end());
  const std::vector<std::int32_t> mode_row = row_of_gaussian(modes.gaussian, n);
  const std::vector<std::int32_t> follower = row_of_gaussian(avatar.g2anet.gaussian, n);
  const Anchoring anchoring(avatar.head);
  for (const std::size_t i : chosen) {
    const auto child = static_cast<std::int32_t>(g.count());
    divide(avatar, i, anchoring);
    states.divide_gaussian(i);
    if (mode_row[i] >= 0) {
      const auto row = static_cast<std::size_t>(mode_row[i]);
      append_row(modes.colour, row, modes.names.size() * 3);
      modes.gaussian.push_back(child);
      states.divide_modes(row);
    }
    if (follower[i] >= 0) avatar.g2anet.gaussian.push_back(child);
  }
  return g.count() - before;
}

}  // namespace mien
