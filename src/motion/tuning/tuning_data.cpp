#include "motion/tuning/tuning_data.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "mien/base/random.h"
#include "mien/motion/s2gnet.h"

namespace mien {
namespace {

constexpr int kWarmUp = 10;  // frames at the beginning of a stretch that the state needs to settle

}  // namespace

at::Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).clone();
}

std::vector<PairTensors> tensors_of(const MotionPairs& pairs) {
  std::vector<PairTensors> data;
  const auto expressions = static_cast<std::int64_t>(pairs.expression_names.size());
  const auto moving = static_cast<std::int64_t>(pairs.moving.size());
  for (const MotionPair& p : pairs.pairs) {
    data.push_back({tensor_of(p.stacked, {p.frames, 2 * pairs.width}), tensor_of(p.weights, {p.frames, expressions}),
                    moving == 0 ? at::Tensor() : tensor_of(p.offsets, {p.frames, 3 * moving}),
                    tensor_of(p.emotion, {p.frames, kEmotionCount})});
  }
  return data;
}

TuningBatch sample_stretches(const MotionPairs& pairs, const std::vector<PairTensors>& data,
                             const SpeechTuningOptions& options, int step, int rank, at::Device device) {
  const auto frames = static_cast<std::int64_t>(std::lround(options.seconds * kS2GRate));
  std::int64_t total = 0;
  for (const MotionPair& p : pairs.pairs) total += p.test ? 0 : p.frames;
  Random random(options.seed * 0x9e3779b97f4a7c15ULL + static_cast<std::uint64_t>(step), 3);
  std::vector<at::Tensor> stacked, weights, offsets, emotion, known;
  for (int b = 0; b < (rank + 1) * options.batch; ++b) {
    std::int64_t at = random.below(static_cast<std::uint32_t>(total));
    std::size_t which = 0;
    while (pairs.pairs[which].test || at >= pairs.pairs[which].frames) {
      at -= pairs.pairs[which].test ? 0 : pairs.pairs[which].frames;
      ++which;
    }
    const std::int64_t own = pairs.pairs[which].frames;
    const std::int64_t begin = own <= frames ? 0 : random.below(static_cast<std::uint32_t>(own - frames + 1));
    if (b < rank * options.batch) continue;  // another rank's
    const auto cut = [&](const at::Tensor& all) {
      at::Tensor part = all.narrow(0, begin, std::min(frames, own));
      if (own >= frames) return part;
      return at::cat({part, part.narrow(0, own - 1, 1).expand({frames - own, part.size(1)})}, 0);
    };
    stacked.push_back(cut(data[which].stacked));
    weights.push_back(cut(data[which].weights));
    emotion.push_back(cut(data[which].emotion));
    if (data[which].offsets.defined()) offsets.push_back(cut(data[which].offsets));
    at::Tensor knows = at::zeros({frames});
    const std::int64_t from = begin == 0 ? 0 : std::min<std::int64_t>(kWarmUp, frames - 1);
    const std::int64_t count = std::min(frames, own) - from;
    std::vector<float> seen;
    for (std::int64_t k = begin + from; k < begin + from + count; ++k)
      seen.push_back(pairs.pairs[which].seen_at(static_cast<int>(k)) ? 1.0f : 0.0f);
    knows.narrow(0, from, count).copy_(tensor_of(seen, {count}));
    known.push_back(knows);
  }
  return {at::stack(stacked).to(device), at::stack(weights).to(device),
          offsets.empty() ? at::Tensor() : at::stack(offsets).to(device), at::stack(emotion).to(device),
          at::stack(known).to(device)};
}

}  // namespace mien
