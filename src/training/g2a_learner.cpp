#include "g2a_learner.h"

#include <algorithm>
#include <cmath>

#include "gaussian_avatar/g2a_kernels.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

using g2a::kBlock;
using g2a::kPad;
using g2a::padded;

// Gradients are summed in so many parts, then in order: the same for any number of threads.
constexpr int kParts = 16;

}  // namespace

// What one thread needs for a block: the input of every layer and its outputs, and their gradients.
struct G2aLearner::Scratch {
  std::vector<std::vector<float>> values;  // [layers + 1] of [kBlock, width]
  std::vector<float> slope, next;          // [kBlock, widest]
};

G2aLearner::G2aLearner(GaussianAvatar& avatar)
    : avatar_(avatar), place_count_(g2a_place_count(avatar.g2anet.options)), places_(g2a_places(avatar)) {
  MIEN_CHECK(!avatar.g2anet.empty(), "no networks");
  feature_.source = &avatar.g2anet.feature;
  feature_.canonical = kG2aFeatureCanonical;
  feature_.sound_at = kG2aFeatureCanonical + kEmotionCount;
  rotation_.source = &avatar.g2anet.rotation;
  rotation_.canonical = kG2aRotationCanonical;
  rotation_.sound_at = kG2aRotationCanonical + kEmotionCount;
  turns_.assign(avatar.g2anet.gaussian.size() * 3, 0.0f);
}

std::vector<G2aLearner::Parameter> G2aLearner::parameters() {
  std::vector<Parameter> out;
  for (std::vector<G2aLayer>* stack : {feature_.source, rotation_.source}) {
    for (G2aLayer& layer : *stack) {
      out.push_back({"g2anet." + layer.name + ".weight", &layer.weight});
      out.push_back({"g2anet." + layer.name + ".bias", &layer.bias});
    }
  }
  return out;
}

void G2aLearner::take_canonical(const float* sh, const float* quats, const float* logits) {
  logits_ = logits != nullptr ? logits : avatar_.gaussians.opacity_logits.data();
  const std::vector<std::int32_t>& gaussian = avatar_.g2anet.gaussian;
  feature_.values.resize(gaussian.size() * kG2aFeatureCanonical);
  rotation_.values.resize(gaussian.size() * kG2aRotationCanonical);
  parallel_for(static_cast<std::int64_t>(gaussian.size()), 1024, [&](std::int64_t k) {
    const auto i = static_cast<std::size_t>(gaussian[k]);
    std::copy_n(sh + i * kShCoefficients * 3, kG2aFeatureCanonical, &feature_.values[k * kG2aFeatureCanonical]);
    const std::array<float, 4> q = unit_quaternion(quats + i * 4);
    std::copy(q.begin(), q.end(), &rotation_.values[k * kG2aRotationCanonical]);
  });
}

void G2aLearner::pack(Network& network) const {
  network.layers.resize(network.source->size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const G2aLayer& from = (*network.source)[l];
    Layer& to = network.layers[l];
    const int left_out = l == 0 ? static_cast<int>(sound_.size()) : 0;
    to.inputs = padded(from.inputs - left_out);
    to.outputs = padded(from.outputs);
    to.columns.assign(static_cast<std::size_t>(to.inputs) * to.outputs, 0.0f);
    to.rows.assign(to.columns.size(), 0.0f);
    to.bias.assign(static_cast<std::size_t>(to.outputs), 0.0f);
    std::copy(from.bias.begin(), from.bias.end(), to.bias.begin());
    for (int o = 0; o < from.outputs; ++o) {
      const float* row = &from.weight[static_cast<std::size_t>(o) * from.inputs];
      for (int s = 0; s < left_out; ++s) to.bias[o] += sound_[s] * row[network.sound_at + s];
      for (int i = 0; i < from.inputs - left_out; ++i) {
        const float w = row[i < network.sound_at ? i : i + left_out];
        to.columns[static_cast<std::size_t>(i) * to.outputs + o] = w;
        to.rows[static_cast<std::size_t>(o) * to.inputs + i] = w;
      }
    }
  }
}

