#include <algorithm>
#include <cmath>

#include "gaussian_avatar/g2a_kernels.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {
namespace {

using g2a::kBlock;
using g2a::padded;

constexpr int kWidest = 256;

// Columns [from, from + inputs) of W, as rows of a padded [inputs, out] matrix.
std::vector<float> columns_of(const G2aLayer& layer, int from, int inputs) {
  const int outputs = padded(layer.outputs);
  std::vector<float> out(static_cast<std::size_t>(inputs) * outputs, 0.0f);
  for (int i = 0; i < inputs; ++i) {
    for (int o = 0; o < layer.outputs; ++o) {
      out[static_cast<std::size_t>(i) * outputs + o] =
          layer.weight[static_cast<std::size_t>(o) * layer.inputs + from + i];
    }
  }
  return out;
}

std::vector<float> padded_bias(const G2aLayer& layer) {
  std::vector<float> out(static_cast<std::size_t>(padded(layer.outputs)), 0.0f);
  std::copy(layer.bias.begin(), layer.bias.end(), out.begin());
  return out;
}

}  // namespace

G2aInference::Stack G2aInference::make_stack(const std::vector<G2aLayer>& layers, const G2aOptions& options,
                                             const std::vector<float>& canonical, int canonical_count,
                                             const std::vector<float>& places, std::size_t count) {
  Stack stack;
  if (layers.empty()) return stack;
  const G2aLayer& first = layers.front();
  const int place_count = g2a_place_count(options);
  const int displacements = g2a_displacement_count(options);
  MIEN_CHECK(places.size() == count * static_cast<std::size_t>(place_count), "places {} Gaussians {} of {}",
             places.size(), count, place_count);
  const auto width = static_cast<std::size_t>(padded(first.outputs));
  stack.emotion = columns_of(first, canonical_count, kEmotionCount);
  stack.sound = columns_of(first, canonical_count + kEmotionCount, options.sound);
  stack.moving = columns_of(first, first.inputs - displacements, displacements);
  const std::vector<float> of_canonical = columns_of(first, 0, canonical_count);
  const std::vector<float> of_place = columns_of(first, canonical_count + kEmotionCount + options.sound, place_count);
  const std::vector<float> bias = padded_bias(first);
  // Blocks read whole: the last one has room.
  const std::size_t rows = (count + kBlock - 1) / kBlock * kBlock;
  stack.fixed.assign(rows * width, 0.0f);
  const auto whole = static_cast<std::int64_t>(count);
  parallel_for(whole, 256, [&](std::int64_t k) {
    float* y = &stack.fixed[static_cast<std::size_t>(k) * width];
    std::copy(bias.begin(), bias.end(), y);
    const auto add = [&](const float* x, int inputs, const std::vector<float>& columns) {
      for (int i = 0; i < inputs; ++i) {
        for (std::size_t o = 0; o < width; ++o) y[o] += x[i] * columns[static_cast<std::size_t>(i) * width + o];
      }
    };
    add(&canonical[static_cast<std::size_t>(k * canonical_count)], canonical_count, of_canonical);
    add(&places[static_cast<std::size_t>(k * place_count)], place_count, of_place);
  });
  for (std::size_t l = 1; l < layers.size(); ++l) {
    stack.inputs.push_back(layers[l].inputs);
    stack.outputs.push_back(padded(layers[l].outputs));
    stack.columns.push_back(columns_of(layers[l], 0, layers[l].inputs));
    stack.bias.push_back(padded_bias(layers[l]));
  }
  return stack;
}

G2aInference::G2aInference(const GaussianAvatar& avatar) : avatar_(&avatar) {
  const G2aNet& net = avatar.g2anet;
  const std::size_t count = net.gaussian.size();
  std::vector<float> colours, turns;
  colours.reserve(count * kG2aFeatureCanonical);
  turns.reserve(count * kG2aRotationCanonical);
  for (const std::int32_t i : net.gaussian) {
    const float* sh = &avatar.gaussians.sh[static_cast<std::size_t>(i) * kShCoefficients * 3];
    colours.insert(colours.end(), sh, sh + kG2aFeatureCanonical);
    const std::array<float, 4> q = unit_quaternion(&avatar.gaussians.quats[static_cast<std::size_t>(i) * 4]);
    turns.insert(turns.end(), q.begin(), q.end());
  }
  const std::vector<float> places = g2a_places(avatar);
  feature_ = make_stack(net.feature, net.options, colours, kG2aFeatureCanonical, places, count);
  rotation_ = make_stack(net.rotation, net.options, turns, kG2aRotationCanonical, places, count);
}

