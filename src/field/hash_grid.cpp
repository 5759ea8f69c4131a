#include "mien/field/hash_grid.h"

#include <algorithm>
#include <cmath>

#include "base/clones.h"
#include "field/hash_corners.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

constexpr int kBlock = 64;            // points whose corners are found together
constexpr int kChunk = 64 * 64;       // points whose gradients stay in the cache while level after level adds them up
constexpr std::int64_t kAlone = 256;  // so many points are one thread's work

// The eight corners of up to kBlock points at one level; corner c is at +1 along x, y, z by its bits 0, 1, 2.
template <typename T>
struct Corners {
  std::uint32_t entry[8][kBlock];
  T place[3][kBlock];
  T weight[8][kBlock];
};

template <typename T>
[[gnu::always_inline]] inline void find_any_corners(const HashGridLevel& level, const T* points, int count,
                                                    Corners<T>& c) {
  std::uint32_t cell[3][kBlock];
  for (int p = 0; p < count; ++p)
    for (int a = 0; a < 3; ++a) cell[a][p] = field::cell_of(level.resolution, points[3 * p + a], &c.place[a][p]);
#pragma GCC unroll 1
  for (std::uint32_t k = 0; k < 8; ++k) {
    const std::uint32_t dx = k & 1, dy = (k >> 1) & 1, dz = k >> 2;
    // The weight along an axis: place, or 1 - place.
    const T start[3] = {dx ? T(0) : T(1), dy ? T(0) : T(1), dz ? T(0) : T(1)};
    const T slope[3] = {dx ? T(1) : T(-1), dy ? T(1) : T(-1), dz ? T(1) : T(-1)};
    for (int p = 0; p < count; ++p) {
      c.entry[k][p] = field::corner_entry(level.resolution, level.hashed, level.entries, cell[0][p] + dx,
                                          cell[1][p] + dy, cell[2][p] + dz);
      c.weight[k][p] = (start[0] + slope[0] * c.place[0][p]) * (start[1] + slope[1] * c.place[1][p]) *
                       (start[2] + slope[2] * c.place[2][p]);
    }
  }
}

MIEN_CLONES void find_corners(const HashGridLevel& level, const float* points, int count, Corners<float>& c) {
  find_any_corners(level, points, count, c);
}
void find_corners(const HashGridLevel& level, const double* points, int count, Corners<double>& c) {
  find_any_corners(level, points, count, c);
}

// The features of an entry.
template <typename T, int F>
struct Features {
  using Vector [[gnu::vector_size(F * sizeof(T)), gnu::aligned(sizeof(T)), gnu::may_alias]] = T;
};
template <typename T>
struct Features<T, 1> {
  using Vector = T;
};

template <typename T, int F>
[[gnu::always_inline]] inline void encode_level(const HashGridLevel& level, const T* table, const T* points, int count,
                                                T* out, std::int64_t stride) {
  using V = typename Features<T, F>::Vector;
  Corners<T> c;
  find_corners(level, points, count, c);
  const T* values = table + level.first * F;
  for (int p = 0; p < count; ++p) {
    V sum = {};
    for (int k = 0; k < 8; ++k)
      sum += c.weight[k][p] * *reinterpret_cast<const V*>(values + static_cast<std::int64_t>(c.entry[k][p]) * F);
    *reinterpret_cast<V*>(out + p * stride) = sum;
  }
}

template <typename T, int F>
[[gnu::always_inline]] inline void table_level(const HashGridLevel& level, const T* points, int count, const T* d_out,
                                               std::int64_t stride, T* d_table) {
  using V = typename Features<T, F>::Vector;
  Corners<T> c;
  find_corners(level, points, count, c);
  T* values = d_table + level.first * F;
  for (int p = 0; p < count; ++p) {
    bool any = false;
    for (int f = 0; f < F; ++f) any = any || d_out[p * stride + f] != 0;
    if (!any) continue;
    const V d = *reinterpret_cast<const V*>(d_out + p * stride);
    for (int k = 0; k < 8; ++k)
      *reinterpret_cast<V*>(values + static_cast<std::int64_t>(c.entry[k][p]) * F) += c.weight[k][p] * d;
  }
}

