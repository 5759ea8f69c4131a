#include "field_avatar/cuda/field_pass.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cmath>

#include "cuda/check.h"
#include "field_avatar/moment.h"
#include "mien/base/error.h"

namespace mien {

using namespace field_cuda;

namespace {

constexpr float kSlack = 0.002f;  // metres, as on the CPU

template <typename T>
std::vector<T> flat(const std::vector<Eigen::Matrix<T, 3, 1>>& points) {
  std::vector<T> out;
  for (const auto& p : points) out.insert(out.end(), p.data(), p.data() + 3);
  return out;
}

// Nodes by their depth, the deepest first: children come before their parents.
void sort_by_level(const std::vector<tree::Node>& nodes, std::vector<int>& level, std::vector<int>& begin) {
  std::vector<int> depth(nodes.size(), 0);
  int deepest = 0;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    deepest = std::max(deepest, depth[n]);
    if (nodes[n].count > 0) continue;
    depth[n + 1] = depth[static_cast<std::size_t>(nodes[n].first)] = depth[n] + 1;
  }
  for (int d = deepest; d >= 0; --d) {
    begin.push_back(static_cast<int>(level.size()));
    for (std::size_t n = 0; n < nodes.size(); ++n)
      if (depth[n] == d) level.push_back(static_cast<int>(n));
  }
  begin.push_back(static_cast<int>(level.size()));
}

}  // namespace

CudaFieldPass::CudaFieldPass(const FieldAvatar& avatar, const FieldPassOptions& options, CudaStream stream)
    : shape_(field_shape(avatar)),
      settings_(avatar.settings),
      options_(options),
      stream_(stream),
      canonical_(avatar.head),
      grid_(avatar.settings.grid, {.deterministic = options.deterministic}),
      density_net_(shape_.density),
      offset_net_(shape_.offset),
      colour_net_(shape_.colour) {
  upload_head();
  set_reach(avatar.reach);
  const auto slots = static_cast<std::size_t>(options.most_moments);
  int blocks = 1;
  while (blocks * blocks * blocks < options.most_moments) ++blocks;
  const auto side = static_cast<std::size_t>(blocks) * kCells;
  nodes_.resize(slots * topology_.size());
  turns_.resize(slots * static_cast<std::size_t>(canonical_.vertex_count()) * 9);
  moment_cells_.resize(slots * kCells * kCells * kCells);
  bits_.resize((side * side * side + 31) / 32);
  moment_.resize(slots);
  condition_.resize(slots * static_cast<std::size_t>(std::max(1, condition())));
  moments_.blocks = blocks;
  moments_.moments = moment_.data();
  moments_.nodes = nodes_.data();
  moments_.turns = turns_.data();
  moments_.cells = moment_cells_.data();
  moments_.bits = bits_.data();
  const auto rays = static_cast<std::size_t>(options.rays);
  origins_.resize(rays * 3);
  directions_.resize(rays * 3);
  spans_.resize(rays * 2);
  world_.resize(rays * 3);
  surface_.resize(rays);
  bare_rays_.resize(rays);
  rays_ = {0,
           1,
           nullptr,
           0,
           origins_.data(),
           directions_.data(),
           spans_.data(),
           world_.data(),
           surface_.data(),
           bare_rays_.data()};
  density_net_.reserve(options.most_moments);
  offset_net_.reserve(options.most_moments);
  colour_net_.reserve(1);
  make_room(options.marched, options.kept);
}

void CudaFieldPass::upload_head() {
  const NearestTriangle tree(canonical_.positions(), canonical_.faces());
  const carry::Rest rest = canonical_.rest();
  const auto faces = static_cast<std::size_t>(canonical_.faces().size());
  const auto vertices = static_cast<std::size_t>(canonical_.vertex_count());
  canonical_positions_ = flat(canonical_.positions());
  faces_ = flat(canonical_.faces());
  frames_ = std::vector<float>(rest.frames, rest.frames + faces * 9);
  areas_ = std::vector<float>(rest.areas, rest.areas + faces);
  ring_begin_ = std::vector<int>(rest.ring_begin, rest.ring_begin + vertices + 1);
  ring_ = std::vector<int>(rest.ring, rest.ring + faces * 3);
  order_ = tree.order();
  topology_ = tree.nodes();
  std::vector<int> level, begin;
  sort_by_level(tree.nodes(), level, begin);
  level_ = level;
  level_begin_ = begin;
  bare_ = std::vector<std::uint8_t>(canonical_.in_face().begin(), canonical_.in_face().end());
  head_ = {{static_cast<int>(vertices), canonical_positions_.data(), faces_.data(), frames_.data(), areas_.data(),
            ring_begin_.data(), ring_.data()},
           static_cast<int>(faces),
           order_.data(),
           static_cast<int>(topology_.size()),
           topology_.data(),
           level_.data(),
           level_begin_.data(),
           static_cast<int>(begin.size()) - 1,
           bare_.data()};
}

