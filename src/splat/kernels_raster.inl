// Part of the kernels: compositing of one tile, front to back, and its gradient. A tile is cut into blocks of 4 x
// (kLanes / 4) pixels, one vector each; a Gaussian visits only blocks that its ellipse touches and that are not yet
// full. Both directions make the same decisions with the same instructions, so nothing but the final image needs to be
// kept.

constexpr int kBlockHeight = kLanes / 4;
constexpr int kBlocks = kTilePixels / kLanes;
constexpr float kAlphaFloor = 1.0f / 255.0f;
constexpr float kAlphaCeiling = 0.999f;
constexpr float kTransmittanceStop = 1e-4f;
constexpr std::uint64_t kAllBlocks = kBlocks == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (kBlocks % 64)) - 1;

// Pixel centres of every block of a tile.
struct Grid {
  F x[4];                         // by block column
  F y[kTileSize / kBlockHeight];  // by block row
};

inline Grid make_grid(int tile_x, int tile_y) {
  alignas(64) float lane_x[kLanes], lane_y[kLanes];
  for (int l = 0; l < kLanes; ++l) {
    lane_x[l] = static_cast<float>(tile_x * kTileSize + l % 4) + 0.5f;
    lane_y[l] = static_cast<float>(tile_y * kTileSize + l / 4) + 0.5f;
  }
  Grid grid;
  for (int i = 0; i < 4; ++i) grid.x[i] = load(lane_x) + static_cast<float>(4 * i);
  for (int i = 0; i < kTileSize / kBlockHeight; ++i) grid.y[i] = load(lane_y) + static_cast<float>(kBlockHeight * i);
  return grid;
}

// First pixel centre of each block, kLanes blocks a vector.
struct Corners {
  F x[kBlocks / kLanes], y[kBlocks / kLanes];
};

inline Corners make_corners(int tile_x, int tile_y) {
  Corners corners;
  alignas(64) float x[kLanes], y[kLanes];
  for (int i = 0; i < kBlocks / kLanes; ++i) {
    for (int l = 0; l < kLanes; ++l) {
      const int block = i * kLanes + l;
      x[l] = static_cast<float>(tile_x * kTileSize + 4 * (block % 4)) + 0.5f;
      y[l] = static_cast<float>(tile_y * kTileSize + kBlockHeight * (block / 4)) + 0.5f;
    }
    corners.x[i] = load(x);
    corners.y[i] = load(y);
  }
  return corners;
}

// Blocks in which some pixel centre may reach the alpha floor: the least of the quadratic over the block's rectangle
// lies at the centre if inside, else on one of the two edges that face it.
inline std::uint64_t touched_blocks(const Record& g, const Corners& corners) {
  const F zero = set1(0), u = set1(g.u), v = set1(g.v), xx = set1(g.xx), xy = set1(g.xy), yy = set1(g.yy);
  const F least = set1(-g.reach - 1e-3f);
  std::uint64_t out = 0;
  for (int i = 0; i < kBlocks / kLanes; ++i) {
    const F x_high = u - corners.x[i], x_low = x_high - 3.0f;
    const F y_high = v - corners.y[i], y_low = y_high - static_cast<float>(kBlockHeight - 1);
    const F near_x = min(max(zero, x_low), x_high), near_y = min(max(zero, y_low), y_high);
    const F best_y = min(max(near_x * g.slope_y, y_low), y_high), best_x = min(max(near_y * g.slope_x, x_low), x_high);
    const F on_x = fma(near_x, fma(xx, near_x, xy * best_y), yy * best_y * best_y);
    const F on_y = fma(best_x, fma(xx, best_x, xy * near_y), yy * near_y * near_y);
    out |= static_cast<std::uint64_t>(bits(ge(max(on_x, on_y), least))) << (i * kLanes);
  }
  return out;
}

// A Gaussian in registers.
struct Splat {
  F u, v, xx, xy, yy, log_opacity, red, green, blue;
};
inline Splat broadcast(const Record& g) {
  return {set1(g.u),           set1(g.v),   set1(g.xx),    set1(g.xy),  set1(g.yy),
          set1(g.log_opacity), set1(g.red), set1(g.green), set1(g.blue)};
}

// One Gaussian over one block: everything that both directions must agree on. Full pixels carry minus their
// transmittance, so that they fail the test of the stop by themselves.
struct Step {
  F dx, dy, raw, alpha, next;  // next = transmittance behind
  F weight;                    // alpha times transmittance where drawn, else 0
  M reached, drawn;
};
inline Step step(const Splat& g, F x, F y, F transmittance) {
  Step s;
  s.dx = g.u - x;
  s.dy = g.v - y;
  const F power = fma(s.dx, fma(g.xx, s.dx, g.xy * s.dy), fma(g.yy * s.dy, s.dy, g.log_opacity));
  s.raw = exp2(power);
  s.alpha = min(s.raw, set1(kAlphaCeiling));
  const F weight = s.alpha * transmittance;
  s.next = transmittance - weight;
  s.reached = ge(gt(transmittance, set1(0)), s.raw, set1(kAlphaFloor));
  s.drawn = gt(s.reached, s.next, set1(kTransmittanceStop));
  s.weight = keep(s.drawn, weight);
  return s;
}

