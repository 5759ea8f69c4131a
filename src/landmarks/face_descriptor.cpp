#include "mien/landmarks/face_descriptor.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <cstring>
#include <map>

#include "landmarks/sampling.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"
#include "mien/base/resource.h"

namespace mien {
namespace {

constexpr int kInput = 150;
constexpr std::size_t kNumbers = 128;
constexpr float kMeans[3] = {122.782f, 117.001f, 104.298f};  // of the pictures the network has learned from
constexpr double kPadding = 0.25;                            // around the face, of its size

// Where the network wants the corners of the eyes and the base of the nose, in the unit square of the face without
// padding (dlib's five-point face), and the landmarks there.
struct Anchor {
  std::size_t landmark;
  double x, y;
};
constexpr std::array<Anchor, 5> kAnchors = {{{33, 0.1205750620789, 0.2137274526848},
                                             {133, 0.3340850613712, 0.2290642403242},
                                             {362, 0.6460604764104, 0.2289674387677},
                                             {263, 0.8595674595992, 0.2134981538014},
                                             {2, 0.4901123135679, 0.6277975316475}}};

// The square of the picture whose turned and scaled copy puts the landmarks nearest to the anchors (least squares).
CropRegion face_chip(std::span<const std::array<float, 3>> landmarks) {
  double ax = 0, ay = 0, px = 0, py = 0;
  for (const Anchor& a : kAnchors) {
    ax += a.x / kAnchors.size();
    ay += a.y / kAnchors.size();
    px += landmarks[a.landmark][0] / kAnchors.size();
    py += landmarks[a.landmark][1] / kAnchors.size();
  }
  double along = 0, across = 0, norm = 0;  // the similarity as a complex number
  for (const Anchor& a : kAnchors) {
    const double u = a.x - ax, v = a.y - ay, x = landmarks[a.landmark][0] - px, y = landmarks[a.landmark][1] - py;
    along += u * x + v * y;
    across += u * y - v * x;
    norm += u * u + v * v;
  }
  along /= norm;
  across /= norm;
  const double dx = 0.5 - ax, dy = 0.5 - ay, size = std::hypot(along, across) * (1 + 2 * kPadding);
  return {px + along * dx - across * dy, py + across * dx + along * dy, size, size, std::atan2(across, along)};
}

}  // namespace

struct FaceDescriber::Impl {
  std::map<std::string, at::Tensor> weights;
  std::string name;
  at::Device device;

  explicit Impl(const FaceDescriberOptions& options) : device(at::kCPU) {
    const std::filesystem::path folder =
        (options.packages.empty() ? cache_folder() / "npm" : options.packages) / "@vladmandic/face-api/model";
    name = (folder / "face_recognition_model.bin").string();
    if (!std::filesystem::exists(name))
      throw Error(ErrorCode::kNotFound, name + ": the network that tells faces apart is not there",
                  "run scripts/setup");
    try {
      device = at::Device(options.device);
      load(read_json(folder / "face_recognition_model-weights_manifest.json"), read_file(name, std::size_t{64} << 20));
    } catch (const c10::Error&) {
      throw Error(ErrorCode::kMissingFeature, fmt::format("device \"{}\" is not there", options.device), "use cpu");
    } catch (const nlohmann::json::exception&) {
      bad();
    }
  }

  [[noreturn]] void bad() const {
    throw Error(ErrorCode::kBadFile, name + ": is not the expected network", "remove its folder and run scripts/setup");
  }

  // One tensor after the other: bytes with a scale and an offset, or plain floats.
  void load(const Json& manifest, const std::vector<std::uint8_t>& bytes) {
    std::size_t at = 0;
    for (const Json& entry : manifest.at(0).at("weights")) {
      const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
      std::size_t count = 1;
      for (const std::int64_t n : shape) {
        if (n < 1 || n > 4096) bad();
        count *= static_cast<std::size_t>(n);
      }
      const bool packed = entry.contains("quantization");
      const std::size_t size = count * (packed ? 1 : sizeof(float));
      if (entry.at("dtype") != "float32" || size > bytes.size() - at) bad();
      at::Tensor tensor = at::empty(shape, at::kFloat);
      float* values = tensor.data_ptr<float>();
      if (packed) {
        const Json& packing = entry.at("quantization");
        const auto scale = packing.at("scale").get<float>(), least = packing.at("min").get<float>();
        if (packing.at("dtype") != "uint8") bad();
        for (std::size_t i = 0; i < count; ++i) values[i] = scale * static_cast<float>(bytes[at + i]) + least;
      } else {
        std::memcpy(values, bytes.data() + at, size);
      }
      if (shape.size() == 4) tensor = tensor.permute({3, 2, 0, 1}).contiguous();  // from height, width, in, out
      weights.emplace(entry.at("name").get<std::string>(), tensor.to(device));
      at += size;
    }
    if (at != bytes.size() || get("fc").sizes() != at::IntArrayRef({256, static_cast<std::int64_t>(kNumbers)})) bad();
  }

