// The part of bench_splat for --device cuda.
#pragma once

#include "splat_scenes.h"

namespace mien::bench {

// Medians of device time (CUDA events round graph launches, warmed), of launching without a graph, and of each stage.
// Returns the exit status.
int time_cuda(const Scene& scene, int repeats, bool json);

}  // namespace mien::bench