// scratch.values.back() gets the conclusions [points, 16] of the points from `begin` on.
void G2aLearner::run(const Network& network, int begin, int points, Scratch& scratch) const {
  const int rounded = (points + 3) / 4 * 4;
  scratch.values.resize(network.layers.size() + 1);
  const int row = network.layers.front().inputs;
  scratch.values[0].assign(static_cast<std::size_t>(kBlock) * row, 0.0f);
  for (int p = 0; p < points; ++p) {
    const auto k = static_cast<std::size_t>(begin + p);
    float* x = &scratch.values[0][static_cast<std::size_t>(p) * row];
    x = std::copy_n(&network.values[k * network.canonical], network.canonical, x);
    if (avatar_.g2anet.options.emotion) std::copy(emotion_.begin(), emotion_.end(), x);
    x += kEmotionCount;
    x = std::copy_n(&places_[k * place_count_], place_count_, x);
    if (avatar_.g2anet.options.geometry()) std::copy_n(&displacement_[k * 3], 3, x);
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

// scratch.slope [points, 16]: gradient by the conclusions; added to sums: two arrays a layer, weights and biases.
void G2aLearner::run_back(const Network& network, int points, Scratch& scratch,
                          std::vector<std::vector<float>>& sums) const {
  const int rounded = (points + 3) / 4 * 4;
  for (std::size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    g2a::outer(scratch.values[l].data(), scratch.slope.data(), points, layer.inputs, layer.outputs, sums[2 * l].data());
    for (int p = 0; p < points; ++p) {
      for (int o = 0; o < layer.outputs; ++o) sums[2 * l + 1][o] += scratch.slope[p * layer.outputs + o];
    }
    if (l == 0) break;
    scratch.next.assign(static_cast<std::size_t>(kBlock) * layer.inputs, 0.0f);
    g2a::dense(scratch.slope.data(), rounded, layer.outputs, layer.outputs, layer.rows.data(), layer.inputs, false,
               scratch.next.data());
    const std::vector<float>& x = scratch.values[l];
    for (int i = 0; i < rounded * layer.inputs; ++i) {
      if (x[i] < 0) scratch.next[i] *= g2a::kLeak;
    }
    std::swap(scratch.slope, scratch.next);
  }
}

void G2aLearner::apply(const std::vector<Vec3>& unposed, const MotionFrame& frame, float* sh, float* quats,
                       float* opacities, float* means) {
  const G2aNet& net = avatar_.g2anet;
  const Gaussians& g = avatar_.gaussians;
  const auto count = static_cast<int>(net.gaussian.size());
  MIEN_CHECK(rotation_.values.size() == net.gaussian.size() * kG2aRotationCanonical, "canonical values not taken: {}",
             rotation_.values.size());
  const bool geometry = net.options.geometry();
  MIEN_CHECK(geometry || (means != nullptr && frame.sound.size() == static_cast<std::size_t>(net.options.sound)),
             "{} features of the sound of {}", frame.sound.size(), net.options.sound);
  emotion_ = g2a_emotion(frame.emotion);
  if (geometry)
    g2a_displacements(avatar_, unposed, displacement_);
  else
    sound_ = frame.sound;
  pack(feature_);
  pack(rotation_);
#pragma omp parallel
  {
    Scratch scratch;
#pragma omp for schedule(dynamic, 8)
    for (int begin = 0; begin < count; begin += kBlock) {
      const int points = std::min(kBlock, count - begin);
      if (!feature_.layers.empty()) {
        run(feature_, begin, points, scratch);
        const float* out = scratch.values.back().data();
        for (int p = 0; p < points; ++p, out += kPad) {
          const auto i = static_cast<std::size_t>(net.gaussian[begin + p]);
          for (int c = 0; c < kG2aColours; ++c) sh[i * kShCoefficients * 3 + c] += out[c];
          if (net.options.dynamic_opacity) opacities[i] = 1.0f / (1.0f + std::exp(-(logits_[i] + out[kG2aColours])));
        }
      }
      run(rotation_, begin, points, scratch);
      const float* out = scratch.values.back().data();
      for (int p = 0; p < points; ++p, out += kPad) {
        const auto i = static_cast<std::size_t>(net.gaussian[begin + p]);
        std::copy_n(out, 3, &turns_[static_cast<std::size_t>(begin + p) * 3]);
        const std::array<float, 4> q = turn_quaternion(&g.quats[i * 4], out);
        std::copy(q.begin(), q.end(), quats + i * 4);
        for (int c = 0; c < 3 && !geometry; ++c) means[i * 3 + c] = g.means[i * 3 + c] + kG2aShift * out[3 + c];
      }
    }
  }
}

void G2aLearner::unpack(const Network& network, std::vector<std::vector<float>>& sums,
                        const std::vector<std::vector<float>*>& gradients, std::size_t first) const {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const G2aLayer& shape = (*network.source)[l];
    const int outputs = network.layers[l].outputs;
    const int left_out = l == 0 ? static_cast<int>(sound_.size()) : 0;
    std::vector<float>& weight = *gradients[first + 2 * l];
    for (int o = 0; o < shape.outputs; ++o) {
      float* row = &weight[static_cast<std::size_t>(o) * shape.inputs];
      for (int s = 0; s < left_out; ++s) row[network.sound_at + s] = sums[1][o] * sound_[s];
      for (int i = 0; i < shape.inputs - left_out; ++i)
        row[i < network.sound_at ? i : i + left_out] = sums[2 * l][static_cast<std::size_t>(i) * outputs + o];
    }
    std::copy_n(sums[2 * l + 1].begin(), shape.outputs, gradients[first + 2 * l + 1]->begin());
  }
}

void G2aLearner::backward(const float* d_sh, float* d_quats, const float* d_logits, const float* d_means,
                          const std::vector<std::vector<float>*>& gradients) {
  const G2aNet& net = avatar_.g2anet;
  const Gaussians& g = avatar_.gaussians;
  MIEN_CHECK(net.options.geometry() || d_means != nullptr, "no gradient of the means");
  const auto blocks = (static_cast<int>(net.gaussian.size()) + kBlock - 1) / kBlock;
  const auto zeros = [](const Network& network) {
    std::vector<std::vector<float>> sums;
    for (const Layer& layer : network.layers) {
      sums.emplace_back(layer.columns.size(), 0.0f);
      sums.emplace_back(layer.bias.size(), 0.0f);
    }
    return sums;
  };
  std::vector<std::vector<std::vector<float>>> of_feature(kParts), of_rotation(kParts);
#pragma omp parallel for schedule(dynamic, 1)
  for (int part = 0; part < kParts; ++part) {
    Scratch scratch;
    of_feature[part] = zeros(feature_);
    of_rotation[part] = zeros(rotation_);
    for (int block = blocks * part / kParts; block < blocks * (part + 1) / kParts; ++block) {
      const int begin = block * kBlock, points = std::min(kBlock, static_cast<int>(net.gaussian.size()) - begin);
      bool any = false;  // most of what faces away from the camera has no gradient
      if (!feature_.layers.empty()) {
        scratch.slope.assign(static_cast<std::size_t>(kBlock) * kPad, 0.0f);
        for (int p = 0; p < points; ++p) {
          const auto i = static_cast<std::size_t>(net.gaussian[begin + p]);
          float* slope = &scratch.slope[static_cast<std::size_t>(p) * kPad];
          std::copy_n(d_sh + i * kShCoefficients * 3, kG2aColours, slope);
          if (net.options.dynamic_opacity) slope[kG2aColours] = d_logits[i];
          any = any || std::any_of(slope, slope + kPad, [](float v) { return v != 0; });
        }
        if (any) {
          run(feature_, begin, points, scratch);
          run_back(feature_, points, scratch, of_feature[part]);
        }
      }
      any = false;
      scratch.slope.assign(static_cast<std::size_t>(kBlock) * kPad, 0.0f);
      for (int p = 0; p < points; ++p) {
        const auto i = static_cast<std::size_t>(net.gaussian[begin + p]);
        float* d = d_quats + i * 4;
        const float *q = &g.quats[i * 4], *r = &turns_[static_cast<std::size_t>(begin + p) * 3];
        const float gw = d[0], gx = d[1], gy = d[2], gz = d[3];
        float* slope = &scratch.slope[static_cast<std::size_t>(p) * kPad];
        for (int c = 0; c < 3 && d_means != nullptr; ++c) {
          slope[3 + c] = kG2aShift * d_means[i * 3 + c];
          any = any || slope[3 + c] != 0;
        }
        if (gw == 0 && gx == 0 && gy == 0 && gz == 0) continue;
        any = true;
        slope[0] = 0.5f * (-q[1] * gw + q[0] * gx + q[3] * gy - q[2] * gz);
        slope[1] = 0.5f * (-q[2] * gw - q[3] * gx + q[0] * gy + q[1] * gz);
        slope[2] = 0.5f * (-q[3] * gw + q[2] * gx - q[1] * gy + q[0] * gz);
        d[0] += 0.5f * (r[0] * gx + r[1] * gy + r[2] * gz);
        d[1] += 0.5f * (-r[0] * gw - r[2] * gy + r[1] * gz);
        d[2] += 0.5f * (-r[1] * gw + r[2] * gx - r[0] * gz);
        d[3] += 0.5f * (-r[2] * gw - r[1] * gx + r[0] * gy);
      }
      if (!any) continue;
      run(rotation_, begin, points, scratch);
      run_back(rotation_, points, scratch, of_rotation[part]);
    }
  }
  const auto add_up = [](std::vector<std::vector<std::vector<float>>>& parts) -> std::vector<std::vector<float>>& {
    for (int part = 1; part < kParts; ++part) {
      for (std::size_t a = 0; a < parts[0].size(); ++a) {
        for (std::size_t j = 0; j < parts[0][a].size(); ++j) parts[0][a][j] += parts[part][a][j];
      }
    }
    return parts[0];
  };
  unpack(feature_, add_up(of_feature), gradients, 0);
  unpack(rotation_, add_up(of_rotation), gradients, 2 * feature_.layers.size());
}

}  // namespace mien
