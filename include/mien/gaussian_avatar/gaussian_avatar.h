// The Gaussian avatar: Gaussians in the canonical (neutral) pose that follow the head model's surface.
//
// Each Gaussian hangs on up to four vertices. Every vertex k carries a frame D_k, the deformation gradient of the
// surface around it between the canonical and the present pose. A Gaussian with canonical mean m and anchors (k, w_k)
// goes to
//     x = sum_k w_k (v_k + D_k (m - c_k)),   D = sum_k w_k D_k,   covariance D S D^T
// with v_k the posed and c_k the canonical vertex (embedded deformation, Sumner et al. 2007). On the face the anchors
// are a triangle's corners with barycentric weights; hair and clothing hang on near vertices of the rigid parts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "mien/gaussian_avatar/appearances.h"
#include "mien/gaussian_avatar/colour_modes.h"
#include "mien/gaussian_avatar/g2anet.h"
#include "mien/head/head_motion.h"
#include "mien/splat/gaussians.h"

namespace mien {

constexpr int kAnchorCount = 4;

struct GaussianAnchor {
  std::array<std::int32_t, kAnchorCount> vertex = {};  // indices into the head model's vertices
  std::array<float, kAnchorCount> weight = {};         // sum 1; unused anchors have weight 0
};

// The vertices of a moment and the frames of the surface around them. Reusable; not thread-safe, uses all threads.
class SurfaceFrames {
 public:
  // `head` must outlive the object; its template is the canonical pose.
  explicit SurfaceFrames(const HeadModel& head);

  // From expression, offsets and pose; without `geometry` (G2aOptions::geometry()) from the pose alone.
  void update(const MotionFrame& frame, bool geometry = true);
  void update_vertices(const std::vector<Vec3>& posed);  // from world-space vertices [V]

  const std::vector<Vec3>& vertices() const { return vertices_; }  // [V] world
  // [V] the face moved, the head not: expression and offsets without the pose. Canonical after update_vertices().
  const std::vector<Vec3>& unposed() const { return unposed_; }
  const std::vector<Mat3>& deformation() const { return deformation_; }  // [V] D_k
  const std::vector<Vec3>& canonical() const { return head_->mesh.positions; }

  // What never changes, for other back ends: of each triangle the inverse of its canonical frame and its area, and the
  // triangles round each vertex (ring_begin [V+1] into ring).
  const std::vector<Mat3>& inverse_frames() const { return inverse_frame_; }
  const std::vector<float>& areas() const { return area_; }
  const std::vector<std::int32_t>& ring_begin() const { return ring_begin_; }
  const std::vector<std::int32_t>& ring() const { return ring_; }

 private:
  const HeadModel* head_;
  std::vector<Mat3> inverse_frame_;       // [F] inverse of the canonical triangle frame
  std::vector<float> area_;               // [F]
  std::vector<std::int32_t> ring_begin_;  // [V+1] into ring_: the triangles round each vertex
  std::vector<std::int32_t> ring_;
  std::vector<Vec3> vertices_, unposed_;
  std::vector<Mat3> face_deformation_;  // [F]
  std::vector<Mat3> deformation_;       // [V]
};

// A head model with its Gaussians. Value type.
struct GaussianAvatar {
  HeadModel head;                       // the person's: identity applied
  Gaussians gaussians;                  // canonical pose
  std::vector<GaussianAnchor> anchors;  // [N]
  ColourModes modes;                    // colour driven by the expression; may be empty
  G2aNet g2anet;                        // colour, rotation and opacity of the moment by networks; may be empty
  Appearances looks;                    // what tells its appearances apart; drawn only after dress()
  float pixel_filter = 0.3f;            // SplatOptions::eps2d that it was trained with, pixels^2
};

// How an avatar wants to be drawn.
SplatOptions splat_options(const GaussianAvatar& avatar);

// Posed means [N,3] and deformations [N,9] (row-major) of all Gaussians; the arrays are resized. `canonical` [N,3]: the
// canonical means of the moment; null = the avatar's.
void deform_gaussians(const GaussianAvatar& avatar, const SurfaceFrames& frames, std::vector<float>& means,
                      std::vector<float>& deformation, const float* canonical = nullptr);

// Draws an avatar, moment by moment. Holds activated values and scratch memory. Not thread-safe; uses all threads.
class GaussianRenderer {
 public:
  // `avatar` must outlive the renderer and not change.
  explicit GaussianRenderer(const GaussianAvatar& avatar);

  // rgb [H,W,3] over `options.background`, alpha [H,W]; caller-allocated.
  void render(const MotionFrame& frame, const Camera& camera, const SplatOptions& options, float* rgb, float* alpha);
  const SurfaceFrames& surface() const { return frames_; }

 private:
  const GaussianAvatar* avatar_;
  SurfaceFrames frames_;
  std::vector<float> scales_, opacities_, means_, deformation_;
  std::vector<float> sh_;       // of the present moment; empty where nothing changes the colour
  std::vector<float> quats_;    // the same
  std::vector<float> shifted_;  // [N,3] canonical means of the present moment; empty with geometry
  std::optional<G2aInference> g2anet_;
  SplatRasterizer rasterizer_;
};

}  // namespace mien
