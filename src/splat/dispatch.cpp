#include "splat/dispatch.h"

#include <cstdlib>
#include <string_view>

#include "mien/base/error.h"

namespace mien::splat {

#if defined(__x86_64__)
bool isa_available(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
             isa_available(Isa::kAvx2);
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    default:
      return true;
  }
}

const Kernels& choose_kernels(Isa isa) {
  if (isa == Isa::kBest) {
    const char* variable = std::getenv("MIEN_SPLAT_ISA");
    const std::string_view wish = variable != nullptr ? variable : "";
    isa = isa_available(Isa::kAvx512) ? Isa::kAvx512 : isa_available(Isa::kAvx2) ? Isa::kAvx2 : Isa::kPlain;
    if (wish == "plain") isa = Isa::kPlain;
    if (wish == "avx2" && isa_available(Isa::kAvx2)) isa = Isa::kAvx2;
  }
  if (!isa_available(isa))
    throw Error(ErrorCode::kUnsupported, "this processor lacks the instruction set asked for", "let Mien choose");
  return isa == Isa::kAvx512 ? kernels_avx512() : isa == Isa::kAvx2 ? kernels_avx2() : kernels_plain();
}
#else
bool isa_available(Isa isa) {
  return isa == Isa::kBest || isa == Isa::kPlain;
}

const Kernels& choose_kernels(Isa isa) {
  if (!isa_available(isa))
    throw Error(ErrorCode::kUnsupported, "this processor lacks the instruction set asked for", "let Mien choose");
  return kernels_plain();
}
#endif

}  // namespace mien::splat
