// The whole chain against what MediaPipe's own runtime found in the frames of ../shared/data/landmarks.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/resource.h"
#include "mien/cuda/cuda.h"
#include "mien/landmarks/face_networks.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

fs::path reference_folder() {
  const char* shared = std::getenv("MIEN_SHARED");
  return (shared != nullptr ? fs::path(shared) : fs::path(MIEN_SOURCE_DIR) / "../shared") / "data/landmarks";
}

// Distances in pixels between landmarks of one picture.
struct Distances {
  double mean = 0, worst = 0, depth = 0;
};

Distances compare(const FaceLandmarks& found, const Json& expected, const Image8& image) {
  Distances out;
  EXPECT_EQ(found.points.size(), expected.size());
  if (found.points.size() != expected.size()) return {1e9, 1e9, 1e9};
  const auto n = static_cast<double>(expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto p = expected[i].get<std::array<double, 3>>();
    const double d = std::hypot(found.points[i][0] - p[0] * image.width, found.points[i][1] - p[1] * image.height);
    out.mean += d / n;
    out.worst = std::max(out.worst, d);
    out.depth += std::abs(found.points[i][2] - p[2] * image.width) / n;
  }
  return out;
}

// Over all pictures: the mean of the means, the worst picture's mean, the worst point.
void report(const std::string& what, const std::vector<Distances>& all, double most_mean, double most_worst) {
  double mean = 0, frame = 0, point = 0, depth = 0;
  for (const Distances& d : all) {
    mean += d.mean / static_cast<double>(all.size());
    frame = std::max(frame, d.mean);
    point = std::max(point, d.worst);
    depth += d.depth / static_cast<double>(all.size());
  }
  std::cout << fmt::format(
      "{}: {:.3f} px on average, {:.3f} in the worst frame, {:.2f} the worst point; depth {:.3f}\n", what, mean, frame,
      point, depth);
  EXPECT_LE(mean, most_mean) << what;
  EXPECT_LE(frame, most_worst) << what;
}

class OfficialRuntime : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string("cuda") && !cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
    const fs::path folder = reference_folder();
    if (!fs::exists(folder / "expected.json")) GTEST_SKIP() << folder << " is not there";
    if (!fs::exists(cache_folder() / "npm/@mediapipe/face_mesh")) GTEST_SKIP() << "run scripts/setup for the networks";
    FaceNetworkOptions options;
    options.device = GetParam();
    networks_ = std::make_unique<FaceNetworks>(options);
    const Json expected = read_json(folder / "expected.json");
    for (const auto& [name, values] : expected.at("frames").items()) {
      names_.push_back(name);
      expected_.push_back(values);
      images_.push_back(read_image(folder / "frames" / name));
    }
    ASSERT_GE(images_.size(), 3u);
  }

  // The surest face of every picture.
  std::vector<FaceRegion> regions() const {
    std::vector<FaceRegion> out;
    for (const auto& faces : networks_->detect(images_)) {
      EXPECT_EQ(faces.size(), 1u);
      out.push_back(faces.empty() ? FaceRegion{1, 1, 1, 0} : face_region(faces[0]));
    }
    return out;
  }

  void expect_mesh(const std::string& key, bool attention) const {
    const std::vector<FaceLandmarks> first = networks_->landmarks(images_, regions(), attention);
    std::vector<FaceRegion> next;
    for (const FaceLandmarks& face : first) next.push_back(face_region(face));
    const std::vector<FaceLandmarks> second = networks_->landmarks(images_, next, attention);
    std::vector<Distances> still, tracked;
    for (std::size_t i = 0; i < images_.size(); ++i) {
      EXPECT_GT(first[i].presence, 0.5) << names_[i];
      still.push_back(compare(first[i], expected_[i].at(key), images_[i]));
      tracked.push_back(compare(second[i], expected_[i].at(key + "_tracked"), images_[i]));
    }
    report(key, still, 0.05, 0.2);
    report(key + "_tracked", tracked, 0.05, 0.2);
  }

  std::unique_ptr<FaceNetworks> networks_;
  std::vector<std::string> names_;
  std::vector<Json> expected_;
  std::vector<Image8> images_;
};

INSTANTIATE_TEST_SUITE_P(Devices, OfficialRuntime, testing::Values("cpu", "cuda"),
                         [](const auto& p) { return std::string(p.param); });

TEST_P(OfficialRuntime, FindsTheSameMesh) {
  expect_mesh("face_mesh_468", false);
}

TEST_P(OfficialRuntime, FindsTheSameRefinedMesh) {
  expect_mesh("face_mesh_478", true);
}

