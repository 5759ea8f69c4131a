#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <limits>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/metrics/lpips.h"
#include "reference_folder.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

TEST(Lpips, AgreesWithThePublishedPackage) {
  const fs::path folder = reference_folder();
  if (folder.empty()) GTEST_SKIP() << "no reference/metrics: set MIEN_SHARED";
  const Lpips lpips = Lpips::load();
  const Json expected = read_json(folder / "metrics_expected.json");
  ASSERT_GE(expected.size(), 5u);
  for (const auto& [name, values] : expected.items()) {
    const Image8 a = read_image(folder / ("m_" + name + "_a.png"));
    const Image8 b = read_image(folder / ("m_" + name + "_b.png"));
    EXPECT_NEAR(lpips(a, b), values["lpips_squeeze_v0.1"].get<double>(), 1e-6) << name;
  }
}

// The network once more, by the definition of each layer, in double and channels first.
struct Planes {
  int c = 0, h = 0, w = 0;
  std::vector<double> v;
  Planes(int channels, int height, int width)
      : c(channels), h(height), w(width), v(static_cast<std::size_t>(channels) * height * width) {}
  double& at(int i, int y, int x) { return v[(static_cast<std::size_t>(i) * h + y) * w + x]; }
  double at(int i, int y, int x) const { return v[(static_cast<std::size_t>(i) * h + y) * w + x]; }
};

Planes conv(const SafetensorsFile& file, const std::string& name, const Planes& in, int stride, int pad) {
  const TensorView shape = file.view(name + ".weight");
  const std::vector<float> weight = file.floats(name + ".weight", shape.shape);
  const std::vector<float> bias = file.floats(name + ".bias", {-1});
  const int k = static_cast<int>(shape.shape[2]);
  Planes out(static_cast<int>(shape.shape[0]), (in.h + 2 * pad - k) / stride + 1, (in.w + 2 * pad - k) / stride + 1);
  for (int o = 0; o < out.c; ++o) {
    for (int y = 0; y < out.h; ++y) {
      for (int x = 0; x < out.w; ++x) {
        double sum = bias[o];
        for (int i = 0; i < in.c; ++i) {
          for (int dy = 0; dy < k; ++dy) {
            for (int dx = 0; dx < k; ++dx) {
              const int v = y * stride + dy - pad;
              const int u = x * stride + dx - pad;
              if (v < 0 || u < 0 || v >= in.h || u >= in.w) continue;
              sum += weight[((static_cast<std::size_t>(o) * in.c + i) * k + dy) * k + dx] * in.at(i, v, u);
            }
          }
        }
        out.at(o, y, x) = std::max(sum, 0.0);
      }
    }
  }
  return out;
}

Planes pool(const Planes& in) {
  Planes out(in.c, static_cast<int>(std::ceil((in.h - 3) / 2.0)) + 1,
             static_cast<int>(std::ceil((in.w - 3) / 2.0)) + 1);
  for (int i = 0; i < out.c; ++i) {
    for (int y = 0; y < out.h; ++y) {
      for (int x = 0; x < out.w; ++x) {
        double best = -1;
        for (int v = 2 * y; v < std::min(2 * y + 3, in.h); ++v)
          for (int u = 2 * x; u < std::min(2 * x + 3, in.w); ++u) best = std::max(best, in.at(i, v, u));
        out.at(i, y, x) = best;
      }
    }
  }
  return out;
}

std::vector<Planes> features(const SafetensorsFile& file, const Image8& image) {
  constexpr std::array<double, 3> kShift = {-.030, -.088, -.188}, kScale = {.458, .448, .450};
  Planes x(3, image.height, image.width);
  for (int c = 0; c < 3; ++c)
    for (int v = 0; v < image.height; ++v)
      for (int u = 0; u < image.width; ++u)
        x.at(c, v, u) = (2.0 * image.at(u, v)[c] / 255.0 - 1 - kShift[c]) / kScale[c];
  std::vector<Planes> out;
  x = conv(file, "features.0", x, 2, 0);
  out.push_back(x);
  for (int layer = 2; layer <= 12; ++layer) {
    if (layer == 2 || layer == 5 || layer == 8) {
      x = pool(x);
      continue;
    }
    const std::string name = "features." + std::to_string(layer);
    const Planes squeezed = conv(file, name + ".squeeze", x, 1, 0);
    const Planes one = conv(file, name + ".expand1x1", squeezed, 1, 0);
    const Planes three = conv(file, name + ".expand3x3", squeezed, 1, 1);
    x = Planes(one.c + three.c, one.h, one.w);
    std::copy(one.v.begin(), one.v.end(), x.v.begin());
    std::copy(three.v.begin(), three.v.end(), x.v.begin() + static_cast<std::ptrdiff_t>(one.v.size()));
    if (layer == 4 || layer == 7 || layer >= 9) out.push_back(x);
  }
  return out;
}

double lpips_by_definition(const Image8& a, const Image8& b) {
  const SafetensorsFile file = SafetensorsFile::open(Lpips::find_weights());
  const std::vector<Planes> fa = features(file, a);
  const std::vector<Planes> fb = features(file, b);
  double total = 0;
  for (std::size_t n = 0; n < fa.size(); ++n) {
    const std::vector<float> weight = file.floats(fmt::format("lin.lin{}.model.1.weight", n), {1, fa[n].c, 1, 1});
    double sum = 0;
    for (int y = 0; y < fa[n].h; ++y) {
      for (int x = 0; x < fa[n].w; ++x) {
        double la = 0, lb = 0;
        for (int c = 0; c < fa[n].c; ++c) {
          la += fa[n].at(c, y, x) * fa[n].at(c, y, x);
          lb += fb[n].at(c, y, x) * fb[n].at(c, y, x);
        }
        for (int c = 0; c < fa[n].c; ++c) {
          const double d = fa[n].at(c, y, x) / (std::sqrt(la) + 1e-10) - fb[n].at(c, y, x) / (std::sqrt(lb) + 1e-10);
          sum += weight[c] * d * d;
        }
      }
    }
    total += sum / (fa[n].h * fa[n].w);
  }
  return total;
}