void CudaFieldPass::set_reach(const std::vector<float>& reach) {
  MIEN_CHECK(reach.size() == canonical_.faces().size(), "reach of {} of {} faces", reach.size(),
             canonical_.faces().size());
  cuda_synchronize(stream_);
  reach_ = reach;
  most_reach_ = reach.empty() ? 0 : *std::max_element(reach.begin(), reach.end());
  moments_.reach = reach_.data();
}

void CudaFieldPass::make_room(std::int64_t marched, std::int64_t kept) {
  cuda_synchronize(stream_);
  marched_.reserve(options_.rays, marched);
  kept_.reserve(options_.rays, kept);
  const auto m = static_cast<std::size_t>(marched), n = static_cast<std::size_t>(kept);
  found_.resize(m, "samples of rays");
  keep_.resize(m, "samples of rays");
  const auto encoding = static_cast<std::size_t>(shape_.grid.outputs());
  points_.resize(n * 3, "samples of rays");
  seen_.resize(n * kSeenWidth, "samples of rays");
  weight_.resize(n * 3, "samples of rays");
  row_.resize(n * 3, "samples of rays");
  group_.resize(n, "samples of rays");
  cell_.resize(n, "samples of rays");
  encoded_.resize(n * encoding, "samples of rays");
  offset_.resize(n * kFieldFeatures, "samples of rays");
  density_.resize(n, "samples of rays");
  colour_.resize(n * 3, "samples of rays");
  if (!options_.learns) return;
  d_density_.resize(n, "gradients of samples");
  d_colour_.resize(n * 3, "gradients of samples");
  d_seen_.resize(n * kSeenWidth, "gradients of samples");
  d_features_.resize(n * kFieldFeatures, "gradients of samples");
  d_offset_.resize(n * kFieldLatent, "gradients of samples");
  d_encoded_.resize(n * encoding, "gradients of samples");
}

bool CudaFieldPass::had_room() {
  const std::int64_t marched = marched_.wanted(stream_), kept = kept_.wanted(stream_);
  const std::int64_t room = marched_.samples().capacity, room_kept = kept_.samples().capacity;
  if (marched <= room && kept <= room_kept) return true;
  make_room(std::max(room, marched + marched / 4), std::max(room_kept, kept + kept / 4));
  return false;
}

void CudaFieldPass::set_moments(const std::vector<FieldView>& views, const std::vector<float>& conditions) {
  std::vector<Moment> host;
  const float reach = most_reach_ + kSlack;
  for (const FieldView& view : views) {
    Moment m = {};
    m.posed = view.posed;
    const Vec3 centre = view.camera.centre();
    const Mat3 to_world = view.camera.world_to_camera.topLeftCorner<3, 3>().transpose();
    for (int k = 0; k < 9; ++k) m.to_world[k] = to_world(k / 3, k % 3);
    const Vec3 low = view.low - Vec3::Constant(reach), high = view.high + Vec3::Constant(reach);
    m.cube.side = (high - low).maxCoeff();
    for (int k = 0; k < 3; ++k) {
      m.origin[k] = centre[k];
      m.low[k] = low[k];
      m.high[k] = high[k];
      m.cube.low[k] = (low[k] + high[k] - m.cube.side) / 2;
    }
    m.fx = view.camera.fx;
    m.fy = view.camera.fy;
    m.cx = view.camera.cx;
    m.cy = view.camera.cy;
    m.width = view.camera.width;
    m.height = view.camera.height;
    m.first_row = view.first_row;
    host.push_back(m);
  }
  moments_.count = static_cast<int>(views.size());
  const auto copy = [this](void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "copying moments");
  };
  copy(moment_.data(), host.data(), host.size() * sizeof(Moment));
  copy(condition_.data(), conditions.data(), conditions.size() * sizeof(float));
  prepare_moments(head_, moments_, stream_);
  cuda_check(cudaGetLastError(), "moving heads");
}

void CudaFieldPass::aim(int each, const std::int64_t* pixels, std::int64_t first_pixel) {
  rays_.count = std::int64_t{each} * moments_.count;
  rays_.rays_each = each;
  rays_.pixels = pixels;
  rays_.first_pixel = first_pixel;
  aim_rays(head_, moments_, rays_, stream_);
}

