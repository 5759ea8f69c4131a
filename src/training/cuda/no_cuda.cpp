// A build without CUDA: training runs on the CPU.
#include "mien/base/error.h"
#include "mien/cuda/cuda.h"
#include "training/avatar_optimiser.h"

namespace mien {

std::unique_ptr<AvatarOptimiser> make_cuda_optimiser(GaussianAvatar&, const GaussianTrainOptions&,
                                                     const SampleReader&) {
  throw Error(ErrorCode::kMissingFeature, cuda_missing(), "train on the CPU, or build where CUDA's nvcc is installed");
}

}  // namespace mien
