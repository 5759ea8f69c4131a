// The head model: one topology, an identity space, an expression space with the 52 ARKit names first, joints, regions.
//
// Placement: metres, y up, neutral head looking along +z; the origin lies 80 mm behind the midpoint of the eyeball
// centres (about the middle of the skull). All parts are one vertex list, so that every part follows the same bases.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/geometry/mesh.h"
#include "mien/head/emotion.h"

namespace mien {

class SafetensorsFile;
class SafetensorsWriter;

// What a triangle is made of.
enum class HeadPart : std::uint8_t {
  kSkin,
  kEyeLeft,
  kEyeRight,
  kTeethUpper,
  kTeethLower,
  kGums,
  kTongue,
  kLashes,
  kBrows
};

// Where a vertex lies. kFace is all of the face that is not more closely named. Left and right are the person's own.
enum class HeadRegion : std::uint8_t {
  kFace,
  kUpperLip,
  kLowerLip,
  kUpperLidLeft,
  kLowerLidLeft,
  kUpperLidRight,
  kLowerLidRight,
  kNose,
  kForehead,
  kEyes,
  kTeeth,
  kTongue,
  kMouthInside,
  kScalp,
  kEars,
  kNeck,
  kShoulders,
  kBrows,
  kLashes
};
constexpr int kHeadRegionCount = 19;

enum class HeadJoint : int { kNeck, kHead, kEyeLeft, kEyeRight };  // neck turns first, head on top of it
constexpr int kHeadJointCount = 4;

// Expression order: the 52 names of Apple's ARKit (ARFaceAnchor.BlendShapeLocation), where tongueOut is one of the 52.
constexpr int kArkitCount = 52;
extern const std::array<const char*, kArkitCount> kArkitNames;  // "eyeBlinkLeft", ... in ARKit's documented order
int arkit_index(const std::string& name);                       // -1 when unknown

// Posed eyes: gaze as yaw (positive = to the person's left, +x) and pitch (positive = up), radians.
struct HeadPose {
  Quat head = Quat::Identity();             // rotation of the skull about the head joint, relative to the neck
  Quat neck = Quat::Identity();             // rotation about the neck joint, relative to the shoulders
  Quat root = Quat::Identity();             // rotation of everything, shoulders too, about the origin
  Vec3 translation = Vec3::Zero();          // of everything, metres, after the rotations
  std::array<float, 2> gaze_left = {0, 0};  // yaw, pitch
  std::array<float, 2> gaze_right = {0, 0};
};

// A point on the surface: triangle and barycentric weights (sum 1).
struct SurfacePoint {
  int face = 0;
  Vec3 barycentric = Vec3(1, 0, 0);
};

// Lines of vertices that measurements and contacts need (see measures.h). Pairs are {upper, lower}.
struct HeadContours {
  std::vector<std::array<int, 2>> lips;       // inner lip line, person's right corner to left: these meet when closed
  std::vector<std::array<int, 2>> lids_left;  // lid edges, inner to outer corner: these meet when the eye is shut
  std::vector<std::array<int, 2>> lids_right;
  std::vector<int> upper_teeth;                 // biting edge of the upper front teeth, right to left
  std::vector<int> lower_teeth;                 // and of the lower
  std::array<int, 2> mouth_corners = {-1, -1};  // outer corners: right, left
};

struct HeadModel {
  std::string id;                             // "makehuman-1", stable name of the topology
  TriangleMesh mesh;                          // the template [V], with UVs per part in that part's own texture
  std::vector<HeadPart> face_part;            // [F]
  std::vector<HeadRegion> region;             // [V]
  std::vector<std::string> identity_names;    // [I]
  std::vector<Vec3> identity;                 // [I * V], metres per unit
  std::vector<std::string> expression_names;  // [E], E >= 52, ARKit names first
  std::vector<Vec3> expression;               // [E * V], metres per unit
  std::array<Vec3, kHeadJointCount> joints;   // positions in the template
  std::vector<std::array<Vec3, kHeadJointCount>> joint_identity;  // [I]: how each mode moves the joints
  std::vector<std::array<float, 2>>
      skin_weights;                     // [V]: share that follows the neck joint, share that follows the head
                                        // joint (head <= neck: what follows the head follows the neck too)
  std::vector<SurfacePoint> landmarks;  // the 478 MediaPipe landmarks (may be empty)
  HeadContours contours;                // may be empty

  int vertex_count() const { return mesh.vertex_count(); }
  int identity_count() const { return static_cast<int>(identity_names.size()); }
  int expression_count() const { return static_cast<int>(expression_names.size()); }

  // Neutral geometry of one person: template + identity * weights. Weights shorter than I are padded with 0.
  // The result is a HeadModel with that template, moved joints, and no identity basis left.
  HeadModel with_identity(const std::vector<float>& weights) const;

  // Vertices [V] of an expression (weights [E]; may be shorter) with optional free offsets [V], head space (not posed).
  void deform(const float* weights, int weight_count, const Vec3* offsets, std::vector<Vec3>& out) const;
  // Applies gaze, then neck and head rotation with smooth weights, then root and translation. In place.
  void pose(const HeadPose& pose, std::vector<Vec3>& vertices) const;

  // Throws kNotFound, kBadFile (damaged, or indices and values that make no sense), kUnsupported (newer format).
  static HeadModel load(const std::filesystem::path& path);
  static HeadModel load(const SafetensorsFile& file, const std::string& prefix);  // tensors named prefix + "..."
  void save(SafetensorsWriter& writer, const std::string& prefix) const;
};

// Where the default head lies: $MIEN_HEAD, then share/mien/ beside the program, then cache_folder() (name:
// head.safetensors). Throws kNotFound with the mend when it is in none of them.
std::filesystem::path find_head_asset();

}  // namespace mien
