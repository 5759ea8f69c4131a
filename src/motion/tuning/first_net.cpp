#include "motion/tuning/first_net.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

namespace mien {
namespace {

constexpr int kMostPcaFrames = 400;

}  // namespace

S2GSettings fit_head(const MotionPairs& pairs, S2GSettings settings, const SpeechTuningOptions& options) {
  if (settings.head != S2GHead::kWeights) {
    settings.vertices = pairs.vertices;
    settings.moving_vertices = static_cast<int>(pairs.moving.size());
    settings.components = 0;
    if (settings.head == S2GHead::kPca) {
      std::int64_t frames = 0;
      for (const MotionPair& p : pairs.pairs) frames += p.test ? 0 : p.frames;
      settings.components = static_cast<int>(
          std::min<std::int64_t>(options.components, std::min<std::int64_t>(frames, kMostPcaFrames / 2)));
    }
  }
  return settings;
}

S2GModule first_net(const MotionPairs& pairs, const S2GSettings& settings, const SpeechTuningOptions& options,
                    EncoderModule& encoder, const std::vector<PairTensors>& data, at::Device device) {
  const at::NoGradGuard no_grad;
  S2GModule s2g(settings, static_cast<int>(pairs.expression_names.size()), options.dropout);
  load_speech_networks(options.init, encoder, s2g);
  if (pairs.whole_geometry) {  // the weights have nothing to say
    for (const auto& item : s2g->named_parameters()) {
      if (item.key().starts_with("head.")) item.value().zero_();
    }
  }
  if (settings.head != S2GHead::kWeights) {
    at::Tensor basis;
    if (settings.head == S2GHead::kPca) {
      std::vector<at::Tensor> train;
      for (std::size_t i = 0; i < data.size(); ++i) {
        if (!pairs.pairs[i].test) train.push_back(data[i].offsets);
      }
      const at::Tensor all = at::cat(train, 0);
      const std::int64_t every = std::max<std::int64_t>(1, (all.size(0) + kMostPcaFrames - 1) / kMostPcaFrames);
      basis = pca_basis(all.slice(0, 0, all.size(0), every), settings.components);
    }
    s2g->set_offsets(pairs.moving, basis);
  }
  s2g->to(device);
  return s2g;
}

at::Tensor pca_basis(const at::Tensor& frames, int components) {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = frames.to(at::kDouble);
  const auto count = static_cast<double>(rows.size(0));
  // X = U S V^T. The rows of V^T, scaled by S / sqrt(T), from the eigenvectors of X X^T, which is smaller.
  const auto [values, vectors] = at::linalg_eigh(at::matmul(rows, rows.t()));
  const std::int64_t kept = std::min<std::int64_t>(components, rows.size(0));
  const at::Tensor best = vectors.narrow(1, rows.size(0) - kept, kept).flip(1);
  const at::Tensor basis = at::matmul(best.t(), rows) / std::sqrt(count);
  at::Tensor out = at::zeros({components, rows.size(1)});
  out.narrow(0, 0, kept).copy_(basis);
  return out.to(at::kHalf).to(at::kFloat);
}

}  // namespace mien
