// mien eval images: PSNR, SSIM, LPIPS and CPBD of two pictures, or of two folders of them.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/parallel.h"
#include "mien/metrics/image_metrics.h"
#include "mien/metrics/lpips.h"

namespace mien::app {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::string name;
  double psnr = 0, ssim = 0, cpbd_a = 0, cpbd_b = 0;
  std::optional<double> lpips = {};  // pictures below 32 pixels a side have none
};

// Pictures by name without extension, so that a.jpg meets a.png.
std::map<std::string, fs::path> pictures_in(const fs::path& folder) {
  std::map<std::string, fs::path> out;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".png" || extension == ".jpg" || extension == ".jpeg")
      out[entry.path().stem().string()] = entry.path();
  }
  return out;
}

struct Pair {
  std::string name;
  fs::path a, b, mask;  // mask may be empty
};

std::vector<Pair> find_pairs(const fs::path& a, const fs::path& b, const fs::path& mask) {
  for (const fs::path& path : {a, b, mask}) {
    if (!path.empty() && !fs::exists(path)) {
      throw Error(ErrorCode::kNotFound, path.string() + ": no such file or folder", "check the path");
    }
  }
  if (fs::is_directory(a) != fs::is_directory(b)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{} and {}: one is a folder, the other is not", a.string(), b.string()),
                "give two files or two folders");
  }
  if (!fs::is_directory(a)) return {{a.filename().string(), a, b, mask}};
  const auto others = pictures_in(b);
  const auto masks = !mask.empty() && fs::is_directory(mask) ? pictures_in(mask) : std::map<std::string, fs::path>();
  std::vector<Pair> pairs;
  for (const auto& [name, path] : pictures_in(a)) {
    const auto other = others.find(name);
    if (other == others.end()) {
      throw Error(ErrorCode::kNotFound,
                  fmt::format("{}: has no picture \"{}\" to compare with {}", b.string(), name, path.string()),
                  "both folders must hold the same pictures");
    }
    Pair pair{name, path, other->second, mask};
    if (!masks.empty()) {
      const auto found = masks.find(name);
      if (found == masks.end())
        throw Error(ErrorCode::kNotFound, fmt::format("{}: has no mask \"{}\"", mask.string(), name));
      pair.mask = found->second;
    }
    pairs.push_back(std::move(pair));
  }
  if (pairs.empty()) throw Error(ErrorCode::kBadArgument, a.string() + ": holds no pictures", "PNG and JPEG are read");
  return pairs;
}

Row measure(const Pair& pair, const Lpips& lpips) {
  const Image8 a = read_image(pair.a);
  const Image8 b = read_image(pair.b);
  std::optional<Image8> mask;
  if (!pair.mask.empty()) mask = read_image(pair.mask);
  const Image8* m = mask ? &*mask : nullptr;
  try {
    Row row{pair.name, psnr(a, b, m), ssim(a, b, m), cpbd(a), cpbd(b), {}};
    if (std::min(a.width, a.height) >= Lpips::kSmallestSide) row.lpips = lpips(a, b);
    return row;
  } catch (const Error& error) {
    throw Error(error.code(), pair.b.string() + ": " + error.message(), error.mend());
  }
}

std::vector<Row> measure_all(const std::vector<Pair>& pairs, const Lpips& lpips) {
  std::vector<Row> rows(pairs.size());
  std::vector<std::optional<Error>> errors(pairs.size());
  parallel_for(static_cast<std::int64_t>(pairs.size()), 1, [&](std::int64_t i) {
    try {
      rows[i] = measure(pairs[i], lpips);
    } catch (const Error& error) {
      errors[i] = error;
    } catch (const std::exception& error) {
      errors[i] = Error(ErrorCode::kInternal, error.what());
    }
  });
  for (const std::optional<Error>& error : errors) {
    if (error) throw *error;
  }
  return rows;
}

// Equal pictures have an infinite PSNR, which JSON cannot hold: null there, and left out of the mean.
Row mean_of(const std::vector<Row>& rows) {
  Row mean{"mean"};
  int finite = 0;
  int large = 0;
  for (const Row& row : rows) {
    if (row.lpips) {
      mean.lpips = mean.lpips.value_or(0) + *row.lpips;
      ++large;
    }
    if (std::isfinite(row.psnr)) {
      mean.psnr += row.psnr;
      ++finite;
    }
    mean.ssim += row.ssim / static_cast<double>(rows.size());
    mean.cpbd_a += row.cpbd_a / static_cast<double>(rows.size());
    mean.cpbd_b += row.cpbd_b / static_cast<double>(rows.size());
  }
  if (mean.lpips) *mean.lpips /= large;
  mean.psnr = finite > 0 ? mean.psnr / finite : rows.front().psnr;
  return mean;
}

Json to_json(const Row& row) {
  Json out = {{"name", row.name}, {"psnr", nullptr},      {"ssim", row.ssim},
              {"lpips", nullptr}, {"cpbd_a", row.cpbd_a}, {"cpbd_b", row.cpbd_b}};
  if (row.lpips) out["lpips"] = *row.lpips;
  if (std::isfinite(row.psnr)) out["psnr"] = row.psnr;
  return out;
}

void print(const std::vector<Row>& rows, bool json) {
  const Row mean = mean_of(rows);
  if (json) {
    Json out = {{"images", Json::array()}, {"mean", to_json(mean)}};
    for (const Row& row : rows) out["images"].push_back(to_json(row));
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  std::printf("%-24s %8s %8s %8s %8s %8s\n", "picture", "PSNR dB", "SSIM", "LPIPS", "CPBD A", "CPBD B");
  const auto line = [](const Row& row) {
    const std::string perceptual = row.lpips ? fmt::format("{:.4f}", *row.lpips) : "-";
    std::printf("%-24s %8.2f %8.4f %8s %8.4f %8.4f\n", row.name.c_str(), row.psnr, row.ssim, perceptual.c_str(),
                row.cpbd_a, row.cpbd_b);
  };
  for (const Row& row : rows) line(row);
  if (rows.size() > 1) line(mean);
}

}  // namespace

void add_eval_images_command(CLI::App& eval) {
  struct Options {
    std::string a, b, mask, weights;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = eval.add_subcommand("images", "PSNR, SSIM, LPIPS and CPBD (sharpness) of pictures A against B");
  command->add_option("A", options->a, "Picture, or folder of pictures: the truth")->required();
  command->add_option("B", options->b, "Picture, or folder with pictures of the same names")->required();
  command->add_option("--mask", options->mask,
                      "Grey picture or folder: where PSNR and SSIM count (LPIPS and CPBD see all)");
  command->add_option("--lpips-weights", options->weights, "lpips_squeeze_v0.1.safetensors (default: the shipped one)");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Example:\n  mien eval images truth/ rendered/ --mask masks/");
  command->callback([options] {
    const Lpips lpips = Lpips::load(options->weights.empty() ? Lpips::find_weights() : fs::path(options->weights));
    print(measure_all(find_pairs(options->a, options->b, options->mask), lpips), options->json);
  });
}

}  // namespace mien::app