Image8 blobs(int width, int height, int channels, int seed) {
  Image8 small(width / 4, height / 4, channels);
  Random random(seed);
  for (std::uint8_t& pixel : small.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  return resize_image(small, width, height);
}

TEST(Lpips, AgreesWithItsDefinitionAtAwkwardSizes) {
  const Lpips lpips = Lpips::load();
  for (const auto& [width, height] : {std::array{32, 32}, std::array{45, 38}, std::array{67, 33}}) {
    const Image8 a = blobs(width, height, 3, 1);
    const Image8 b = blobs(width, height, 3, 2);
    const double expected = lpips_by_definition(a, b);
    EXPECT_GT(expected, 0.05);
    EXPECT_NEAR(lpips(a, b), expected, 1e-5) << width << "x" << height;
  }
}

TEST(Lpips, Properties) {
  const Lpips lpips = Lpips::load();
  const Image8 a = blobs(64, 48, 3, 3);
  const Image8 b = blobs(64, 48, 3, 4);
  EXPECT_EQ(lpips(a, a), 0.0);
  EXPECT_NEAR(lpips(a, b), lpips(b, a), 1e-12);
  double last = 0;
  for (const int noise : {8, 24, 72}) {
    Image8 worse = a;
    Random random(5);
    for (std::uint8_t& pixel : worse.pixels) {
      pixel = static_cast<std::uint8_t>(
          std::clamp(static_cast<int>(pixel) + static_cast<int>(random.below(2 * noise + 1)) - noise, 0, 255));
    }
    const double distance = lpips(a, worse);
    EXPECT_GT(distance, last) << noise;
    last = distance;
  }
  // Grey is the same picture with three equal channels.
  const Image8 grey = blobs(40, 40, 1, 6);
  const Image8 other = blobs(40, 40, 1, 7);
  const auto spread = [](const Image8& from) {
    Image8 to(from.width, from.height, 3);
    for (std::size_t i = 0; i < to.pixels.size(); ++i) to.pixels[i] = from.pixels[i / 3];
    return to;
  };
  EXPECT_EQ(lpips(grey, other), lpips(spread(grey), spread(other)));
}

TEST(Lpips, BadPicturesAreRefused) {
  const Lpips lpips = Lpips::load();
  EXPECT_THROW(lpips(Image8(31, 64, 3), Image8(31, 64, 3)), Error);
  EXPECT_THROW(lpips(Image8(64, 64, 3), Image8(64, 65, 3)), Error);
  EXPECT_THROW(lpips(Image8(64, 64, 3), Image8(64, 64, 1)), Error);
  EXPECT_THROW(lpips(Image8(64, 64, 4), Image8(64, 64, 4)), Error);
  EXPECT_THROW(lpips(Image8(4097, 40, 1), Image8(4097, 40, 1)), Error);
}

// What loading complains of; "" when it does not.
std::string complaint(const fs::path& file) {
  try {
    Lpips::load(file);
    return "";
  } catch (const Error& error) {
    EXPECT_FALSE(error.mend().empty());
    return error.what();
  }
}

TEST(Lpips, DamagedWeightsAreNamed) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_lpips_{}", ::getpid());
  fs::create_directories(folder);
  const SafetensorsFile good = SafetensorsFile::open(Lpips::find_weights());
  const auto copy = [&](const std::string& changed, const auto& change) {
    SafetensorsWriter writer;
    for (const std::string& name : good.names()) {
      std::vector<std::int64_t> shape = good.view(name).shape;
      std::vector<float> values = good.floats(name, shape);
      if (name == changed && !change(shape, values)) continue;
      writer.add(name, shape, values);
    }
    writer.write(folder / "w.safetensors");
    return complaint(folder / "w.safetensors");
  };
  using Shape = std::vector<std::int64_t>;
  using Values = std::vector<float>;
  EXPECT_EQ(copy("", [](Shape&, Values&) { return true; }), "");
  const std::string missing = copy("features.7.squeeze.bias", [](Shape&, Values&) { return false; });
  EXPECT_NE(missing.find("features.7.squeeze.bias"), std::string::npos) << missing;
  EXPECT_NE(missing.find("w.safetensors"), std::string::npos) << missing;
  const std::string narrow = copy("features.0.weight", [](Shape& shape, Values& values) {
    shape[0] = 32;
    values.resize(values.size() / 2);
    return true;
  });
  EXPECT_NE(narrow.find("features.0.weight"), std::string::npos) << narrow;
  const std::string nan = copy("lin.lin3.model.1.weight", [](Shape&, Values& values) {
    values[7] = std::numeric_limits<float>::quiet_NaN();
    return true;
  });
  EXPECT_NE(nan.find("lin.lin3.model.1.weight"), std::string::npos) << nan;
  const std::string absent = complaint(folder / "absent.safetensors");
  EXPECT_NE(absent.find("absent.safetensors"), std::string::npos) << absent;
  fs::remove_all(folder);
}

}  // namespace
}  // namespace mien
