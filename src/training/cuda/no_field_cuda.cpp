// Training of field avatars on a GPU, in a build without CUDA.
#include "mien/base/error.h"
#include "training/field_optimiser.h"

namespace mien {

std::unique_ptr<FieldOptimiser> make_field_cuda_optimiser(FieldAvatar& /*avatar*/, FieldState& /*state*/,
                                                          const FieldTrainOptions& /*options*/,
                                                          const SampleReader& /*reader*/, const FieldPlan& /*plan*/) {
  throw Error(ErrorCode::kMissingFeature, "training of field avatars on a GPU: this build has none",
              "train with --device cpu, or build with CUDA");
}

}  // namespace mien
