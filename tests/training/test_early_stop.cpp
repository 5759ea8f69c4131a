#include <gtest/gtest.h>

#include <cmath>

#include "mien/base/random.h"
#include "training/early_stop.h"

namespace mien {
namespace {

// The step at which a training with these losses ends; 0 = never.
template <typename Loss>
int ends_at(int patience, int steps, const Loss& loss) {
  EarlyStop stop(patience);
  for (int step = 1; step <= steps; ++step) {
    if (stop.add(step, 1, loss(step))) return step;
  }
  return 0;
}

TEST(EarlyStop, GoesOnWhileTheLossFalls) {
  EXPECT_EQ(ends_at(100, 5000, [](int step) { return 1.0 / (1 + 0.01 * step); }), 0);
  EXPECT_EQ(ends_at(0, 5000, [](int) { return 1.0; }), 0);  // no patience asked for
}

TEST(EarlyStop, EndsPatienceAfterTheLastProgress) {
  const int end = ends_at(100, 5000, [](int step) { return step < 1000 ? 2 - 0.001 * step : 1.0; });
  EXPECT_GE(end, 1100);
  EXPECT_LE(end, 1150);  // a quarter of patience is one look
}

TEST(EarlyStop, NoiseOfSinglePicturesIsNoProgress) {
  Random random(4);
  const int end = ends_at(400, 20000, [&](int) { return std::exp(0.3f * random.normal()); });
  EXPECT_GT(end, 0);
  EXPECT_LT(end, 4000);
  // But a slow fall under the same noise is progress.
  EXPECT_EQ(ends_at(2000, 10000, [&](int step) { return std::exp(-2e-4 * step + 0.1f * random.normal()); }), 0);
}

TEST(EarlyStop, StretchesCountAsTheirSteps) {
  EarlyStop stop(100);
  int end = 0;
  for (int step = 50; step <= 1000 && end == 0; step += 50) end = stop.add(step, 50, 1.0) ? step : 0;
  EXPECT_EQ(end, 150);
}

}  // namespace
}  // namespace mien
