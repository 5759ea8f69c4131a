#include "mien/landmarks/face_networks.h"

#include <algorithm>
#include <cmath>

#include "landmarks/detector.h"
#include "landmarks/packages.h"
#include "landmarks/refinement.h"
#include "landmarks/sampling.h"
#include "landmarks/tflite_network.h"
#include "mien/base/error.h"
#include "mien/base/resource.h"

namespace mien {
namespace {

std::filesystem::path package_folder(const FaceNetworkOptions& options) {
  return options.packages.empty() ? cache_folder() / "npm" : options.packages;
}

// Loads a network and checks that it is the one the code below speaks to: values of its outputs, in order.
TfliteNetwork load(const FaceNetworkOptions& options, FaceModel which, std::int64_t size,
                   const std::vector<std::int64_t>& outputs) {
  ModelFile file = read_face_model(package_folder(options), which);
  TfliteNetwork network(std::move(file.bytes), file.name, options.device);
  std::vector<std::int64_t> found;
  for (const std::vector<std::int64_t>& shape : network.output_shapes()) {
    found.push_back(1);
    for (const std::int64_t n : shape) found.back() *= n;
  }
  if (network.input_shape() != std::vector<std::int64_t>{1, size, size, 3} || found != outputs)
    throw Error(ErrorCode::kBadFile, fmt::format("{}: this is another network than expected", file.name),
                "remove its folder and run scripts/setup");
  return network;
}

void check_images(std::span<const Image8> images) {
  for (const Image8& image : images) {
    if (image.width < 1 || image.height < 1 || image.channels < 3)
      throw Error(ErrorCode::kBadArgument,
                  fmt::format("a picture of {}x{} with {} channels was given to the face networks", image.width,
                              image.height, image.channels),
                  "give RGB or RGBA pictures");
  }
}

// One output of a batch: the numbers of picture i.
std::span<const float> row(const at::Tensor& output, std::int64_t i) {
  const std::int64_t count = output.numel() / output.size(0);
  return {output.data_ptr<float>() + i * count, static_cast<std::size_t>(count)};
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

// From the network's square of `size` pixels to the picture.
void place_points(std::vector<std::array<float, 3>>& points, const FaceRegion& region, int size) {
  const double c = std::cos(region.angle), s = std::sin(region.angle), scale = region.size / size;
  for (auto& p : points) {
    const double u = p[0] * scale - region.size / 2, v = p[1] * scale - region.size / 2;
    p = {static_cast<float>(region.x + c * u - s * v), static_cast<float>(region.y + s * u + c * v),
         static_cast<float>(p[2] * scale)};
  }
}

constexpr int kMeshSize = 192, kMaskSize = 256;

}  // namespace

struct FaceNetworks::Impl {
  explicit Impl(const FaceNetworkOptions& o)
      : options(o),
        detector(load(o, FaceModel::kDetector, kDetectorSize, {kDetectorAnchors * kDetectorNumbers, kDetectorAnchors})),
        mesh(load(o, FaceModel::kMesh, kMeshSize, {3 * kMeshPoints, 1})),
        attention(load(
            o, FaceModel::kAttentionMesh, kMeshSize,
            {3 * kMeshPoints, 2 * kLipPoints, 2 * kEyePoints, 2 * kEyePoints, 2 * kIrisPoints, 2 * kIrisPoints, 1})),
        segmentation(load(o, FaceModel::kSegmentation, kMaskSize, {kMaskSize * kMaskSize})) {}

  // Runs `network` over all pictures, a batch at a time: `fill(i, pixels)` makes the input of picture i, `take(i,
  // outputs, j)` reads what became of it, row j of the outputs.
  template <typename Fill, typename Take>
  void in_batches(std::size_t count, const TfliteNetwork& network, const Fill& fill, const Take& take) const {
    const std::int64_t size = network.input_shape()[1];
    for (std::size_t first = 0; first < count; first += static_cast<std::size_t>(options.batch)) {
      const std::size_t here = std::min(count - first, static_cast<std::size_t>(options.batch));
      const at::Tensor input = at::empty({static_cast<std::int64_t>(here), size, size, 3}, at::kFloat);
      for (std::size_t j = 0; j < here; ++j)
        fill(first + j, input.data_ptr<float>() + static_cast<std::int64_t>(j) * size * size * 3);
      const std::vector<at::Tensor> outputs = network.run(input);
      for (std::size_t j = 0; j < here; ++j) take(first + j, outputs, static_cast<std::int64_t>(j));
    }
  }

