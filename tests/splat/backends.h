// One test body over all back ends: the CPU's instruction sets and CUDA behind one face, with data in host memory.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>

#include "mien/splat/cuda.h"
#include "splat/dispatch.h"
#include "splat/splat_scenes.h"

namespace mien::splat {

struct Backend {
  const char* name;
  Isa isa;
  bool cuda;
};
inline const Backend kBackends[] = {{"plain", Isa::kPlain, false},
                                    {"avx2", Isa::kAvx2, false},
                                    {"avx512", Isa::kAvx512, false},
                                    {"cuda", Isa::kBest, true}};

// Why this machine cannot run it, or empty.
inline std::string unavailable(const Backend& backend) {
  if (backend.cuda) return cuda_missing();
  return isa_available(backend.isa) ? "" : std::string("this processor lacks ") + backend.name;
}

struct Image {
  std::vector<float> rgb, alpha;
};

// A scene in device memory, and the way back.
struct DeviceScene {
  CudaArray<float> means, quats, scales, opacities, sh, deformation;
  explicit DeviceScene(const TestScene& s)
      : means(s.means),
        quats(s.quats),
        scales(s.scales),
        opacities(s.opacities),
        sh(s.sh),
        deformation(s.deformation) {}
  SplatInput input(const TestScene& s) const {
    return {s.count(),
            means.data(),
            quats.data(),
            scales.data(),
            opacities.data(),
            sh.data(),
            s.deformation.empty() ? nullptr : deformation.data(),
            s.sh_degree};
  }
};

struct DeviceGradients {
  CudaArray<float> means, quats, scales, opacities, sh, mean2d_norm;
  explicit DeviceGradients(const TestGradients& g)
      : means(g.means),
        quats(g.quats),
        scales(g.scales),
        opacities(g.opacities),
        sh(g.sh),
        mean2d_norm(g.mean2d_norm) {}
  SplatGradients pointers() const {
    return {means.data(), quats.data(), scales.data(), opacities.data(), sh.data(), mean2d_norm.data()};
  }
  void read(TestGradients& g) const {
    g.means = means.host();
    g.quats = quats.host();
    g.scales = scales.host();
    g.opacities = opacities.host();
    g.sh = sh.host();
    g.mean2d_norm = mean2d_norm.host();
  }
};

// Either rasteriser. The picture's memory is filled with rubbish first.
class TestRasterizer {
 public:
  explicit TestRasterizer(const Backend& backend) {
    if (backend.cuda) {
      cuda_ = std::make_unique<CudaSplatRasterizer>();
      return;
    }
    setenv("MIEN_SPLAT_ISA", backend.name, 1);
    cpu_ = std::make_unique<SplatRasterizer>();
    unsetenv("MIEN_SPLAT_ISA");
  }

  Image forward(const TestScene& s, bool keep = true) {
    Image image{std::vector<float>(3 * s.pixels(), 7), std::vector<float>(s.pixels(), 7)};
    if (cpu_) {
      cpu_->forward(s.input(), s.camera, s.options, image.rgb.data(), image.alpha.data(), keep);
      return image;
    }
    const DeviceScene scene(s);
    const CudaArray<float> rgb(image.rgb), alpha(image.alpha);
    do cuda_->forward(scene.input(s), s.camera, s.options, rgb.data(), alpha.data(), keep);
    while (cuda_->grow_if_overflowed(nullptr));
    return {rgb.host(), alpha.host()};
  }

  // d_alpha may be empty. Adds to `g`.
  void backward(const TestScene& s, const std::vector<float>& d_rgb, const std::vector<float>& d_alpha,
                TestGradients& g) {
    if (cpu_) {
      cpu_->backward(s.input(), s.camera, s.options, d_rgb.data(), d_alpha.empty() ? nullptr : d_alpha.data(),
                     g.pointers());
      return;
    }
    const DeviceScene scene(s);
    const DeviceGradients gradients(g);
    const CudaArray<float> rgb(d_rgb), alpha(d_alpha);
    cuda_->backward(scene.input(s), s.camera, s.options, rgb.data(), d_alpha.empty() ? nullptr : alpha.data(),
                    gradients.pointers());
    cuda_synchronize(nullptr);
    gradients.read(g);
  }

 private:
  std::unique_ptr<SplatRasterizer> cpu_;
  std::unique_ptr<CudaSplatRasterizer> cuda_;
};

template <typename A, typename B>
double relative_error(const std::vector<A>& got, const std::vector<B>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  EXPECT_GT(norm, 0);
  return std::sqrt(difference / norm);
}

template <typename T>
void expect_image(const std::vector<float>& got, const std::vector<T>& expected, double worst, double mean) {
  ASSERT_EQ(got.size(), expected.size());
  double largest = 0, sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    ASSERT_TRUE(std::isfinite(got[i])) << "value " << i;
    largest = std::max(largest, d);
    sum += d;
  }
  EXPECT_LE(largest, worst);
  EXPECT_LE(sum / static_cast<double>(expected.size()), mean);
  testing::Test::RecordProperty("largest", std::to_string(largest));
}

}  // namespace mien::splat
