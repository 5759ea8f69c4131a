#include <cmath>

#include "mien/base/error.h"
#include "mien/field/mlp.h"

namespace mien {

std::int64_t MlpShape::parameters() const {
  const std::int64_t b = bias ? 1 : 0, w = width;
  return w * (inputs + shared + b) + (hidden - 1) * w * (w + b) + outputs * (w + b);
}

void MlpShape::check() const {
  const bool fine = inputs >= 1 && inputs <= 128 && shared >= 0 && shared <= 1024 && outputs >= 1 && outputs <= 64 &&
                    width >= 1 && width <= 256 && hidden >= 1 && hidden <= 3;
  if (!fine)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("network: {} + {} inputs, {} hidden layers of {}, {} outputs", inputs, shared, hidden,
                            width, outputs),
                "give 1 to 128 inputs, up to 1024 shared ones, 1 to 3 layers of 1 to 256, and 1 to 64 outputs");
}

void initialise_mlp(const MlpShape& shape, std::span<float> weights, Random& random, float last) {
  shape.check();
  MIEN_CHECK(static_cast<std::int64_t>(weights.size()) == shape.parameters(), "{} weights", weights.size());
  std::size_t at = 0;
  for (int l = 0; l <= shape.hidden; ++l) {
    const int inputs = l == 0 ? shape.inputs + shape.shared : shape.width;
    const int outputs = l == shape.hidden ? shape.outputs : shape.width;
    const float bound = std::sqrt(6.0f / static_cast<float>(inputs)) * (l == shape.hidden ? last : 1.0f);
    for (int i = 0; i < inputs * outputs; ++i) weights[at++] = random.uniform(-bound, bound);
    if (shape.bias)
      for (int o = 0; o < outputs; ++o) weights[at++] = 0;
  }
}

}  // namespace mien
