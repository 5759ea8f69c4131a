// Part of the kernels: compositing of one tile, front to back, and its gradient. A tile is cut into blocks of 4 x
// (kLanes / 4) pixels, one vector each; a Gaussian visits only blocks that its ellipse touches and that are not yet
// full. Both directions make the same decisions with the same instructions, so nothing but the final image needs to be
// kept.

constexpr int kBlockHeight = kLanes / 4;
constexpr int kBlocks = kTilePixels / kLanes;
constexpr float kAlphaFloor = 1.0f / 255.0f;
constexpr float kAlphaCeiling = 0.999f;
constexpr float kTransmittanceStop = 1e-4f;
constexpr int kOpenCheck = 8;  // entries between two looks for blocks that have become full

// Pixels of one block: centres, transmittance (minus it once the pixel is full), and the picture so far.
struct Block {
  F x, y, transmittance, red, green, blue;
};
// The same for the way back: what lies behind adds `behind` to the loss; incoming gradients.
struct BackwardBlock {
  F x, y, transmittance, behind, d_red, d_green, d_blue;
};

// Centres, and transmittance 1, or minus 1 outside the picture. Returns the blocks with a pixel inside.
template <typename AnyBlock>
inline std::uint64_t clear_blocks(const View& view, int tile_x, int tile_y, AnyBlock* blocks) {
  alignas(64) float lane_x[kLanes], lane_y[kLanes];
  for (int l = 0; l < kLanes; ++l) {
    lane_x[l] = static_cast<float>(tile_x * kTileSize + l % 4) + 0.5f;
    lane_y[l] = static_cast<float>(tile_y * kTileSize + l / 4) + 0.5f;
  }
  const F right = set1(static_cast<float>(view.width)), bottom = set1(static_cast<float>(view.height));
  const F one = set1(1);
  std::uint64_t active = 0;
  for (int b = 0; b < kBlocks; ++b) {
    AnyBlock& block = blocks[b];
    block.x = load(lane_x) + static_cast<float>(4 * (b % 4));
    block.y = load(lane_y) + static_cast<float>(kBlockHeight * (b / 4));
    const M inside = both(gt(right, block.x), gt(bottom, block.y));
    block.transmittance = select(inside, one, -one);
    active |= static_cast<std::uint64_t>(any(inside)) << b;
  }
  return active;
}