// Adds the slopes of one level.
template <typename T, int F>
[[gnu::always_inline]] inline void point_level(const HashGridLevel& level, const T* table, const T* points, int count,
                                               const T* d_out, std::int64_t stride, T* d_points) {
  Corners<T> c;
  find_corners(level, points, count, c);
  const T* values = table + level.first * F;
  for (int p = 0; p < count; ++p) {
    T felt[8];  // how much the loss grows with the weight of a corner
    for (int k = 0; k < 8; ++k) {
      const T* v = values + static_cast<std::int64_t>(c.entry[k][p]) * F;
      felt[k] = 0;
      for (int f = 0; f < F; ++f) felt[k] += v[f] * d_out[p * stride + f];
    }
    for (int a = 0; a < 3; ++a) {
      if (!(points[3 * p + a] >= 0 && points[3 * p + a] <= 1)) continue;
      const int b = (a + 1) % 3, e = (a + 2) % 3;
      const T u = c.place[b][p], v = c.place[e][p];
      T slope = 0;
      for (int k = 0; k < 4; ++k) {
        const int low = ((k & 1) << b) | ((k >> 1) << e);
        slope += ((k & 1) ? u : 1 - u) * ((k >> 1) ? v : 1 - v) * (felt[low | (1 << a)] - felt[low]);
      }
      d_points[3 * p + a] += static_cast<T>(level.resolution) * slope;
    }
  }
}

enum class Work { kEncode, kTable, kPoints };

template <typename T>
struct Block {
  Work work;
  int features;
  const HashGridLevel& level;
  const T *table, *points;
  int count;
  T* out;          // encode
  const T* d_out;  // the others
  std::int64_t stride;
  T* gradient;  // of the table or the points
};

template <typename T, int F>
[[gnu::always_inline]] inline void run_with(const Block<T>& b) {
  switch (b.work) {
    case Work::kEncode:
      return encode_level<T, F>(b.level, b.table, b.points, b.count, b.out, b.stride);
    case Work::kTable:
      return table_level<T, F>(b.level, b.points, b.count, b.d_out, b.stride, b.gradient);
    case Work::kPoints:
      return point_level<T, F>(b.level, b.table, b.points, b.count, b.d_out, b.stride, b.gradient);
  }
}

template <typename T>
[[gnu::always_inline]] inline void run_any(const Block<T>& b) {
  switch (b.features) {
    case 1:
      return run_with<T, 1>(b);
    case 2:
      return run_with<T, 2>(b);
    case 4:
      return run_with<T, 4>(b);
    default:
      return run_with<T, 8>(b);
  }
}

MIEN_CLONES void run_block(const Block<float>& b) {
  run_any(b);
}
void run_block(const Block<double>& b) {
  run_any(b);
}

}  // namespace

HashGrid::HashGrid(const HashGridOptions& options) : options_(options) {
  const bool fine =
      options.levels >= 1 && options.levels <= 32 &&
      (options.features == 1 || options.features == 2 || options.features == 4 || options.features == 8) &&
      options.log2_table >= 8 && options.log2_table <= 24 && options.coarsest >= 1 &&
      options.finest >= options.coarsest && options.finest <= 65536;
  if (!fine)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("hash grid: levels {}, features {}, log2 table {}, coarsest {}, finest {}", options.levels,
                            options.features, options.log2_table, options.coarsest, options.finest),
                "give 1 to 32 levels, 1, 2, 4 or 8 features, a table of 2^8 to 2^24, and sides of 1 to 65536 cells");
  const std::int64_t most = std::int64_t{1} << options.log2_table;
  std::int64_t first = 0;
  for (int l = 0; l < options.levels; ++l) {
    const double part = options.levels > 1 ? static_cast<double>(l) / (options.levels - 1) : 0;
    const double side = options.coarsest * std::pow(static_cast<double>(options.finest) / options.coarsest, part);
    const int resolution = static_cast<int>(side + 1e-6);  // powers that come out whole stay so
    const std::int64_t corners = static_cast<std::int64_t>(resolution + 1) * (resolution + 1) * (resolution + 1);
    const bool hashed = corners > most;
    const std::int64_t entries = hashed ? most : corners;
    levels_.push_back({resolution, hashed, static_cast<std::uint32_t>(entries), first});
    first += entries;
  }
}

