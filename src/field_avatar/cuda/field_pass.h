// A field avatar on the GPU: from moments and pixels to densities and colours of packed samples, and back. Rendering
// and training share it.
#pragma once

#include <vector>

#include "field_avatar/cuda/kernels.h"
#include "mien/field/cuda.h"
#include "mien/field_avatar/deformation.h"
#include "mien/field_avatar/field_avatar.h"
#include "mien/geometry/camera.h"

namespace mien {

// All that is learnt, or gradients of it, in device memory.
struct DeviceFieldParameters {
  float* table = nullptr;
  float* density = nullptr;
  float* offset = nullptr;
  float* colour = nullptr;
  float* latents = nullptr;
};

// A moment as the caller has it.
struct FieldView {
  Camera camera;
  const float* posed = nullptr;  // [V,3] device memory
  Vec3 low, high;                // box round the posed head
  int first_row = 0;
};

struct FieldPassOptions {
  int most_moments = 1;
  std::int64_t rays = 0;     // at most
  std::int64_t marched = 0;  // samples that there is room for at first
  std::int64_t kept = 0;
  bool learns = false;
  bool deterministic = true;  // gradients of the hash grid
};

// Not thread-safe: one object a stream. Nothing waits but where it says so.
class CudaFieldPass {
 public:
  CudaFieldPass(const FieldAvatar& avatar, const FieldPassOptions& options, CudaStream stream);

  const FieldShape& shape() const { return shape_; }
  int condition() const { return shape_.density.shared; }
  void set_reach(const std::vector<float>& reach);  // [F]; waits

  // The heads of up to most_moments moments, and what the networks know of each [S, condition()] (host memory).
  void set_moments(const std::vector<FieldView>& views, const std::vector<float>& conditions);
  // Rays of these moments, `each` of them; `pixels` in device memory, or null: from `first_pixel` on in one moment.
  void aim(int each, const std::int64_t* pixels, std::int64_t first_pixel = 0);
  struct Gather {
    float step = 0.002f, explore = 0;
    bool jitter = false;
    std::uint32_t seed = 0;
  };
  void gather(const OccupancyView& occupied, const Gather& options, const float* latents);
  void forward(const DeviceFieldParameters& parameters);
  void composite(float* rgb, float* depth, float* opacity);
  // From gradients by what composite() gave; adds to `gradients` but for latents, which add up in `d_latents`
  // (see scatter_latents()).
  void backward(const DeviceFieldParameters& parameters, const float* rgb, const float* depth, const float* opacity,
                const float* d_rgb, const float* d_depth, const float* d_opacity,
                const DeviceFieldParameters& gradients, unsigned long long* d_latents);

  // Whether all samples of the last gather() found room; if not, makes more. Waits.
  bool had_room();

  const field_cuda::Rays& rays() const { return rays_; }
  field_cuda::Packed kept() const;
  const std::uint32_t* cells() const { return cell_.data(); }
  const float* density() const { return density_.data(); }

 private:
  void upload_head();
  void make_room(std::int64_t marched, std::int64_t kept);
  DeviceCount count() const { return kept_.samples().size(); }
  MlpBatch<float> batch(const float* x, std::int64_t stride, bool shared) const;
  field_cuda::Seen seen() const;

  FieldShape shape_;
  FieldSettings settings_;
  FieldPassOptions options_;
  CudaStream stream_;
  float most_reach_ = 0;
  CanonicalHead canonical_;
  field_cuda::Head head_ = {};
  field_cuda::Moments moments_ = {};
  field_cuda::Rays rays_ = {};
  CudaHashGrid grid_;
  CudaMlp density_net_, offset_net_, colour_net_;
  CudaRaySamples marched_, kept_;

  CudaArray<float> canonical_positions_, frames_, areas_, reach_, turns_, condition_;
  CudaArray<int> faces_, ring_begin_, ring_, order_, level_, level_begin_, moment_cells_;
  CudaArray<tree::Node> topology_, nodes_;
  CudaArray<std::uint8_t> bare_;
  CudaArray<field_cuda::Moment> moment_;
  CudaArray<std::uint32_t> bits_;
  // a ray
  CudaArray<float> origins_, directions_, spans_, world_, surface_;
  CudaArray<std::uint8_t> bare_rays_;
  // a marched sample
  CudaArray<field_cuda::Found> found_;
  CudaArray<std::uint8_t> keep_;
  // a kept sample
  CudaArray<float> points_, seen_, weight_, encoded_, offset_, density_, colour_;
  CudaArray<float> d_density_, d_colour_, d_seen_, d_features_, d_offset_, d_encoded_;
  CudaArray<std::int32_t> row_, group_;
  CudaArray<std::uint32_t> cell_;
};

}  // namespace mien
