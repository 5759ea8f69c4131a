// Which inner loops this processor gets.
#pragma once

#include "splat/kernels.h"

namespace mien::splat {

enum class Isa { kBest, kPlain, kAvx2, kAvx512 };

bool isa_available(Isa isa);
// The best available, or the one named by the environment variable MIEN_SPLAT_ISA (plain, avx2, avx512) if available.
const Kernels& choose_kernels(Isa isa = Isa::kBest);

}  // namespace mien::splat
