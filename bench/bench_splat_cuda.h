// The part of bench_splat for --device cuda.
#pragma once

#include "splat_scenes.h"

namespace mien::bench {

// Medians of device time (CUDA events round graph launches, warmed), of launching without a graph, and of each stage.
// `avatar`, if not empty, names the avatar of the scene: then also from its motion to the picture. Returns the exit
// status.
int time_cuda(const Scene& scene, const std::string& avatar, int repeats, bool json);

}  // namespace mien::bench