// A macro because GCC drops calls of a function that only prefetches.
#define MIEN_PREFETCH(records, entries, i, count) \
  if ((i) + 8 < (count)) __builtin_prefetch((records) + (entries)[(i) + 8])

// Transmittance at the start: 1, or minus 1 outside the picture. Returns the blocks with a pixel inside.
inline std::uint64_t clear_transmittance(const View& view, int tile_x, int tile_y, float* transmittance) {
  const int right = view.width - tile_x * kTileSize, bottom = view.height - tile_y * kTileSize;
  const F one = set1(1);
  for (int i = 0; i < kTilePixels; i += kLanes) store(transmittance + i, one);
  if (right >= kTileSize && bottom >= kTileSize) return kAllBlocks;
  std::uint64_t active = 0;
  for (int b = 0; b < kBlocks; ++b)
    for (int l = 0; l < kLanes; ++l) {
      const int x = 4 * (b % 4) + l % 4, y = kBlockHeight * (b / 4) + l / 4;
      if (x < right && y < bottom)
        active |= std::uint64_t{1} << b;
      else
        transmittance[b * kLanes + l] = -1;
    }
  return active;
}

inline void write_tile(const TileForward& job, const float* r, const float* g, const float* b, const float* t) {
  const View& view = *job.view;
  const int x0 = job.tile_x * kTileSize, y0 = job.tile_y * kTileSize;
  const int columns = view.width - x0 < kTileSize ? view.width - x0 : kTileSize;
  const int rows = view.height - y0 < kTileSize ? view.height - y0 : kTileSize;
  for (int y = 0; y < rows; ++y) {
    const std::int64_t pixel = static_cast<std::int64_t>(y0 + y) * view.width + x0;
    for (int x = 0; x < columns; x += 4) {
      const int i = (4 * (y / kBlockHeight) + x / 4) * kLanes + 4 * (y % kBlockHeight);
      if (x + 4 <= columns) {
        interleave4(r + i, g + i, b + i, job.rgb + 3 * (pixel + x));
        __builtin_memcpy(job.alpha + pixel + x, t + i, 4 * sizeof(float));
        continue;
      }
      for (int k = 0; x + k < columns; ++k) {
        float* out = job.rgb + 3 * (pixel + x + k);
        out[0] = r[i + k];
        out[1] = g[i + k];
        out[2] = b[i + k];
        job.alpha[pixel + x + k] = t[i + k];
      }
    }
  }
}

TileForwardResult forward(const TileForward& job) {
  alignas(64) float t[kTilePixels], red[kTilePixels] = {}, green[kTilePixels] = {}, blue[kTilePixels] = {};
  std::uint64_t active = clear_transmittance(*job.view, job.tile_x, job.tile_y, t);
  const Grid grid = make_grid(job.tile_x, job.tile_y);
  const Corners corners = make_corners(job.tile_x, job.tile_y);
  TileForwardResult result = {job.count, 0};
  for (int i = 0; i < job.count; ++i) {
    MIEN_PREFETCH(job.records, job.entries, i, job.count);
    const Record& record = job.records[job.entries[i]];
    std::uint64_t touched = touched_blocks(record, corners) & active, drawn_on = 0;
    const Splat g = broadcast(record);
    for (; touched != 0; touched &= touched - 1) {
      const int b = __builtin_ctzll(touched);
      float* at = t + b * kLanes;
      const F before = load(at);
      const Step s = step(g, grid.x[b % 4], grid.y[b / 4], before);
      if (!any(s.reached)) continue;
      drawn_on |= std::uint64_t{1} << b;
      store(red + b * kLanes, fma(s.weight, g.red, load(red + b * kLanes)));
      store(green + b * kLanes, fma(s.weight, g.green, load(green + b * kLanes)));
      store(blue + b * kLanes, fma(s.weight, g.blue, load(blue + b * kLanes)));
      F after = select(s.drawn, s.next, before);
      const M stopped = without(s.reached, s.drawn);
      if (any(stopped)) {
        after = select(stopped, -before, after);
        if (!any(gt(after, set1(0)))) active &= ~(std::uint64_t{1} << b);
      }
      store(at, after);
    }
    result.visits += static_cast<std::uint32_t>(__builtin_popcountll(drawn_on));
    if (job.blocks != nullptr) job.blocks[i] = drawn_on;
    if (active == 0) {
      result.used = i + 1;
      break;
    }
  }
  const float* background = job.view->background;
  for (int i = 0; i < kTilePixels; i += kLanes) {
    const F left = abs(load(t + i));
    store(red + i, fma(left, set1(background[0]), load(red + i)));
    store(green + i, fma(left, set1(background[1]), load(green + i)));
    store(blue + i, fma(left, set1(background[2]), load(blue + i)));
    if (job.kept != nullptr) {
      store(job.kept + i, load(red + i));
      store(job.kept + kTilePixels + i, load(green + i));
      store(job.kept + 2 * kTilePixels + i, load(blue + i));
      store(job.kept + 3 * kTilePixels + i, left);
    }
    store(t + i, set1(1) - left);
  }
  write_tile(job, red, green, blue, t);
  return result;
}

