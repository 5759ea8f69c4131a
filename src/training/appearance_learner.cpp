#include "appearance_learner.h"

#include <algorithm>

#include "gaussian_avatar/g2a_kernels.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

using g2a::kBlock;
using g2a::kPad;
using g2a::padded;

constexpr int kParts = 16;  // in which gradients are summed, then in order: the same for any number of threads
constexpr int kShRow = kShCoefficients * 3;

}  // namespace

AppearanceLearner::AppearanceLearner(GaussianAvatar& avatar) : avatar_(avatar) {
  Appearances& looks = avatar.looks;
  MIEN_CHECK(looks.learns(), "{} appearances that do not learn", looks.count());
  const bool global = looks.options.features == AppearanceFeatures::kGlobal;
  colour_.source = &looks.colour;
  density_.source = &looks.density;
  density_.sees_gaussian = global;
  if (global) {
    places_ = look_places(avatar);
    place_count_ = static_cast<int>(places_.size() / std::max<std::size_t>(1, avatar.anchors.size()));
  }
}

// Of a Gaussian: Z first.
const float* AppearanceLearner::row(int appearance, std::size_t gaussian) const {
  const std::vector<float>& features = avatar_.looks.features[static_cast<std::size_t>(appearance)];
  return &features[gaussian * static_cast<std::size_t>(avatar_.looks.feature_row())];
}

void AppearanceLearner::pack(Network& network) const {
  network.layers.resize(network.source->size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const G2aLayer& from = (*network.source)[l];
    Layer& to = network.layers[l];
    to.inputs = padded(from.inputs);
    to.outputs = padded(from.outputs);
    to.columns.assign(static_cast<std::size_t>(to.inputs) * to.outputs, 0.0f);
    to.rows.assign(to.columns.size(), 0.0f);
    to.bias.assign(static_cast<std::size_t>(to.outputs), 0.0f);
    std::copy(from.bias.begin(), from.bias.end(), to.bias.begin());
    for (int o = 0; o < from.outputs; ++o) {
      for (int i = 0; i < from.inputs; ++i) {
        const float w = from.weight[static_cast<std::size_t>(o) * from.inputs + i];
        to.columns[static_cast<std::size_t>(i) * to.outputs + o] = w;
        to.rows[static_cast<std::size_t>(o) * to.inputs + i] = w;
      }
    }
  }
}

// scratch.values.back() gets the conclusions [points, 16] of the points from `begin` on.
void AppearanceLearner::run(const Network& network, int appearance, int begin, int points, Scratch& scratch) const {
  const int rounded = (points + 3) / 4 * 4;
  scratch.values.resize(network.layers.size() + 1);
  const int width = network.layers.front().inputs;
  scratch.values[0].assign(static_cast<std::size_t>(kBlock) * width, 0.0f);
  for (int p = 0; p < points; ++p) {
    const auto i = static_cast<std::size_t>(begin + p);
    float* x = &scratch.values[0][static_cast<std::size_t>(p) * width];
    x = std::copy_n(row(appearance, i), kLatent, x);
    if (!network.sees_gaussian) continue;
    x = std::copy_n(&base_[i * 3], 3, x);
    if (place_count_ > 0) std::copy_n(&places_[i * place_count_], place_count_, x);
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    std::vector<float>& y = scratch.values[l + 1];
    y.resize(static_cast<std::size_t>(kBlock) * layer.outputs);
    for (int p = 0; p < rounded; ++p) std::copy(layer.bias.begin(), layer.bias.end(), &y[p * layer.outputs]);
    g2a::dense(scratch.values[l].data(), rounded, layer.inputs, layer.inputs, layer.columns.data(), layer.outputs,
               l + 1 < network.layers.size(), y.data());
  }
}

