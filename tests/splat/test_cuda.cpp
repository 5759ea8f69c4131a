// What only the CUDA rasteriser has: streams, graphs, room for tile lists, overwritten gradients. Its results are
// tested with the other back ends' in test_rasterizer.cpp, and at larger sizes against the CPU here.
#include <gtest/gtest.h>

#include <limits>

#include "mien/base/error.h"
#include "splat/backends.h"

namespace mien::splat {
namespace {

class CudaSplat : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
  }
};

// A scene with everything that forward and backward read and write, on the device.
struct Job {
  TestScene scene;
  DeviceScene device;
  std::vector<float> rubbish_rgb, rubbish_alpha;
  CudaArray<float> rgb, alpha, d_rgb, d_alpha;
  DeviceGradients gradients;

  explicit Job(const TestScene& s)
      : scene(s),
        device(s),
        rubbish_rgb(3 * s.pixels(), 7),
        rubbish_alpha(s.pixels(), 7),
        d_rgb(random_values(3 * s.pixels(), 8)),
        d_alpha(random_values(s.pixels(), 9)),
        gradients(TestGradients(s.count())) {
    spoil();
  }
  void spoil() {  // in place: a graph remembers the addresses
    rgb = rubbish_rgb;
    alpha = rubbish_alpha;
    for (CudaArray<float>* a : {&gradients.means, &gradients.quats, &gradients.scales, &gradients.opacities,
                                &gradients.sh, &gradients.mean2d_norm})
      *a = std::vector<float>(a->size(), 7);
  }
  void forward(CudaSplatRasterizer& r, CudaStream stream) {
    r.forward(device.input(scene), scene.camera, scene.options, rgb.data(), alpha.data(), true, stream);
  }
  void backward(CudaSplatRasterizer& r, CudaStream stream, bool add = false) {
    r.backward(device.input(scene), scene.camera, scene.options, d_rgb.data(), d_alpha.data(), gradients.pointers(),
               stream, add);
  }
  struct Result {
    std::vector<float> rgb, alpha, means, quats, scales, opacities, sh, norms;
    bool operator==(const Result&) const = default;
  };
  Result result() const {
    return {rgb.host(),
            alpha.host(),
            gradients.means.host(),
            gradients.quats.host(),
            gradients.scales.host(),
            gradients.opacities.host(),
            gradients.sh.host(),
            gradients.mean2d_norm.host()};
  }
  Result draw(CudaSplatRasterizer& r, CudaStream stream) {
    spoil();
    do forward(r, stream);
    while (r.grow_if_overflowed(stream));
    backward(r, stream);
    cuda_synchronize(stream);
    return result();
  }
};

TEST(CudaSplatWithoutCuda, SaysWhatIsMissing) {
  if (cuda_missing().empty()) GTEST_SKIP() << "this machine has CUDA";
  try {
    const CudaSplatRasterizer rasterizer;
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissingFeature);
    EXPECT_NE(std::string(error.what()).find("CPU"), std::string::npos) << error.what();
  }
}

TEST_F(CudaSplat, AgreesWithTheCpuOnALargePicture) {
  for (const bool deformed : {false, true}) {
    TestScene scene = random_scene(20000, 413, 307, 21, deformed);
    for (float& s : scene.scales) s *= 0.2f;
    Job job(scene);
    CudaSplatRasterizer cuda;
    const Job::Result got = job.draw(cuda, nullptr);
    TestRasterizer cpu({"best", Isa::kBest, false});
    const Image expected = cpu.forward(scene);
    TestGradients g(scene.count());
    cpu.backward(scene, job.d_rgb.host(), job.d_alpha.host(), g);
    expect_image(got.rgb, expected.rgb, 6e-3, 2e-5);
    expect_image(got.alpha, expected.alpha, 6e-3, 2e-5);
    EXPECT_LE(relative_error(got.means, g.means), 2e-3);
    EXPECT_LE(relative_error(got.quats, g.quats), 2e-3);
    EXPECT_LE(relative_error(got.scales, g.scales), 2e-3);
    EXPECT_LE(relative_error(got.opacities, g.opacities), 2e-3);
    EXPECT_LE(relative_error(got.sh, g.sh), 2e-3);
    EXPECT_LE(relative_error(got.norms, g.mean2d_norm), 2e-3);
  }
}

TEST_F(CudaSplat, GivesTheSameBitsEveryTime) {
  TestScene scene = random_scene(5000, 200, 160, 22);
  for (int n = 0; n < 500; ++n)  // ties in depth
    for (int a = 0; a < 3; ++a) scene.means[3 * n + a] = scene.means[3 * (n % 50) + a];
  Job job(scene);
  CudaSplatRasterizer rasterizer;
  const Job::Result first = job.draw(rasterizer, nullptr);
  for (int repeat = 0; repeat < 5; ++repeat) ASSERT_TRUE(job.draw(rasterizer, nullptr) == first) << repeat;
  CudaSplatRasterizer another;
  EXPECT_TRUE(job.draw(another, nullptr) == first);
}