void CudaFieldPass::gather(const OccupancyView& occupied, const Gather& options, const float* latents) {
  const RayBatch batch = {rays_.count, rays_.origins, rays_.directions, rays_.spans};
  marched_.march({bits_.data(), moments_.blocks * kCells}, batch,
                 {.step = options.step, .jitter = options.jitter, .seed = options.seed}, stream_);
  const DeviceSamples& all = marched_.samples();
  const Search search = {canonical_cube(canonical_, settings_.limit), occupied, settings_.limit, options.explore,
                         options.seed};
  place_samples(head_, moments_, rays_, {all.capacity, all.total, all.t, all.ray}, all.first, search, found_.data(),
                keep_.data(), stream_);
  kept_.compact(all, keep_.data(), stream_);
  const DeviceSamples& some = kept_.samples();
  gather_samples(head_, moments_, rays_, kept(), some.from, found_.data(), shape_.has_latents ? latents : nullptr,
                 shape_.rows > 1, occupied.resolution, seen(), stream_);
  cuda_check(cudaGetLastError(), "gathering samples");
}

Packed CudaFieldPass::kept() const {
  const DeviceSamples& s = kept_.samples();
  return {s.capacity, s.total, s.t, s.ray};
}

Seen CudaFieldPass::seen() const {
  return {points_.data(), seen_.data(), row_.data(), weight_.data(), group_.data(), cell_.data()};
}

MlpBatch<float> CudaFieldPass::batch(const float* x, std::int64_t stride, bool shared) const {
  MlpBatch<float> out;
  out.x = x;
  out.x_stride = stride;
  if (shared) {
    out.shared = condition_.data();
    out.groups = moments_.count;
    out.group = group_.data();
  }
  return out;
}

void CudaFieldPass::forward(const DeviceFieldParameters& p) {
  grid_.encode(p.table, points_.data(), count(), encoded_.data(), 0, stream_);
  density_net_.forward(p.density, batch(encoded_.data(), 0, true), count(), seen_.data(), kSeenWidth, stream_);
  if (shape_.has_offset)
    offset_net_.forward(p.offset, batch(seen_.data() + kFieldFeatures + kFieldDirection, kSeenWidth, true), count(),
                        offset_.data(), 0, stream_);
  finish_density(kept(), seen_.data(), shape_.has_offset ? offset_.data() : nullptr, density_.data(), stream_);
  colour_net_.forward(p.colour, batch(seen_.data(), kSeenWidth, false), count(), colour_.data(), 0, stream_);
  finish_colour(kept(), colour_.data(), stream_);
  cuda_check(cudaGetLastError(), "asking the field");
}

void CudaFieldPass::composite(float* rgb, float* depth, float* opacity) {
  const DeviceSamples& s = kept_.samples();
  cuda_composite({rays_.count, s.first, s.count, s.t, s.dt, density_.data(), colour_.data()},
                 {rgb, depth, opacity, nullptr}, stream_);
}

void CudaFieldPass::backward(const DeviceFieldParameters& p, const float* rgb, const float* depth, const float* opacity,
                             const float* d_rgb, const float* d_depth, const float* d_opacity,
                             const DeviceFieldParameters& gradients, unsigned long long* d_latents) {
  const DeviceSamples& s = kept_.samples();
  const CompositeOutput<float> output = {const_cast<float*>(rgb), const_cast<float*>(depth),
                                         const_cast<float*>(opacity), nullptr};
  cuda_composite_backward({rays_.count, s.first, s.count, s.t, s.dt, density_.data(), colour_.data()}, output,
                          {d_rgb, d_depth, d_opacity, nullptr, d_density_.data(), d_colour_.data()}, stream_);
  begin_colour(kept(), colour_.data(), d_colour_.data(), stream_);
  MlpGradients<float> of;
  of.weights = gradients.colour;
  of.x = d_seen_.data();
  colour_net_.backward(p.colour, batch(seen_.data(), kSeenWidth, false), count(), d_colour_.data(), of, 0, stream_);
  begin_density(kept(), seen_.data(), density_.data(), d_density_.data(), d_seen_.data(), d_features_.data(), stream_);
  if (shape_.has_offset) {
    of.weights = gradients.offset;
    of.x = d_offset_.data();
    offset_net_.backward(p.offset, batch(seen_.data() + kFieldFeatures + kFieldDirection, kSeenWidth, true), count(),
                         d_features_.data(), of, 0, stream_);
  }
  of.weights = gradients.density;
  of.x = d_encoded_.data();
  density_net_.backward(p.density, batch(encoded_.data(), 0, true), count(), d_features_.data(), of, 0, stream_);
  grid_.backward(p.table, points_.data(), d_encoded_.data(), count(), gradients.table, nullptr, 0, stream_);
  if (shape_.has_latents)
    scatter_latents(kept(), seen(), d_seen_.data(), shape_.has_offset ? d_offset_.data() : nullptr, d_latents, stream_);
  cuda_check(cudaGetLastError(), "gradients of the field");
}

}  // namespace mien