  const at::Tensor& get(const std::string& key) const {
    const auto found = weights.find(key);
    if (found == weights.end()) bad();
    return found->second;
  }

  // Convolution, then a scale and an offset a channel.
  at::Tensor convolve(const at::Tensor& x, const std::string& layer, int stride, int padding) const {
    const at::Tensor y = at::conv2d(x, get(layer + "/conv/filters"), get(layer + "/conv/bias"), stride, padding);
    return y * get(layer + "/scale/weights").view({1, -1, 1, 1}) + get(layer + "/scale/biases").view({1, -1, 1, 1});
  }

  at::Tensor residual(const at::Tensor& x, const std::string& block) const {
    return (convolve(convolve(x, block + "/conv1", 1, 1).relu(), block + "/conv2", 1, 1) + x).relu();
  }

  // Half the size; the shortcut is averaged, and what is missing of either is zero.
  at::Tensor residual_down(const at::Tensor& x, const std::string& block) const {
    at::Tensor y = convolve(convolve(x, block + "/conv1", 2, 0).relu(), block + "/conv2", 1, 1);
    at::Tensor shortcut = at::avg_pool2d(x, 2, 2);
    const std::int64_t height = std::max(y.size(2), shortcut.size(2)), width = std::max(y.size(3), shortcut.size(3));
    const std::int64_t channels = std::max(y.size(1), shortcut.size(1));
    const auto fill = [&](const at::Tensor& t) {
      return at::constant_pad_nd(t, {0, width - t.size(3), 0, height - t.size(2), 0, channels - t.size(1)}, 0);
    };
    return (fill(y) + fill(shortcut)).relu();
  }

  at::Tensor run(const at::Tensor& input) const {
    at::Tensor x = at::max_pool2d(convolve(input, "conv32_down", 2, 0).relu(), 3, 2);
    for (const char* block : {"conv32_1", "conv32_2", "conv32_3"}) x = residual(x, block);
    x = residual_down(x, "conv64_down");
    for (const char* block : {"conv64_1", "conv64_2", "conv64_3"}) x = residual(x, block);
    x = residual_down(x, "conv128_down");
    for (const char* block : {"conv128_1", "conv128_2"}) x = residual(x, block);
    x = residual_down(x, "conv256_down");
    for (const char* block : {"conv256_1", "conv256_2"}) x = residual(x, block);
    x = residual_down(x, "conv256_down_out");
    return at::matmul(x.mean({2, 3}), get("fc"));
  }
};

FaceDescriber::FaceDescriber(const FaceDescriberOptions& options) : impl_(std::make_unique<Impl>(options)) {}
FaceDescriber::~FaceDescriber() = default;
FaceDescriber::FaceDescriber(FaceDescriber&&) noexcept = default;
FaceDescriber& FaceDescriber::operator=(FaceDescriber&&) noexcept = default;

std::vector<float> FaceDescriber::describe(const Image8& image, std::span<const std::array<float, 3>> landmarks) const {
  if (landmarks.size() < 468 || image.channels < 3 || image.width < 1 || image.height < 1)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("a face to describe has {} landmarks in a picture of {}x{} with {} channels",
                            landmarks.size(), image.width, image.height, image.channels),
                "give an RGB picture and 468 or 478 landmarks");
  const c10::InferenceMode no_gradients;
  at::Tensor input = at::empty({1, kInput, kInput, 3}, at::kFloat);
  crop_picture(image, face_chip(landmarks), {kInput, kInput, 0, 255}, input.data_ptr<float>());
  const at::Tensor means = at::empty({3}, at::kFloat);
  std::copy_n(kMeans, 3, means.data_ptr<float>());
  input = ((input - means) / 256).permute({0, 3, 1, 2}).contiguous().to(impl_->device);
  at::Tensor out = impl_->run(input).flatten().to(at::kCPU).contiguous();
  out = out / out.norm().clamp_min(1e-12);
  return {out.data_ptr<float>(), out.data_ptr<float>() + kNumbers};
}

}  // namespace mien