// Where pixel (x, y) of a tile, x a multiple of 4, lies: block, and lane of the first of four.
inline int block_of(int x, int y) {
  return 4 * (y / kBlockHeight) + x / 4;
}
inline int lane_of(int y) {
  return 4 * (y % kBlockHeight);
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
// transmittance, so that they fail the test of the stop by themselves. `bounded`: opacity may exceed the ceiling.
struct Step {
  F dx, dy, raw, alpha, weight, after;  // weight = alpha times transmittance; after = the new transmittance
  M drawn;
};
template <bool bounded>
inline Step step(const Splat& g, F x, F y, F transmittance) {
  Step s;
  s.dx = g.u - x;
  s.dy = g.v - y;
  const F power = fma(s.dx, fma(g.xx, s.dx, g.xy * s.dy), fma(g.yy * s.dy, s.dy, g.log_opacity));
  s.raw = exp2(power);
  s.alpha = bounded ? min(s.raw, set1(kAlphaCeiling)) : s.raw;
  s.weight = s.alpha * transmittance;
  const F next = transmittance - s.weight;
  const M reached = ge(s.raw, set1(kAlphaFloor));
  s.drawn = gt(reached, next, set1(kTransmittanceStop));
  s.after = select(s.drawn, next, negative_where(reached, transmittance));
  return s;
}
inline bool may_exceed_ceiling(const Record& g) {
  return !(g.log_opacity < -0.0016f);
}  // 2^-0.0016 = 0.9989

// A macro because GCC drops calls of a function that only prefetches.
#define MIEN_PREFETCH(records, entries, i, count) \
  if ((i) + 8 < (count)) __builtin_prefetch((records) + (entries)[(i) + 8])

inline void write_tile(const TileForward& job, const Block* blocks) {
  const View& view = *job.view;
  const int x0 = job.tile_x * kTileSize, y0 = job.tile_y * kTileSize;
  const int columns = view.width - x0 < kTileSize ? view.width - x0 : kTileSize;
  const int rows = view.height - y0 < kTileSize ? view.height - y0 : kTileSize;
  for (int y = 0; y < rows; ++y) {
    const std::int64_t pixel = static_cast<std::int64_t>(y0 + y) * view.width + x0;
    for (int x = 0; x < columns; x += 4) {
      const Block& block = blocks[block_of(x, y)];
      const int lane = lane_of(y);
      const float* r = reinterpret_cast<const float*>(&block.red) + lane;
      const float* g = reinterpret_cast<const float*>(&block.green) + lane;
      const float* b = reinterpret_cast<const float*>(&block.blue) + lane;
      const float* a = reinterpret_cast<const float*>(&block.transmittance) + lane;  // by now 1 - transmittance
      if (x + 4 <= columns) {
        interleave4(r, g, b, job.rgb + 3 * (pixel + x));
        __builtin_memcpy(job.alpha + pixel + x, a, 4 * sizeof(float));
        continue;
      }
      for (int k = 0; x + k < columns; ++k) {
        float* out = job.rgb + 3 * (pixel + x + k);
        out[0] = r[k];
        out[1] = g[k];
        out[2] = b[k];
        job.alpha[pixel + x + k] = a[k];
      }
    }
  }
}

template <bool bounded>
inline void draw(const Splat& g, std::uint64_t touched, Block* blocks) {
  for (; touched != 0; touched &= touched - 1) {
    Block& block = blocks[__builtin_ctzll(touched)];
    const Step s = step<bounded>(g, block.x, block.y, block.transmittance);
    const F weight = keep(s.drawn, s.weight);  // not a masked sum: compilers make slow masked stores of it
    block.red = fma(weight, g.red, block.red);
    block.green = fma(weight, g.green, block.green);
    block.blue = fma(weight, g.blue, block.blue);
    block.transmittance = s.after;
  }
}

// Blocks in which some pixel is not yet full.
inline std::uint64_t open_blocks(const Block* blocks) {
  std::uint64_t open = 0;
  const F zero = set1(0);
  for (int b = 0; b < kBlocks; ++b) open |= static_cast<std::uint64_t>(any(gt(blocks[b].transmittance, zero))) << b;
  return open;
}

TileForwardResult forward(const TileForward& job) {
  Block blocks[kBlocks];
  std::uint64_t active = clear_blocks(*job.view, job.tile_x, job.tile_y, blocks);
  const F zero = set1(0);
  for (Block& block : blocks) block.red = block.green = block.blue = zero;
  const Corners corners = make_corners(job.tile_x, job.tile_y);
  TileForwardResult result = {job.count, 0};
  for (int i = 0; i < job.count; ++i) {
    MIEN_PREFETCH(job.records, job.entries, i, job.count);
    const Record& record = job.records[job.entries[i]];
    const std::uint64_t touched = touched_blocks(record, corners) & active;
    if (job.blocks != nullptr) job.blocks[i] = touched;
    if (touched != 0) {
      result.visits += static_cast<std::uint32_t>(__builtin_popcountll(touched));
      if (may_exceed_ceiling(record))
        draw<true>(broadcast(record), touched, blocks);
      else
        draw<false>(broadcast(record), touched, blocks);
    }
    if (i % kOpenCheck == kOpenCheck - 1) {
      active &= open_blocks(blocks);
      if (active == 0) {
        result.used = i + 1;
        break;
      }
    }
  }
  const float* background = job.view->background;
  for (int b = 0; b < kBlocks; ++b) {
    Block& block = blocks[b];
    const F left = abs(block.transmittance);
    block.red = fma(left, set1(background[0]), block.red);
    block.green = fma(left, set1(background[1]), block.green);
    block.blue = fma(left, set1(background[2]), block.blue);
    block.transmittance = set1(1) - left;
    if (job.kept == nullptr) continue;
    float* kept = job.kept + b * kLanes;
    store(kept, block.red);
    store(kept + kTilePixels, block.green);
    store(kept + 2 * kTilePixels, block.blue);
    store(kept + 3 * kTilePixels, left);
  }
  write_tile(job, blocks);
  return result;
}

// Incoming gradients of a tile, zero outside the picture, and from them what all Gaussians and the background add to
// the loss: colour times gradient, less the transmittance times that of alpha.
inline void read_gradients(const TileBackward& job, BackwardBlock* blocks) {
  const View& view = *job.view;
  alignas(64) float d_alpha[kTilePixels];
  for (int y = 0; y < kTileSize; ++y) {
    const std::int64_t row = static_cast<std::int64_t>(job.tile_y * kTileSize + y) * view.width;
    for (int x = 0; x < kTileSize; x += 4) {
      BackwardBlock& block = blocks[block_of(x, y)];
      const int lane = lane_of(y);
      float* r = reinterpret_cast<float*>(&block.d_red) + lane;
      float* g = reinterpret_cast<float*>(&block.d_green) + lane;
      float* b = reinterpret_cast<float*>(&block.d_blue) + lane;
      float* a = d_alpha + block_of(x, y) * kLanes + lane;
      const int column = job.tile_x * kTileSize + x;
      const int inside = job.tile_y * kTileSize + y < view.height ? view.width - column : 0;
      const float* pixel = job.d_rgb + 3 * (row + column);
      if (inside >= 4) {
        deinterleave4(pixel, r, g, b);
        if (job.d_alpha != nullptr)
          __builtin_memcpy(a, job.d_alpha + row + column, 4 * sizeof(float));
        else
          __builtin_memset(a, 0, 4 * sizeof(float));
        continue;
      }
      for (int k = 0; k < 4; ++k) {
        r[k] = k < inside ? pixel[3 * k] : 0.0f;
        g[k] = k < inside ? pixel[3 * k + 1] : 0.0f;
        b[k] = k < inside ? pixel[3 * k + 2] : 0.0f;
        a[k] = k < inside && job.d_alpha != nullptr ? job.d_alpha[row + column + k] : 0.0f;
      }
    }
  }
  for (int b = 0; b < kBlocks; ++b) {
    BackwardBlock& block = blocks[b];
    const float* kept = job.kept + b * kLanes;
    const F colour = fma(block.d_red, load(kept),
                         fma(block.d_green, load(kept + kTilePixels), block.d_blue * load(kept + 2 * kTilePixels)));
    block.behind = fnma(load(d_alpha + b * kLanes), load(kept + 3 * kTilePixels), colour);
  }
}

template <bool bounded>
inline void draw_backward(const Splat& g, std::uint64_t touched, BackwardBlock* blocks, float* partial) {
  const F zero = set1(0);
  F sums[9] = {zero, zero, zero, zero, zero, zero, zero, zero, zero};
  for (; touched != 0; touched &= touched - 1) {
    BackwardBlock& block = blocks[__builtin_ctzll(touched)];
    const F before = block.transmittance;
    const Step s = step<bounded>(g, block.x, block.y, before);
    block.transmittance = s.after;
    if (!any(s.drawn)) continue;
    const F weight = keep(s.drawn, s.weight);
    const F own = fma(block.d_red, g.red, fma(block.d_green, g.green, block.d_blue * g.blue));
    const F rest = fnma(weight, own, block.behind);
    const F d_alpha = fnma(rest, reciprocal(1.0f - s.alpha), before * own);
    const M smooth = bounded ? both(s.drawn, le(s.raw, set1(kAlphaCeiling))) : s.drawn;
    const F e = keep(smooth, s.alpha * d_alpha), ex = e * s.dx, ey = e * s.dy;
    block.behind = rest;
    sums[0] = sums[0] + e;
    sums[1] = sums[1] + ex;
    sums[2] = sums[2] + ey;
    sums[3] = fma(ex, s.dx, sums[3]);
    sums[4] = fma(ex, s.dy, sums[4]);
    sums[5] = fma(ey, s.dy, sums[5]);
    sums[6] = fma(weight, block.d_red, sums[6]);
    sums[7] = fma(weight, block.d_green, sums[7]);
    sums[8] = fma(weight, block.d_blue, sums[8]);
  }
  add_sums9(sums, partial);
}

void backward(const TileBackward& job) {
  if (job.used == 0) return;
  BackwardBlock blocks[kBlocks];
  clear_blocks(*job.view, job.tile_x, job.tile_y, blocks);
  read_gradients(job, blocks);
  for (int i = 0; i < job.used; ++i) {
    MIEN_PREFETCH(job.records, job.entries, i, job.used);
    if (i + 8 < job.used)
      __builtin_prefetch(job.partials + static_cast<std::int64_t>(job.entries[i + 8]) * kPartial, 1);
    if (job.blocks[i] == 0) continue;
    const Record& record = job.records[job.entries[i]];
    float* partial = job.partials + static_cast<std::int64_t>(job.entries[i]) * kPartial;
    if (may_exceed_ceiling(record))
      draw_backward<true>(broadcast(record), job.blocks[i], blocks, partial);
    else
      draw_backward<false>(broadcast(record), job.blocks[i], blocks, partial);
  }
}