// scratch.slope [points, 16]: gradient by the conclusions, becomes that by the inputs [points, inputs]; added to sums:
// two arrays a layer, weights and biases.
void AppearanceLearner::run_back(const Network& network, int points, Scratch& scratch,
                                 std::vector<std::vector<float>>& sums) const {
  const int rounded = (points + 3) / 4 * 4;
  for (std::size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    g2a::outer(scratch.values[l].data(), scratch.slope.data(), points, layer.inputs, layer.outputs, sums[2 * l].data());
    for (int p = 0; p < points; ++p) {
      for (int o = 0; o < layer.outputs; ++o) sums[2 * l + 1][o] += scratch.slope[p * layer.outputs + o];
    }
    scratch.next.assign(static_cast<std::size_t>(kBlock) * layer.inputs, 0.0f);
    g2a::dense(scratch.slope.data(), rounded, layer.outputs, layer.outputs, layer.rows.data(), layer.inputs, false,
               scratch.next.data());
    const std::vector<float>& x = scratch.values[l];
    for (int i = 0; l > 0 && i < rounded * layer.inputs; ++i) {
      if (x[i] < 0) scratch.next[i] *= g2a::kLeak;
    }
    std::swap(scratch.slope, scratch.next);
  }
}

void AppearanceLearner::apply(int appearance, float* sh, float* logits) {
  const int count = avatar_.gaussians.count();
  const bool local = avatar_.looks.feature_row() > 0, dense = !density_.source->empty();
  base_.resize(static_cast<std::size_t>(count) * 3);
  parallel_for(count, 4096, [&](std::int64_t i) { std::copy_n(sh + i * kShRow, 3, &base_[i * 3]); });
  pack(colour_);
  pack(density_);
#pragma omp parallel
  {
    Scratch scratch;
#pragma omp for schedule(dynamic, 8)
    for (int begin = 0; begin < count; begin += kBlock) {
      const int points = std::min(kBlock, count - begin);
      run(colour_, appearance, begin, points, scratch);
      const float* out = scratch.values.back().data();
      for (int p = 0; p < points; ++p, out += kPad) {
        const auto i = static_cast<std::size_t>(begin + p);
        for (int c = 0; c < kLookColours; ++c) sh[i * kShRow + c] += out[c];
        for (int c = 0; c < 3 && local; ++c) sh[i * kShRow + c] += row(appearance, i)[kLatent + c];
      }
      if (!dense) continue;
      run(density_, appearance, begin, points, scratch);
      out = scratch.values.back().data();
      for (int p = 0; p < points; ++p, out += kPad) {
        const auto i = static_cast<std::size_t>(begin + p);
        logits[i] += out[0] + (local ? row(appearance, i)[kLatent + 3] : 0.0f);
      }
    }
  }
}

