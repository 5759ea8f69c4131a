#include <omp.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "mien/base/error.h"
#include "mien/splat/gaussians.h"
#include "splat/dispatch.h"
#include "splat/tile_lists.h"
#include "splat/view.h"

namespace mien {
namespace {

using splat::Cloud;
using splat::make_cloud;
using splat::make_view;
using splat::View;

// The share of `count` Gaussians of one thread, in whole vectors.
std::pair<int, int> share(int count, int thread, int threads) {
  const std::int64_t groups = (count + 15) / 16;
  auto edge = [&](int t) { return static_cast<int>(std::min<std::int64_t>(groups * t / threads * 16, count)); };
  return {edge(thread), edge(thread + 1)};
}

template <typename T>
void grow(std::vector<T>& v, std::size_t size) {
  if (v.size() < size) v.resize(size);
}

}  // namespace

struct SplatRasterizer::Impl {
  const splat::Kernels* kernels = &splat::choose_kernels();
  std::vector<splat::Record> records;
  std::vector<splat::TileRange> ranges;
  std::vector<splat::SortItem> visible;
  splat::TileLists lists;

  // For backward().
  bool kept = false;
  int kept_count = 0, kept_width = 0, kept_height = 0;
  std::vector<float> kept_pixels;                 // [tiles][4][256]
  std::vector<std::uint64_t> blocks;              // [entries]
  std::vector<splat::TileForwardResult> results;  // [tiles]
  std::vector<std::vector<float>> partials;       // [threads][count][kPartial]