  FaceNetworkOptions options;
  TfliteNetwork detector, mesh, attention, segmentation;
};

FaceNetworks::FaceNetworks(const FaceNetworkOptions& options) {
  if (!(options.least_score >= 0 && options.least_score <= 1) || options.batch < 1 || options.batch > 4096)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("the face networks got least_score {} and batch {}", options.least_score, options.batch),
                "give a score in [0,1] and a batch of 1 to 4096");
  impl_ = std::make_unique<Impl>(options);
}
FaceNetworks::~FaceNetworks() = default;
FaceNetworks::FaceNetworks(FaceNetworks&&) noexcept = default;
FaceNetworks& FaceNetworks::operator=(FaceNetworks&&) noexcept = default;

std::vector<std::vector<FaceDetection>> FaceNetworks::detect(std::span<const Image8> images) const {
  check_images(images);
  std::vector<std::vector<FaceDetection>> out(images.size());
  // The network sees the whole picture in a square with black bars.
  const auto side = [&](std::size_t i) { return static_cast<double>(std::max(images[i].width, images[i].height)); };
  impl_->in_batches(
      images.size(), impl_->detector,
      [&](std::size_t i, float* pixels) {
        const CropRegion region{images[i].width / 2.0, images[i].height / 2.0, side(i), side(i), 0};
        crop_picture(images[i], region, {kDetectorSize, kDetectorSize, -1, 1, Outside::kBlack}, pixels);
      },
      [&](std::size_t i, const std::vector<at::Tensor>& outputs, std::int64_t j) {
        out[i] = decode_faces(row(outputs[0], j), row(outputs[1], j), impl_->options.least_score);
        const double scale = side(i), x = (images[i].width - scale) / 2, y = (images[i].height - scale) / 2;
        for (FaceDetection& face : out[i]) {
          face.left = face.left * scale + x;
          face.right = face.right * scale + x;
          face.top = face.top * scale + y;
          face.bottom = face.bottom * scale + y;
          for (auto& point : face.keypoints) point = {point[0] * scale + x, point[1] * scale + y};
        }
      });
  return out;
}

std::vector<FaceLandmarks> FaceNetworks::landmarks(std::span<const Image8> images, std::span<const FaceRegion> regions,
                                                   bool attention) const {
  check_images(images);
  if (images.size() != regions.size())
    throw Error(ErrorCode::kBadArgument, fmt::format("{} pictures but {} face regions", images.size(), regions.size()),
                "give one region a picture");
  for (const FaceRegion& r : regions) {
    if (!(r.size > 0) || !std::isfinite(r.x + r.y + r.size + r.angle))
      throw Error(ErrorCode::kBadArgument, fmt::format("a face region of size {} at ({}, {})", r.size, r.x, r.y),
                  "give what face_region() returned");
  }
  std::vector<FaceLandmarks> out(images.size());
  impl_->in_batches(
      images.size(), attention ? impl_->attention : impl_->mesh,
      [&](std::size_t i, float* pixels) {
        const FaceRegion& r = regions[i];
        crop_picture(images[i], {r.x, r.y, r.size, r.size, r.angle}, {kMeshSize, kMeshSize}, pixels);
      },
      [&](std::size_t i, const std::vector<at::Tensor>& outputs, std::int64_t j) {
        const std::span<const float> mesh = row(outputs[0], j);
        std::vector<std::array<float, 3>> points(kMeshPoints);
        for (std::size_t k = 0; k < points.size(); ++k) points[k] = {mesh[3 * k], mesh[3 * k + 1], mesh[3 * k + 2]};
        // The network calls the picture's left side left, we the subject's.
        if (attention)
          points = refine_mesh(points, {row(outputs[1], j), row(outputs[2], j), row(outputs[3], j), row(outputs[4], j),
                                        row(outputs[5], j)});
        place_points(points, regions[i], kMeshSize);
        out[i] = {std::move(points), sigmoid(row(outputs.back(), j)[0])};
      });
  return out;
}

std::vector<ImageF> FaceNetworks::person_masks(std::span<const Image8> images) const {
  check_images(images);
  std::vector<ImageF> out(images.size());
  impl_->in_batches(
      images.size(), impl_->segmentation,
      [&](std::size_t i, float* pixels) {
        const double width = images[i].width, height = images[i].height;
        crop_picture(images[i], {width / 2, height / 2, width, height, 0}, {kMaskSize, kMaskSize}, pixels);
      },
      [&](std::size_t i, const std::vector<at::Tensor>& outputs, std::int64_t j) {
        out[i] = enlarge(row(outputs[0], j).data(), kMaskSize, kMaskSize, images[i].width, images[i].height);
      });
  return out;
}

}  // namespace mien