void G2aInference::apply(const std::vector<Vec3>& unposed, const MotionFrame& frame, float* sh, float* quats,
                         float* opacities, float* means) {
  const G2aNet& net = avatar_->g2anet;
  const Gaussians& g = avatar_->gaussians;
  const auto count = static_cast<int>(net.gaussian.size());
  const bool geometry = net.options.geometry();
  MIEN_CHECK(geometry || (means != nullptr && frame.sound.size() == static_cast<std::size_t>(net.options.sound)),
             "{} features of the sound of {}", frame.sound.size(), net.options.sound);
  if (geometry) g2a_displacements(*avatar_, unposed, displacement_);
  const EmotionVector given = g2a_emotion(frame.emotion);
  const auto felt_by = [&](const Stack& stack, int width) {
    std::vector<float> sum(static_cast<std::size_t>(width), 0.0f);
    for (int e = 0; e < kEmotionCount && net.options.emotion; ++e) {
      for (int o = 0; o < width; ++o) sum[o] += given[e] * stack.emotion[static_cast<std::size_t>(e) * width + o];
    }
    for (int s = 0; s < net.options.sound; ++s) {
      const float* column = &stack.sound[static_cast<std::size_t>(s) * width];
      for (int o = 0; o < width; ++o) sum[o] += frame.sound[s] * column[o];
    }
    return sum;
  };
  const int width = padded(net.options.width);
  const std::vector<float> felt_colour = feature_.fixed.empty() ? std::vector<float>() : felt_by(feature_, width);
  const std::vector<float> felt_turn = felt_by(rotation_, width);

  const auto blocks = (count + kBlock - 1) / kBlock;
  parallel_for(blocks, 8, [&](std::int64_t block) {
    alignas(64) float a[kBlock * kWidest], b[kBlock * kWidest];
    const int begin = static_cast<int>(block) * kBlock, points = std::min(kBlock, count - begin);
    const int rounded = (points + 3) / 4 * 4;
    // Runs a stack; the result is [points, 16].
    const auto run = [&](const Stack& stack, const std::vector<float>& felt) -> const float* {
      float *x = a, *y = b;
      for (int p = 0; p < rounded; ++p) {
        const float* fixed = &stack.fixed[static_cast<std::size_t>(begin + p) * width];
        float* row = x + static_cast<std::ptrdiff_t>(p) * width;
        if (!geometry) {
          for (int o = 0; o < width; ++o) {
            const float sum = fixed[o] + felt[o];
            row[o] = sum < 0 ? g2a::kLeak * sum : sum;
          }
          continue;
        }
        float d[3] = {0, 0, 0};
        if (p < points) std::copy_n(&displacement_[static_cast<std::size_t>(begin + p) * 3], 3, d);
        const float* moving = stack.moving.data();
        for (int o = 0; o < width; ++o) {
          const float sum =
              fixed[o] + felt[o] + d[0] * moving[o] + d[1] * moving[width + o] + d[2] * moving[2 * width + o];
          row[o] = sum < 0 ? g2a::kLeak * sum : sum;
        }
      }
      int row = width;
      for (std::size_t l = 0; l < stack.columns.size(); ++l) {
        const int outputs = stack.outputs[l];
        for (int p = 0; p < rounded; ++p) {
          std::copy(stack.bias[l].begin(), stack.bias[l].end(), y + static_cast<std::ptrdiff_t>(p) * outputs);
        }
        g2a::dense(x, rounded, stack.inputs[l], row, stack.columns[l].data(), outputs, l + 1 < stack.columns.size(), y);
        std::swap(x, y);
        row = outputs;
      }
      return x;
    };
    if (!feature_.fixed.empty()) {
      const float* out = run(feature_, felt_colour);
      for (int p = 0; p < points; ++p, out += g2a::kPad) {
        const auto i = static_cast<std::size_t>(net.gaussian[begin + p]);
        for (int c = 0; c < kG2aColours; ++c) sh[i * kShCoefficients * 3 + c] += out[c];
        if (net.options.dynamic_opacity) {
          opacities[i] = 1.0f / (1.0f + std::exp(-(g.opacity_logits[i] + out[kG2aColours])));
        }
      }
    }
    const float* out = run(rotation_, felt_turn);
    for (int p = 0; p < points; ++p, out += g2a::kPad) {
      const auto i = static_cast<std::size_t>(net.gaussian[begin + p]);
      const std::array<float, 4> q = turn_quaternion(&g.quats[i * 4], out);
      std::copy(q.begin(), q.end(), quats + i * 4);
      for (int c = 0; c < 3 && !geometry; ++c) means[i * 3 + c] = g.means[i * 3 + c] + kG2aShift * out[3 + c];
    }
  });
}

}  // namespace mien
