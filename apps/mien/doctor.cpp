// mien doctor: what this machine has, what is missing, and the mend.
#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <dlfcn.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/parallel.h"
#include "mien/base/resource.h"
#include "mien/base/safetensors.h"
#include "mien/cuda/cuda.h"
#include "mien/head/head_model.h"

namespace mien::app {
namespace {

namespace fs = std::filesystem;

enum class State { kOk, kWarning, kMissing };  // a warning costs speed or a side feature; missing stops the main job

struct Finding {
  std::string name;
  State state = State::kOk;
  std::string found;
  std::string mend;
};

const char* state_word(State state) {
  return state == State::kOk ? "ok" : state == State::kWarning ? "warning" : "missing";
}

// The value after "key   :" in a /proc file, or "".
std::string proc_value(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    const std::size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

Finding processor() {
  const std::string model = proc_value("/proc/cpuinfo", "model name");
  std::string sets;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    sets = "AVX-512";
  else if (__builtin_cpu_supports("avx2"))
    sets = "AVX2";
#endif
  Finding finding{"processor", State::kOk,
                  fmt::format("{}, {} thread(s) in use, {}", model.empty() ? "unknown" : model, thread_count(),
                              sets.empty() ? "no AVX2" : sets),
                  ""};
  if (sets.empty()) {
    finding.state = State::kWarning;
    finding.mend = "drawing will be several times slower; use a processor with AVX2";
  }
  return finding;
}

Finding memory() {
  const double gigabytes = std::atof(proc_value("/proc/meminfo", "MemAvailable").c_str()) / 1e6;
  Finding finding{"memory", State::kOk, fmt::format("{:.1f} GB free", gigabytes), ""};
  if (gigabytes < 1.5) {
    finding.state = State::kWarning;
    finding.mend = "speaking takes up to 1.5 GB, building 2 GB a job: close other programs";
  }
  return finding;
}

// The BLAS behind LibTorch decides training speed: Debian's default one is 60 times slower than OpenBLAS.
Finding matrix_products() {
  constexpr int kSize = 512;
  const at::Tensor a = at::ones({kSize, kSize});
  at::mm(a, a);  // starts the threads
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    at::mm(a, a);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double gflops = 2.0 * kSize * kSize * kSize / best * 1e-9;
  using Config = const char* (*)();
  const auto openblas = reinterpret_cast<Config>(::dlsym(RTLD_DEFAULT, "openblas_get_config"));
  Finding finding{"matrix products", State::kOk,
                  fmt::format("{:.0f} GFLOP/s, {}", gflops, openblas != nullptr ? openblas() : "not OpenBLAS"), ""};
  if (openblas == nullptr && gflops < 30) {
    finding.state = State::kWarning;
    finding.mend = "the slow reference BLAS is in use: apt-get install libopenblas0-pthread";
  }
  return finding;
}

Finding torch_library() {
  return {"LibTorch", State::kOk, fmt::format("{}, {} thread(s)", TORCH_VERSION, at::get_num_threads()), ""};
}

Finding ffmpeg() {
#ifdef MIEN_HAVE_FFMPEG
  return {"FFmpeg", State::kOk, "built in: any audio or video file in, MP4 out", ""};
#else
  return {"FFmpeg", State::kMissing, "this build has none: no video can be written",
          "run scripts/setup, then build again"};
#endif
}

Finding flite() {
#ifdef MIEN_HAVE_FLITE
  return {"flite", State::kOk, "built in: speak --text and the actor's voices", ""};
#else
  return {"flite", State::kWarning, "this build has none: no speak --text, no actor",
          "apt-get install flite1-dev, then build again"};
#endif
}

Finding graphics() {
  constexpr const char* kUse = "train, speak, render and eval avatar work on it (--device)";
  if (cuda_missing().empty()) return {"GPU", State::kOk, cuda_device_name() + "; " + kUse, ""};
  if (!fs::exists("/dev/nvidia0")) return {"GPU", State::kOk, "none, and none is needed", ""};
  return {"GPU", State::kWarning, "an NVIDIA GPU is there, but cannot be used: " + cuda_missing(),
          "build where CUDA's nvcc is installed, with a driver that fits; the CPU does all work meanwhile"};
}

Finding head_asset() {
  try {
    const fs::path path = find_head_asset();
    const HeadModel model = HeadModel::load(path);
    return {"head model", State::kOk,
            fmt::format("{}: {}, {} vertices, {} expressions", path.string(), model.id, model.mesh.positions.size(),
                        model.expression_names.size()),
            ""};
  } catch (const Error& error) {
    return {"head model", State::kWarning, error.message() + " (needed by actor and train)",
            "run ./demo or ./test: they build it"};
  }
}

Finding shipped_model(const char* name, const std::string& file, State if_not = State::kMissing) {
  try {
    const fs::path path = find_model(file);
    const SafetensorsFile opened = SafetensorsFile::open(path);
    return {name, State::kOk,
            fmt::format("{}: {:.1f} MB, {} tensors", path.string(), static_cast<double>(fs::file_size(path)) * 1e-6,
                        opened.names().size()),
            ""};
  } catch (const Error& error) {
    return {name, if_not, error.message(), "restore it with: git checkout models/"};
  }
}

Finding folder_for(const char* name, const fs::path& folder, State if_not, double gigabytes_wanted) {
  std::error_code error;
  const fs::path existing = fs::exists(folder, error) ? folder : folder.parent_path();
  if (::access(existing.c_str(), W_OK) != 0) {
    return {name, if_not, folder.string() + " cannot be written to",
            "set MIEN_CACHE to a folder of yours, or change the permissions"};
  }
  const fs::space_info space = fs::space(existing, error);
  const double gigabytes = error ? 0 : static_cast<double>(space.available) * 1e-9;
  if (gigabytes < gigabytes_wanted) {
    return {name, State::kWarning, fmt::format("{}: only {:.1f} GB free", folder.string(), gigabytes),
            "free some space on that disk"};
  }
  return {name, State::kOk, fmt::format("{}: writable, {:.0f} GB free", folder.string(), gigabytes), ""};
}

std::vector<Finding> examine() {
  return {processor(),
          memory(),
          torch_library(),
          matrix_products(),
          ffmpeg(),
          flite(),
          graphics(),
          head_asset(),
          shipped_model("avatar ada", "ada.mien"),
          shipped_model("speech networks", "speech.safetensors"),
          shipped_model("LPIPS weights", "lpips_squeeze_v0.1.safetensors", State::kWarning),
          folder_for("cache folder", cache_folder(), State::kWarning, 1.0),
          folder_for("this folder", fs::current_path(), State::kWarning, 0.2)};
}

void print(const std::vector<Finding>& findings, bool json) {
  if (json) {
    Json out = {{"findings", Json::array()}};
    for (const Finding& f : findings) {
      out["findings"].push_back(
          {{"name", f.name}, {"state", state_word(f.state)}, {"found", f.found}, {"mend", f.mend}});
    }
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  for (const Finding& f : findings) {
    std::printf("%-8s %-16s %s\n", state_word(f.state), f.name.c_str(), f.found.c_str());
    if (!f.mend.empty()) std::printf("%-8s %-16s -> %s\n", "", "", f.mend.c_str());
  }
}

}  // namespace

void add_doctor_command(CLI::App& app) {
  CLI::App* doctor = app.add_subcommand("doctor", "Says what this machine has, what is missing, and the mend");
  doctor->footer("Example:\n  mien doctor\n\nEnds with status 5 when the main job (mien speak) cannot run here.");
  auto json = std::make_shared<bool>(false);
  doctor->add_flag("--json", *json, "Print JSON");
  doctor->callback([json] {
    const std::vector<Finding> findings = examine();
    print(findings, *json);
    const auto missing =
        std::find_if(findings.begin(), findings.end(), [](const Finding& f) { return f.state == State::kMissing; });
    if (missing != findings.end()) {
      throw Error(ErrorCode::kMissingFeature, "mien speak cannot run here: " + missing->name + " is missing",
                  missing->mend);
    }
  });
}

}  // namespace mien::app