// The detector of another of MediaPipe's programs: it cuts the picture slightly differently on CPU and GPU.
TEST_P(OfficialRuntime, FindsTheSameKeypoints) {
  const auto found = networks_->detect(images_);
  double cpu = 0, gpu = 0;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    ASSERT_EQ(found[i].size(), 1u) << names_[i];
    for (const char* key : {"detector_cpu", "detector_gpu"}) {
      const Json& face = expected_[i].at(key).at(0);
      double sum = 0;
      for (std::size_t k = 0; k < 6; ++k) {
        const auto p = face.at("keypoints").at(k).get<std::array<double, 2>>();
        sum += std::hypot(found[i][0].keypoints[k][0] - p[0] * images_[i].width,
                          found[i][0].keypoints[k][1] - p[1] * images_[i].height);
      }
      const double eyes = std::hypot(found[i][0].keypoints[1][0] - found[i][0].keypoints[0][0],
                                     found[i][0].keypoints[1][1] - found[i][0].keypoints[0][1]);
      (std::string(key) == "detector_cpu" ? cpu : gpu) += sum / 6 / eyes / static_cast<double>(images_.size());
      EXPECT_NEAR(found[i][0].score, face.at("score").get<double>(), 0.1) << names_[i];
    }
  }
  std::cout << fmt::format(
      "detector's keypoints: {:.2f} % of the eye distance from the official CPU, {:.2f} % GPU one\n", 100 * cpu,
      100 * gpu);
  EXPECT_LT(std::min(cpu, gpu), 0.03);
}

TEST_P(OfficialRuntime, FindsTheSamePerson) {
  const std::vector<ImageF> masks = networks_->person_masks(images_);
  double least = 1, mean = 0;
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const Image8 expected = read_image(reference_folder() / "masks" / names_[i]);
    ASSERT_EQ(expected.width, masks[i].width);
    ASSERT_EQ(expected.height, masks[i].height);
    std::size_t both = 0, either = 0;
    for (std::size_t k = 0; k < masks[i].pixels.size(); ++k) {
      const bool a = masks[i].pixels[k] * 255 > 127, b = expected.pixels[k * expected.channels] > 127;
      both += a && b;
      either += a || b;
    }
    ASSERT_GT(either, 0u);
    const double share = static_cast<double>(both) / static_cast<double>(either);
    least = std::min(least, share);
    mean += share / static_cast<double>(masks.size());
  }
  std::cout << fmt::format("mask: intersection over union {:.4f} on average, {:.4f} in the worst frame\n", mean, least);
  EXPECT_GE(least, 0.98);
}

TEST_P(OfficialRuntime, ABatchGivesWhatSinglePicturesGive) {
  const std::vector<Image8> some(images_.begin(), images_.begin() + 3);
  const std::vector<FaceRegion> all = regions(), regions_of_some(all.begin(), all.begin() + 3);
  const std::vector<FaceLandmarks> batch = networks_->landmarks(some, regions_of_some, true);
  const double most = GetParam() == std::string("cuda") ? 0.2 : 0.01;  // other kernels, of TF32, for other sizes
  for (std::size_t i = 0; i < some.size(); ++i) {
    const FaceLandmarks one = networks_->landmarks({&some[i], 1}, {&regions_of_some[i], 1}, true)[0];
    for (std::size_t k = 0; k < one.points.size(); ++k) {
      for (std::size_t d = 0; d < 3; ++d) ASSERT_NEAR(one.points[k][d], batch[i].points[k][d], most) << k;
    }
  }
}

// Prints, never fails: how long a picture takes, one at a time, the way a video goes through.
TEST_P(OfficialRuntime, PrintsItsSpeed) {
  const std::vector<FaceRegion> where = regions();
  const auto time = [&](const char* what, const auto& run) {
    run(std::size_t{0});
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < 8; ++i) run(i % images_.size());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    std::cout << fmt::format("{}: {:.1f} ms a picture\n", what, took.count() / 8);
  };
  time("detector", [&](std::size_t i) { networks_->detect({&images_[i], 1}); });
  time("468 landmarks", [&](std::size_t i) { networks_->landmarks({&images_[i], 1}, {&where[i], 1}, false); });
  time("478 landmarks", [&](std::size_t i) { networks_->landmarks({&images_[i], 1}, {&where[i], 1}, true); });
  time("person", [&](std::size_t i) { networks_->person_masks({&images_[i], 1}); });
  const auto start = std::chrono::steady_clock::now();
  networks_->landmarks(images_, where, true);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::cout << fmt::format("478 landmarks, {} pictures at once: {:.1f} ms a picture\n", images_.size(),
                           took.count() / static_cast<double>(images_.size()));
}

TEST(FaceNetworks, SaysHowToGetWhatIsMissing) {
  FaceNetworkOptions options;
  options.packages = fs::temp_directory_path() / "mien_no_such_packages";
  try {
    const FaceNetworks networks(options);
    FAIL() << "it loaded nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(error.mend().find("scripts/setup"), std::string::npos);
  }
}

}  // namespace
}  // namespace mien