// Incoming gradients of a tile in block order: r, g, b, alpha; zero outside the picture.
inline void read_gradients(const TileBackward& job, float* r, float* g, float* b, float* a) {
  const View& view = *job.view;
  for (int y = 0; y < kTileSize; ++y) {
    const std::int64_t row = static_cast<std::int64_t>(job.tile_y * kTileSize + y) * view.width;
    for (int x = 0; x < kTileSize; x += 4) {
      const int i = (4 * (y / kBlockHeight) + x / 4) * kLanes + 4 * (y % kBlockHeight);
      const int column = job.tile_x * kTileSize + x;
      const int inside = job.tile_y * kTileSize + y < view.height ? view.width - column : 0;
      if (inside >= 4) {
        deinterleave4(job.d_rgb + 3 * (row + column), r + i, g + i, b + i);
        for (int k = 0; k < 4; ++k) a[i + k] = job.d_alpha != nullptr ? job.d_alpha[row + column + k] : 0.0f;
        continue;
      }
      for (int k = 0; k < 4; ++k) {
        const float* pixel = job.d_rgb + 3 * (row + column + k);
        r[i + k] = k < inside ? pixel[0] : 0.0f;
        g[i + k] = k < inside ? pixel[1] : 0.0f;
        b[i + k] = k < inside ? pixel[2] : 0.0f;
        a[i + k] = k < inside && job.d_alpha != nullptr ? job.d_alpha[row + column + k] : 0.0f;
      }
    }
  }
}

void backward(const TileBackward& job) {
  if (job.used == 0) return;
  alignas(64) float t[kTilePixels], behind[kTilePixels];
  alignas(64) float d_red[kTilePixels], d_green[kTilePixels], d_blue[kTilePixels], d_alpha[kTilePixels];
  clear_transmittance(*job.view, job.tile_x, job.tile_y, t);
  read_gradients(job, d_red, d_green, d_blue, d_alpha);
  // `behind`: what all Gaussians not yet passed, and the background, add to the loss.
  for (int i = 0; i < kTilePixels; i += kLanes) {
    const float* kept = job.kept + i;
    F sum = load(d_red + i) * load(kept);
    sum = fma(load(d_green + i), load(kept + kTilePixels), sum);
    sum = fma(load(d_blue + i), load(kept + 2 * kTilePixels), sum);
    store(behind + i, fnma(load(d_alpha + i), load(kept + 3 * kTilePixels), sum));
  }
  const Grid grid = make_grid(job.tile_x, job.tile_y);
  const F zero = set1(0);
  for (int i = 0; i < job.used; ++i) {
    std::uint64_t touched = job.blocks[i];
    MIEN_PREFETCH(job.records, job.entries, i, job.used);
    if (i + 8 < job.used)
      __builtin_prefetch(job.partials + static_cast<std::int64_t>(job.entries[i + 8]) * kPartial, 1);
    if (touched == 0) continue;
    const Splat g = broadcast(job.records[job.entries[i]]);
    float* partial = job.partials + static_cast<std::int64_t>(job.entries[i]) * kPartial;
    F sums[9] = {zero, zero, zero, zero, zero, zero, zero, zero, zero};
    for (; touched != 0; touched &= touched - 1) {
      const int b = __builtin_ctzll(touched), at = b * kLanes;
      const F before = load(t + at);
      const Step s = step(g, grid.x[b % 4], grid.y[b / 4], before);
      const F dr = load(d_red + at), dg = load(d_green + at), db = load(d_blue + at);
      const F own = fma(dr, g.red, fma(dg, g.green, db * g.blue));
      const F rest = fnma(s.weight, own, load(behind + at));
      const F d_a = fnma(rest, reciprocal(1.0f - s.alpha), before * own);
      const F e = keep(both(s.drawn, le(s.raw, set1(kAlphaCeiling))), s.alpha * d_a);
      const F ex = e * s.dx, ey = e * s.dy;
      sums[0] = sums[0] + e;
      sums[1] = sums[1] + ex;
      sums[2] = sums[2] + ey;
      sums[3] = fma(ex, s.dx, sums[3]);
      sums[4] = fma(ex, s.dy, sums[4]);
      sums[5] = fma(ey, s.dy, sums[5]);
      sums[6] = fma(s.weight, dr, sums[6]);
      sums[7] = fma(s.weight, dg, sums[7]);
      sums[8] = fma(s.weight, db, sums[8]);
      store(behind + at, rest);
      store(t + at, select(s.drawn, s.next, select(s.reached, -before, before)));
    }
    add_sums9(sums, partial);
  }
}
