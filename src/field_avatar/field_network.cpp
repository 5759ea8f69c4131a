#include "field_network.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "sh16.h"

namespace mien {
namespace {

constexpr int kSeen = kFieldFeatures + kFieldDirection + kFieldLatent;
constexpr int kLatentAt = kFieldFeatures + kFieldDirection;
constexpr std::int64_t kGrain = 256;

template <typename T>
MlpBatch<T> batch_of(const FieldSamples<T>& samples, const T* x, std::int64_t stride, bool shared) {
  MlpBatch<T> batch;
  batch.count = samples.count;
  batch.x = x;
  batch.x_stride = stride;
  if (shared) {
    batch.shared = samples.condition.data();
    batch.groups = samples.groups;
    batch.group = samples.group.data();
  }
  return batch;
}

}  // namespace

template <typename T>
void FieldNetwork<T>::forward(const FieldParameters<T>& p, const FieldSamples<T>& samples, std::vector<T>& density,
                              std::vector<T>& colour) {
  const std::int64_t n = samples.count;
  const auto size = static_cast<std::size_t>(n);
  const int encoding = shape_.grid.outputs();
  encoded_.resize(size * encoding);
  seen_.resize(size * kSeen);
  offset_.resize(shape_.has_offset ? size * kFieldFeatures : 0);
  raw_.resize(size * 3);
  density.resize(size);
  colour.resize(size * 3);
  if (n == 0) return;
  shape_.grid.encode(p.table.data(), samples.points.data(), n, encoded_.data());
  mlp_forward(shape_.density, p.density.data(), batch_of(samples, encoded_.data(), 0, true), seen_.data(), kSeen);
  parallel_for(n, kGrain, [&](std::int64_t i) {
    T* row = &seen_[static_cast<std::size_t>(i) * kSeen];
    direction_features(&samples.directions[static_cast<std::size_t>(i) * 3], row + kFieldFeatures);
    T* z = row + kLatentAt;
    std::fill_n(z, kFieldLatent, T(0));
    if (!shape_.has_latents) return;
    for (int c = 0; c < 3; ++c) {
      const T w = samples.weight[static_cast<std::size_t>(i) * 3 + c];
      const T* from =
          &p.latents[static_cast<std::size_t>(samples.row[static_cast<std::size_t>(i) * 3 + c]) * kFieldLatent];
      for (int k = 0; k < kFieldLatent; ++k) z[k] += w * from[k];
    }
  });
  if (shape_.has_offset)
    mlp_forward(shape_.offset, p.offset.data(), batch_of(samples, seen_.data() + kLatentAt, kSeen, true),
                offset_.data());
  parallel_for(n, kGrain, [&](std::int64_t i) {
    T* row = &seen_[static_cast<std::size_t>(i) * kSeen];
    if (shape_.has_offset) {
      const T* add = &offset_[static_cast<std::size_t>(i) * kFieldFeatures];
      for (int k = 0; k < kFieldFeatures; ++k) row[k] += add[k];
    }
    density[static_cast<std::size_t>(i)] =
        T(kFieldDensity) * std::exp(std::clamp(row[0], T(-kMostLogDensity), T(kMostLogDensity)));
  });
  mlp_forward(shape_.colour, p.colour.data(), batch_of(samples, seen_.data(), kSeen, false), raw_.data());
  parallel_for(n * 3, kGrain * 4, [&](std::int64_t i) {
    colour[static_cast<std::size_t>(i)] = T(1) / (T(1) + std::exp(-raw_[static_cast<std::size_t>(i)]));
  });
}

template <typename T>
void FieldNetwork<T>::backward(const FieldParameters<T>& p, const FieldSamples<T>& samples,
                               const std::vector<T>& density, const std::vector<T>& colour,
                               const std::vector<T>& d_density, const std::vector<T>& d_colour,
                               FieldParameters<T>& gradients) {
  const std::int64_t n = samples.count;
  if (n == 0) return;
  const auto size = static_cast<std::size_t>(n);
  const int encoding = shape_.grid.outputs();
  d_raw_.resize(size * 3);
  d_seen_.resize(size * kSeen);
  d_features_.resize(size * kFieldFeatures);
  d_encoded_.resize(size * encoding);
  parallel_for(n * 3, kGrain * 4, [&](std::int64_t at) {
    const auto i = static_cast<std::size_t>(at);
    d_raw_[i] = d_colour[i] * colour[i] * (T(1) - colour[i]);
  });
  MlpGradients<T> of_colour;
  of_colour.weights = gradients.colour.data();
  of_colour.x = d_seen_.data();
  mlp_backward(shape_.colour, p.colour.data(), batch_of(samples, seen_.data(), kSeen, false), d_raw_.data(), of_colour);
  parallel_for(n, kGrain, [&](std::int64_t at) {
    const auto i = static_cast<std::size_t>(at);
    const T* from = &d_seen_[i * kSeen];
    T* to = &d_features_[i * kFieldFeatures];
    std::copy_n(from, kFieldFeatures, to);
    if (std::abs(seen_[i * kSeen]) < T(kMostLogDensity)) to[0] += d_density[i] * density[i];
  });
  if (shape_.has_offset) {
    d_latents_.resize(size * kFieldLatent);
    MlpGradients<T> of_offset;
    of_offset.weights = gradients.offset.data();
    of_offset.x = d_latents_.data();
    mlp_backward(shape_.offset, p.offset.data(), batch_of(samples, seen_.data() + kLatentAt, kSeen, true),
                 d_features_.data(), of_offset);
  }
  MlpGradients<T> of_density;
  of_density.weights = gradients.density.data();
  of_density.x = d_encoded_.data();
  mlp_backward(shape_.density, p.density.data(), batch_of(samples, encoded_.data(), 0, true), d_features_.data(),
               of_density);
  shape_.grid.template backward<T>(p.table.data(), samples.points.data(), d_encoded_.data(), n, gradients.table.data(),
                                   nullptr);
  if (!shape_.has_latents) return;
  // One thread a feature: sums in the order of the samples, whatever the number of threads.
  parallel_for(kFieldLatent, 1, [&](std::int64_t k) {
    for (std::size_t i = 0; i < size; ++i) {
      T d = d_seen_[i * kSeen + kLatentAt + k];
      if (shape_.has_offset) d += d_latents_[i * kFieldLatent + k];
      for (std::size_t c = 0; c < 3; ++c)
        gradients.latents[static_cast<std::size_t>(samples.row[i * 3 + c]) * kFieldLatent + k] +=
            samples.weight[i * 3 + c] * d;
    }
  });
}

template class FieldNetwork<float>;
template class FieldNetwork<double>;

}  // namespace mien