void AppearanceLearner::backward(int appearance, const float* d_sh, const float* d_logits, std::vector<float>& features,
                                 const std::vector<std::vector<float>*>& networks) {
  const int count = avatar_.gaussians.count(), width = avatar_.looks.feature_row();
  const int blocks = (count + kBlock - 1) / kBlock;
  const bool dense = !density_.source->empty();
  const auto zeros = [](const Network& network) {
    std::vector<std::vector<float>> sums;
    for (const Layer& layer : network.layers) {
      sums.emplace_back(layer.columns.size(), 0.0f);
      sums.emplace_back(layer.bias.size(), 0.0f);
    }
    return sums;
  };
  std::fill(features.begin(), features.end(), 0.0f);
  std::vector<std::vector<std::vector<float>>> of_colour(kParts), of_density(kParts);
  std::vector<std::vector<float>> of_latent(kParts, std::vector<float>(kLatent, 0.0f));  // where it is one for all
#pragma omp parallel for schedule(dynamic, 1)
  for (int part = 0; part < kParts; ++part) {
    Scratch scratch;
    of_colour[part] = zeros(colour_);
    of_density[part] = zeros(density_);
    for (int block = blocks * part / kParts; block < blocks * (part + 1) / kParts; ++block) {
      const int begin = block * kBlock, points = std::min(kBlock, count - begin);
      const auto learn = [&](const Network& network, std::vector<std::vector<float>>& sums, const auto& slope_of) {
        scratch.slope.assign(static_cast<std::size_t>(kBlock) * kPad, 0.0f);
        bool any = false;  // most of what faces away from the camera has no gradient
        for (int p = 0; p < points; ++p) any = slope_of(begin + p, &scratch.slope[p * kPad]) || any;
        if (!any) return;
        run(network, appearance, begin, points, scratch);
        run_back(network, points, scratch, sums);
        const int inputs = network.layers.front().inputs;
        for (int p = 0; p < points; ++p) {
          float* to = width > 0 ? &features[static_cast<std::size_t>(begin + p) * width] : of_latent[part].data();
          for (int k = 0; k < kLatent; ++k) to[k] += scratch.slope[p * inputs + k];
        }
      };
      learn(colour_, of_colour[part], [&](int i, float* slope) {
        const float* d = d_sh + static_cast<std::ptrdiff_t>(i) * kShRow;
        std::copy_n(d, kLookColours, slope);
        if (width > 0) std::copy_n(d, 3, &features[static_cast<std::size_t>(i) * width + kLatent]);
        return std::any_of(slope, slope + kLookColours, [](float v) { return v != 0; });
      });
      if (!dense) continue;
      learn(density_, of_density[part], [&](int i, float* slope) {
        slope[0] = d_logits[i];
        if (width > 0) features[static_cast<std::size_t>(i) * width + kLatent + 3] = d_logits[i];
        return slope[0] != 0;
      });
    }
  }
  for (int part = 0; part < kParts && width == 0; ++part) {
    for (int k = 0; k < kLatent; ++k) features[k] += of_latent[part][k];
  }
  std::size_t next = 0;
  const auto add_up = [&](const Network& network, std::vector<std::vector<std::vector<float>>>& parts) {
    for (int part = 1; part < kParts; ++part) {
      for (std::size_t a = 0; a < parts[0].size(); ++a) {
        for (std::size_t j = 0; j < parts[0][a].size(); ++j) parts[0][a][j] += parts[part][a][j];
      }
    }
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const G2aLayer& shape = (*network.source)[l];
      std::vector<float>&weight = *networks[next++], &bias = *networks[next++];
      for (int o = 0; o < shape.outputs; ++o) {
        for (int i = 0; i < shape.inputs; ++i)
          weight[static_cast<std::size_t>(o) * shape.inputs + i] =
              parts[0][2 * l][static_cast<std::size_t>(i) * network.layers[l].outputs + o];
      }
      std::copy_n(parts[0][2 * l + 1].begin(), shape.outputs, bias.begin());
    }
  };
  add_up(colour_, of_colour);
  add_up(density_, of_density);
}

void AppearanceLearner::bake() {
  const Gaussians& g = avatar_.gaussians;
  Appearances& looks = avatar_.looks;
  const auto n = static_cast<std::size_t>(g.count());
  looks.shift.resize(looks.names.size());
  std::vector<float> sh, logits;
  for (int a = 0; a < looks.count(); ++a) {
    sh = g.sh;
    logits.assign(n, 0.0f);
    apply(a, sh.data(), logits.data());
    std::vector<float>& shift = looks.shift[static_cast<std::size_t>(a)];
    shift.resize(n * kLookRow);
    parallel_for(g.count(), 4096, [&](std::int64_t i) {
      for (int c = 0; c < kLookColours; ++c) shift[i * kLookRow + c] = sh[i * kShRow + c] - g.sh[i * kShRow + c];
      shift[i * kLookRow + kLookColours] = logits[i];
    });
  }
}

void bake_appearances(GaussianAvatar& avatar) {
  if (avatar.looks.learns()) AppearanceLearner(avatar).bake();
}

}  // namespace mien
