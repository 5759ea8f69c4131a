#include "mien/metrics/lpips.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "convolution.h"
#include "mien/base/error.h"
#include "mien/base/resource.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr const char* kFileName = "lpips_squeeze_v0.1.safetensors";

// A fire module (Iandola et al. 2016): a 1x1 convolution squeezes, then 1x1 and 3x3 convolutions expand side by side.
struct Fire {
  Convolution squeeze, expand1, expand3;
  int squeezed = 0;
  Fire(const SafetensorsFile& file, const std::string& name, int inputs, int squeezed_to, int expanded)
      : squeeze(file, name + ".squeeze", inputs, squeezed_to, 1),
        expand1(file, name + ".expand1x1", squeezed_to, expanded, 1),
        expand3(file, name + ".expand3x3", squeezed_to, expanded, 3),
        squeezed(squeezed_to) {}
  FeatureMap operator()(const FeatureMap& from) const {
    FeatureMap small(from.width, from.height, squeezed, 1);
    squeeze.apply(from, small);
    FeatureMap to(from.width, from.height, expand1.outputs() + expand3.outputs());
    expand1.apply(small, to);
    expand3.apply(small, to, expand1.outputs());
    return to;
  }
};

// Pixels in [-1,1], each channel shifted and scaled as the network's training pictures were.
FeatureMap network_input(const Image8& image) {
  constexpr std::array<float, 3> kShift = {-0.030f, -0.088f, -0.188f};
  constexpr std::array<float, 3> kScale = {0.458f, 0.448f, 0.450f};
  std::array<std::array<float, 256>, 3> table;
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) table[c][v] = (static_cast<float>(v) / 127.5f - 1.0f - kShift[c]) / kScale[c];
  }
  FeatureMap out(image.width, image.height, 3);
  const std::size_t pixels = static_cast<std::size_t>(image.width) * image.height;
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* p = image.pixels.data() + i * image.channels;
    for (int c = 0; c < 3; ++c) out.values[3 * i + c] = table[c][image.channels == 1 ? p[0] : p[c]];
  }
  return out;
}

}  // namespace

struct Lpips::Network {
  Convolution first;
  std::vector<Fire> fires;
  std::vector<std::vector<float>> weights;  // of the seven compared layers

  explicit Network(const SafetensorsFile& file) : first(file, "features.0", 3, 64, 3, 2) {
    struct Shape {
      int layer, inputs, squeezed, expanded;
    };
    constexpr Shape kFires[] = {{3, 64, 16, 64},   {4, 128, 16, 64},   {6, 128, 32, 128},  {7, 256, 32, 128},
                                {9, 256, 48, 192}, {10, 384, 48, 192}, {11, 384, 64, 256}, {12, 512, 64, 256}};
    for (const Shape& s : kFires)
      fires.emplace_back(file, "features." + std::to_string(s.layer), s.inputs, s.squeezed, s.expanded);
    constexpr std::array<int, 7> kChannels = {64, 128, 256, 384, 384, 512, 512};
    for (int i = 0; i < static_cast<int>(kChannels.size()); ++i) {
      const std::string name = fmt::format("lin.lin{}.model.1.weight", i);
      weights.push_back(file.floats(name, {1, kChannels[i], 1, 1}));
      if (!std::all_of(weights.back().begin(), weights.back().end(), [](float w) { return std::isfinite(w); })) {
        throw Error(ErrorCode::kBadFile,
                    fmt::format("{}: tensor \"{}\" holds a value that is not finite", file.path().string(), name),
                    "fetch the file again");
      }
    }
  }

  FeatureMap start(const Image8& image) const {
    const FeatureMap input = network_input(image);
    FeatureMap to((input.width - 3) / 2 + 1, (input.height - 3) / 2 + 1, first.outputs());
    first.apply(input, to);
    return to;
  }

  // From the features of compared layer n to those of layer n + 1.
  FeatureMap next(const FeatureMap& from, int n) const {
    switch (n) {
      case 0:
        return fires[1](fires[0](max_pool_3x3(from)));
      case 1:
        return fires[3](fires[2](max_pool_3x3(from)));
      case 2:
        return fires[4](max_pool_3x3(from));
      default:
        return fires[n + 2](from);
    }
  }
};

Lpips Lpips::load(const std::filesystem::path& weights) {
  Lpips out;
  out.network_ = std::make_shared<const Network>(SafetensorsFile::open(weights));
  return out;
}

std::filesystem::path Lpips::find_weights() {
  for (const std::filesystem::path& folder : model_folders()) {
    if (std::filesystem::exists(folder / kFileName)) return folder / kFileName;
  }
  throw Error(ErrorCode::kNotFound,
              fmt::format("LPIPS needs {}, which is not in {}", kFileName, model_folders().front().string()),
              "set MIEN_MODELS to the folder that holds it, or restore it with: git checkout models/");
}

double Lpips::operator()(const Image8& a, const Image8& b) const {
  const auto usable = [](int side) { return side >= kSmallestSide && side <= kLargestSide; };
  if (a.width != b.width || a.height != b.height || a.channels != b.channels || a.channels == 4 || !usable(a.width) ||
      !usable(a.height)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("LPIPS of a picture of {}x{} ({} channels) and one of {}x{} ({})", a.width, a.height,
                            a.channels, b.width, b.height, b.channels),
                fmt::format("give pictures of one size, both grey or both RGB, {} to {} pixels a side", kSmallestSide,
                            kLargestSide));
  }
  FeatureMap fa = network_->start(a);
  FeatureMap fb = network_->start(b);
  double sum = unit_difference(fa, fb, network_->weights[0]);
  for (int n = 0; n + 1 < static_cast<int>(network_->weights.size()); ++n) {
    fa = network_->next(fa, n);
    fb = network_->next(fb, n);
    sum += unit_difference(fa, fb, network_->weights[n + 1]);
  }
  return sum;
}

}  // namespace mien