TEST_F(CudaSplat, AGraphDoesWhatDirectLaunchesDoAndFollowsTheCamera) {
  const TestScene here = random_scene(800, 120, 90, 23);
  TestScene there = here;
  there.camera = look_at({-0.4f, 0.1f, 1.3f}, {0, 0, 0}, 0.6f, 120, 90);
  Job job(here), moved(there);
  OwnedCudaStream stream;
  CudaSplatRasterizer rasterizer;
  const Job::Result expected = job.draw(rasterizer, stream), expected_moved = moved.draw(rasterizer, stream);
  CudaGraph graph;
  auto record = [&] {
    graph.begin(stream);
    job.forward(rasterizer, stream);
    job.backward(rasterizer, stream);
    graph.end();
  };
  record();
  for (int repeat = 0; repeat < 3; ++repeat) {
    job.spoil();
    graph.launch(stream);
    cuda_synchronize(stream);
    ASSERT_TRUE(job.result() == expected) << repeat;
  }
  job.scene.camera = there.camera;
  record();
  job.spoil();
  graph.launch(stream);
  cuda_synchronize(stream);
  EXPECT_TRUE(job.result() == expected_moved);
}

TEST_F(CudaSplat, WillNotGrowWhileAGraphIsRecorded) {
  Job job(random_scene(300, 64, 64, 24));
  OwnedCudaStream stream;
  CudaSplatRasterizer rasterizer;
  {
    CudaGraph graph;
    graph.begin(stream);
    EXPECT_THROW(job.forward(rasterizer, stream), Error);
  }
  rasterizer.reserve(300, 64, 64, true);
  CudaGraph graph;
  graph.begin(stream);
  job.forward(rasterizer, stream);
  job.backward(rasterizer, stream);
  graph.end();
  graph.launch(stream);
  cuda_synchronize(stream);
  const Job::Result got = job.result();
  EXPECT_TRUE(job.draw(rasterizer, stream) == got);
}

TEST_F(CudaSplat, TooManyPairsAreReportedAndCured) {
  TestScene scene = random_scene(3000, 160, 120, 25);
  Job job(scene);
  CudaSplatRasterizer roomy, tight({.pairs_per_gaussian = 0.1f, .least_pairs = 100});
  const Job::Result expected = job.draw(roomy, nullptr);
  const CudaSplatReport fine = roomy.report(nullptr);
  EXPECT_FALSE(fine.overflowed());
  EXPECT_GT(fine.visible, 2000);
  EXPECT_GT(fine.batches, 0);

  job.spoil();
  job.forward(tight, nullptr);
  const CudaSplatReport report = tight.report(nullptr);
  EXPECT_TRUE(report.overflowed());
  EXPECT_EQ(report.capacity, 300);
  EXPECT_EQ(report.pairs, fine.pairs);
  job.backward(tight, nullptr);  // must not touch what lies beyond its memory, and gives nothing
  cuda_synchronize(nullptr);
  for (const float v : job.gradients.sh.host()) ASSERT_EQ(v, 0);
  for (const float v : job.rgb.host()) ASSERT_TRUE(std::isfinite(v) && v != 7);

  EXPECT_TRUE(tight.grow_if_overflowed(nullptr));
  EXPECT_TRUE(job.draw(tight, nullptr) == expected);
  EXPECT_FALSE(tight.grow_if_overflowed(nullptr));
}

TEST_F(CudaSplat, GradientsAreAddedOrOverwritten) {
  Job job(random_scene(400, 64, 64, 26));
  CudaSplatRasterizer rasterizer;
  const Job::Result once = job.draw(rasterizer, nullptr);
  job.backward(rasterizer, nullptr, true);
  const Job::Result twice = job.result();
  for (std::size_t i = 0; i < once.sh.size(); ++i) ASSERT_FLOAT_EQ(twice.sh[i], 2 * once.sh[i]);
  for (std::size_t i = 0; i < once.quats.size(); ++i) ASSERT_FLOAT_EQ(twice.quats[i], 2 * once.quats[i]);
  job.backward(rasterizer, nullptr, false);
  EXPECT_TRUE(job.result() == once);
}

TEST_F(CudaSplat, ServesChangingSizes) {
  CudaSplatRasterizer shared;
  for (const auto& [count, width, height] : {std::tuple{500, 64, 48}, {50, 300, 200}, {2000, 33, 65}, {500, 64, 48}}) {
    Job job(random_scene(count, width, height, 27));
    CudaSplatRasterizer own;
    const Job::Result expected = job.draw(own, nullptr);
    EXPECT_TRUE(job.draw(shared, nullptr) == expected) << count;
  }
}

TEST_F(CudaSplat, RefusesMisalignedArraysAndImpossibleSizes) {
  Job job(random_scene(20, 32, 32, 28));
  CudaSplatRasterizer rasterizer;
  SplatInput input = job.device.input(job.scene);
  input.sh += 1;
  EXPECT_THROW(rasterizer.forward(input, job.scene.camera, job.scene.options, job.rgb.data(), job.alpha.data(), true),
               Error);
  EXPECT_THROW(rasterizer.reserve(-1, 32, 32, true), Error);
  try {
    rasterizer.reserve(std::numeric_limits<int>::max(), 16384, 16384, true);
    FAIL() << "2^31 Gaussians fit";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_NE(std::string(error.what()).find("MB"), std::string::npos) << error.what();
  }
  EXPECT_NO_THROW(job.draw(rasterizer, nullptr));
}

}  // namespace
}  // namespace mien::splat