std::int64_t HashGrid::parameters() const {
  return options_.features * (levels_.back().first + levels_.back().entries);
}

void HashGrid::initialise(std::span<float> table, Random& random) const {
  MIEN_CHECK(static_cast<std::int64_t>(table.size()) == parameters(), "{} values", table.size());
  for (float& v : table) v = random.uniform(-1e-4f, 1e-4f);
}

template <typename T>
void HashGrid::encode(const T* table, const T* points, std::int64_t count, T* out, std::int64_t out_stride) const {
  const std::int64_t stride = out_stride > 0 ? out_stride : outputs();
  parallel_for((count + kChunk - 1) / kChunk, 1, [&](std::int64_t chunk) {
    const std::int64_t end = std::min(count, (chunk + 1) * kChunk);
    for (int l = 0; l < options_.levels; ++l)
      for (std::int64_t first = chunk * kChunk; first < end; first += kBlock)
        run_block(Block<T>{Work::kEncode, options_.features, levels_[l], table, points + 3 * first,
                           static_cast<int>(std::min<std::int64_t>(kBlock, end - first)),
                           out + first * stride + l * options_.features, nullptr, stride, nullptr});
  });
}

template <typename T>
void HashGrid::backward(const T* table, const T* points, const T* d_out, std::int64_t count, T* d_table, T* d_points,
                        std::int64_t out_stride) const {
  const std::int64_t stride = out_stride > 0 ? out_stride : outputs();
  const auto block_at = [&](Work work, int l, std::int64_t first, std::int64_t end, T* gradient) {
    return Block<T>{work,
                    options_.features,
                    levels_[l],
                    table,
                    points + 3 * first,
                    static_cast<int>(std::min<std::int64_t>(kBlock, end - first)),
                    nullptr,
                    d_out + first * stride + l * options_.features,
                    stride,
                    gradient};
  };
  if (d_points != nullptr)
    parallel_for((count + kBlock - 1) / kBlock, 4, [&](std::int64_t block) {
      const std::int64_t first = block * kBlock;
      std::fill(d_points + 3 * first, d_points + 3 * std::min(count, first + kBlock), T(0));
      for (int l = 0; l < options_.levels; ++l)
        run_block(block_at(Work::kPoints, l, first, count, d_points + 3 * first));
    });
  if (d_table == nullptr) return;
    // A level is one thread's, and adds its points in their order.
#pragma omp parallel if (count > kAlone)
  for (std::int64_t chunk = 0; chunk < count; chunk += kChunk) {
    const std::int64_t end = std::min<std::int64_t>(count, chunk + kChunk);
#pragma omp for schedule(static, 1)
    for (int l = 0; l < options_.levels; ++l)
      for (std::int64_t first = chunk; first < end; first += kBlock)
        run_block(block_at(Work::kTable, l, first, end, d_table));
  }
}

template void HashGrid::encode(const float*, const float*, std::int64_t, float*, std::int64_t) const;
template void HashGrid::encode(const double*, const double*, std::int64_t, double*, std::int64_t) const;
template void HashGrid::backward(const float*, const float*, const float*, std::int64_t, float*, float*,
                                 std::int64_t) const;
template void HashGrid::backward(const double*, const double*, const double*, std::int64_t, double*, double*,
                                 std::int64_t) const;

}  // namespace mien