  void project(const Cloud& cloud, const View& view);
  void forward(const View& view, float* rgb, float* alpha, bool keep);
  std::vector<int> balance(int threads) const;
};

// Gaussians to the screen, and their list for every tile.
void SplatRasterizer::Impl::project(const Cloud& cloud, const View& view) {
  const std::size_t padded = (static_cast<std::size_t>(cloud.count) + 15) / 16 * 16;
  grow(records, padded);
  grow(ranges, padded);
  grow(visible, padded);
  const int max_threads = omp_get_max_threads();
  std::vector<int> found(max_threads, 0);
  int used_threads = 1;
#pragma omp parallel
  {
    const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
#pragma omp single nowait
    used_threads = threads;
    const auto [begin, end] = share(cloud.count, thread, threads);
    found[thread] = kernels->project({cloud, &view, begin, end, records.data(), ranges.data(), visible.data() + begin});
  }
  std::size_t total = 0;
  for (int t = 0; t < used_threads; ++t) {  // closes the gaps between the threads' finds
    const int begin = share(cloud.count, t, used_threads).first;
    std::copy_n(visible.data() + begin, found[t], visible.data() + total);
    total += found[t];
  }
  lists.build(visible, total, ranges.data(), view.tiles_x, view.tiles_y);
}

void SplatRasterizer::Impl::forward(const View& view, float* rgb, float* alpha, bool keep) {
  const int tiles = lists.tile_count();
  grow(results, tiles);
  if (keep) {
    grow(kept_pixels, static_cast<std::size_t>(tiles) * 4 * splat::kTilePixels);
    grow(blocks, lists.entry_count());
  }
#pragma omp parallel for schedule(dynamic, 4)
  for (int tile = 0; tile < tiles; ++tile) {
    splat::TileForward job = {};
    job.view = &view;
    job.records = records.data();
    job.entries = lists.entries(tile);
    job.count = lists.size(tile);
    job.tile_x = tile % view.tiles_x;
    job.tile_y = tile / view.tiles_x;
    job.rgb = rgb;
    job.alpha = alpha;
    if (keep) {
      job.kept = kept_pixels.data() + static_cast<std::size_t>(tile) * 4 * splat::kTilePixels;
      job.blocks = blocks.data() + lists.begin(tile);
    }
    results[tile] = kernels->forward(job);
  }
}

// Cuts the tiles into one run a thread of about equal work, as the forward pass counted it: unlike a dynamic schedule
// this adds up each thread's gradients in the same order every time. Returns the runs' edges.
std::vector<int> SplatRasterizer::Impl::balance(int threads) const {
  constexpr std::uint64_t kTileOverhead = 16;  // in visits
  const int tiles = lists.tile_count();
  std::uint64_t total = 0;
  for (int t = 0; t < tiles; ++t) total += results[t].visits + results[t].used + kTileOverhead;
  std::vector<int> edges = {0};
  std::uint64_t done = 0;
  for (int t = 0; t < tiles; ++t) {
    done += results[t].visits + results[t].used + kTileOverhead;
    while (static_cast<int>(edges.size()) < threads && done * threads >= total * edges.size()) edges.push_back(t + 1);
  }
  edges.resize(threads, tiles);
  edges.push_back(tiles);
  return edges;
}

SplatRasterizer::SplatRasterizer() : impl_(new Impl) {}
SplatRasterizer::~SplatRasterizer() {
  delete impl_;
}
SplatRasterizer::SplatRasterizer(SplatRasterizer&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
SplatRasterizer& SplatRasterizer::operator=(SplatRasterizer&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}

void SplatRasterizer::forward(const SplatInput& input, const Camera& camera, const SplatOptions& options, float* rgb,
                              float* alpha, bool keep_for_backward) {
  const Cloud cloud = make_cloud(input);
  const View view = make_view(camera, options, splat::kTileSize);
  impl_->kept = false;
  impl_->project(cloud, view);
  impl_->forward(view, rgb, alpha, keep_for_backward);
  impl_->kept = keep_for_backward;
  impl_->kept_count = cloud.count;
  impl_->kept_width = camera.width;
  impl_->kept_height = camera.height;
}

void SplatRasterizer::backward(const SplatInput& input, const Camera& camera, const SplatOptions& options,
                               const float* d_rgb, const float* d_alpha, const SplatGradients& gradients) {
  Impl& s = *impl_;
  if (!s.kept || s.kept_count != input.count || s.kept_width != camera.width || s.kept_height != camera.height)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("splat: backward for {} Gaussians at {}x{} does not follow a forward of the same",
                            input.count, camera.width, camera.height),
                "call forward with keep_for_backward on the same input first");
  if (input.count == 0) return;
  const Cloud cloud = make_cloud(input);
  const View view = make_view(camera, options, splat::kTileSize);
  const int threads = omp_get_max_threads();
  const std::vector<int> edges = s.balance(threads);
  grow(s.partials, threads);
  std::vector<const float*> partials(threads);
  for (int t = 0; t < threads; ++t) {
    grow(s.partials[t], static_cast<std::size_t>(cloud.count) * splat::kPartial);
    partials[t] = s.partials[t].data();
  }
#pragma omp parallel for schedule(static, 1)
  for (int part = 0; part < threads; ++part) {
    float* sums = s.partials[part].data();
    std::fill_n(sums, static_cast<std::size_t>(cloud.count) * splat::kPartial, 0.0f);
    for (int tile = edges[part]; tile < edges[part + 1]; ++tile)
      s.kernels->backward({&view, s.records.data(), s.lists.entries(tile), s.results[tile].used, tile % view.tiles_x,
                           tile / view.tiles_x, d_rgb, d_alpha,
                           s.kept_pixels.data() + static_cast<std::size_t>(tile) * 4 * splat::kTilePixels,
                           s.blocks.data() + s.lists.begin(tile), sums});
  }
#pragma omp parallel for schedule(static, 1)
  for (int part = 0; part < threads; ++part) {
    const auto [begin, end] = share(cloud.count, part, threads);
    s.kernels->project_backward({cloud, &view, begin, end, partials.data(), threads, s.records.data(), gradients.means,
                                 gradients.quats, gradients.scales, gradients.opacities, gradients.sh,
                                 gradients.mean2d_norm});
  }
}

}  // namespace mien
