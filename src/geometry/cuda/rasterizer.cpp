#include <cuda_runtime_api.h>

#include "cuda/check.h"
#include "geometry/cuda/raster.h"
#include "geometry/screen.h"
#include "mien/base/error.h"
#include "mien/geometry/cuda.h"

namespace mien {

struct CudaMeshRasterizer::Impl {
  CudaArray<std::int32_t> faces;
  CudaArray<raster::Triangle> triangles, pieces;
  CudaArray<raster::Pieces> clipped;
  CudaArray<raster::Point> weights;
  CudaArray<int> large, piece_face, counts;
  CudaMemory keys;
  int count = 0;
};

CudaMeshRasterizer::CudaMeshRasterizer(std::span<const Index3> faces, int vertices) {
  if (!cuda_missing().empty()) throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU");
  std::vector<std::int32_t> flat;
  flat.reserve(faces.size() * 3);
  for (const Index3& f : faces) {
    MIEN_CHECK(f.minCoeff() >= 0 && f.maxCoeff() < vertices, "face {} {} {} of {} vertices", f[0], f[1], f[2],
               vertices);
    flat.insert(flat.end(), {f[0], f[1], f[2]});
  }
  impl_ = std::make_unique<Impl>();
  Impl& s = *impl_;
  s.count = static_cast<int>(faces.size());
  const std::size_t whole = faces.size(), most = whole * raster::kMostPieces;
  s.counts.resize(2);
  if (whole == 0) return;
  s.faces = flat;
  s.triangles.resize(whole);
  s.clipped.resize(whole);
  s.pieces.resize(most);
  s.weights.resize(most * 3);
  s.piece_face.resize(most);
  s.large.resize(whole + most);
}
CudaMeshRasterizer::~CudaMeshRasterizer() = default;
CudaMeshRasterizer::CudaMeshRasterizer(CudaMeshRasterizer&&) noexcept = default;
CudaMeshRasterizer& CudaMeshRasterizer::operator=(CudaMeshRasterizer&&) noexcept = default;

void CudaMeshRasterizer::rasterise(const float* positions, const Camera& camera, const RasterOptions& options,
                                   const CudaRasterTarget& target, CudaStream stream) {
  Impl& s = *impl_;
  raster::Draw d = {};
  d.screen = raster::make_screen(camera, options);
  s.keys.reserve(static_cast<std::size_t>(d.screen.width) * d.screen.height * sizeof(std::uint64_t),
                 "the keys of a picture");
  for (int k = 0; k < 12; ++k) d.world_to_camera[k] = camera.world_to_camera(k / 4, k % 4);
  d.faces = s.count;
  d.face = s.faces.data();
  d.positions = positions;
  d.triangles = s.triangles.data();
  d.clipped = s.clipped.data();
  d.pieces = s.pieces.data();
  d.weights = s.weights.data();
  d.large = s.large.data();
  d.piece_face = s.piece_face.data();
  d.counts = s.counts.data();
  d.keys = static_cast<std::uint64_t*>(s.keys.data());
  d.depth = target.depth;
  d.out_face = target.face;
  d.barycentric = target.barycentric;
  raster::draw(d, stream);
  cuda_check(cudaGetLastError(), "drawing a mesh");
}

void rasterise_cuda(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
                    const RasterOptions& options, RasterBuffer& out) {
  const raster::Screen screen = raster::make_screen(camera, options);
  CudaMeshRasterizer rasterizer(faces, static_cast<int>(positions.size()));
  out.width = screen.width;
  out.height = screen.height;
  out.supersample = options.supersample;
  const std::size_t samples = static_cast<std::size_t>(screen.width) * screen.height;
  CudaArray<float> points(positions.size() * 3), depth(samples), weights(options.barycentrics ? 2 * samples : 0);
  CudaArray<std::int32_t> face(samples);
  static_assert(sizeof(Vec3) == 3 * sizeof(float) && sizeof(Vec2) == 2 * sizeof(float));
  cuda_upload(points.data(), positions.data(), positions.size() * sizeof(Vec3));
  rasterizer.rasterise(points.data(), camera, options,
                       {depth.data(), face.data(), options.barycentrics ? weights.data() : nullptr}, nullptr);
  cuda_synchronize(nullptr);
  out.depth = depth.host();
  out.face = face.host();
  out.barycentric.resize(options.barycentrics ? samples : 0);
  cuda_download(out.barycentric.data(), weights.data(), out.barycentric.size() * sizeof(Vec2));
}

}  // namespace mien
