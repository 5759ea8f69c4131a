// G2ANet, EmoTalk3D's geometry to appearance: small networks that give every Gaussian of face and mouth the look of the
// moment.
//
// Wrinkles and folds come with an expression and an emotion, and no geometry of ours has them. From
//     the canonical value, the emotion, the encoded place on the skin, and the displacement dm
// FeatureNet (4 layers) gives a residual of the colour and, if wanted, of the opacity; RotationNet (2 layers) gives a
// residual of the rotation. dm is how far the moving face carries the Gaussian from its canonical place, before the
// head is posed, less the mean over face and mouth. All last layers start at zero, so that training starts at the
// canonical avatar. The residuals come on top of the colour modes (colour_modes.h).
//
// Chosen for two processor cores: 32 wide, colour up to SH degree 1 (12 of the paper's 48 values; shading that comes
// and goes is smooth in direction). What does not change between frames goes through the first layer once, when an
// avatar is opened: a frame costs 3.4 k multiplications a Gaussian.
//
// Without geometry (the paper's ablation "w/o geometry") the sound takes the place of the displacement: features of the
// moment, the same for all Gaussians, of which the networks make colour, rotation and position. The surface follows the
// pose of the head only, and RotationNet gives a shift beside the turn. A frame without sound is the canonical avatar.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "mien/head/emotion.h"
#include "mien/head/head_model.h"

namespace mien {

struct GaussianAvatar;
struct MotionFrame;

struct G2aOptions {
  int width = 32;                // of the hidden layers, 1 to 256
  int frequencies = 6;           // of the encoded place: sine and cosine of 2^k pi u, k below this; 0 to 12
  bool feature_net = true;       // without it the colour stays canonical
  bool emotion = true;           // without it the networks do not see the emotion
  bool dynamic_opacity = false;  // FeatureNet also moves the opacity (the paper does not); needs feature_net
  int sound = 0;                 // features of the sound that the networks see instead of geometry; 0: geometry

  bool geometry() const { return sound == 0; }
};

constexpr int kG2aMostSound = 4096;
constexpr int kG2aColours = 12;  // FeatureNet's colour outputs: SH degrees 0 and 1, RGB

// y = W x + b, then max(y, y / 10) (a leaky ReLU: no unit dies) except after a network's last layer.
struct G2aLayer {
  std::string name;  // "feature.0"
  int inputs = 0, outputs = 0;
  std::vector<float> weight;  // [out, in], LibTorch's layout
  std::vector<float> bias;    // [out]
};

struct G2aNet {
  G2aOptions options;
  std::vector<std::int32_t> gaussian;  // [K] ascending: the Gaussians that follow the networks; empty = no networks
  std::vector<G2aLayer> feature;       // 4; none without feature_net
  std::vector<G2aLayer> rotation;      // 2; 3 outputs: the turn, and 3 more without geometry: the shift in centimetres
  std::string hears;                   // without geometry: which features of the sound (SoundContext::name())

  bool empty() const { return gaussian.empty(); }
};

// Inputs, in this order: canonical value (48 SH values, or the unit quaternion's 4), emotion (8), sound (none with
// geometry), place (2 + 4 F + parts), displacement (3, centimetres; none without geometry).
constexpr int kG2aPartCount = 9;  // HeadPart, one-hot: textures of parts overlap
constexpr int kG2aFeatureCanonical = 48, kG2aRotationCanonical = 4;
// The emotion goes in less the neutral one, so that a neutral face is all zeros and an emotion that training never saw,
// whose weights start at zero, changes nothing.
EmotionVector g2a_emotion(const EmotionVector& emotion);
int g2a_place_count(const G2aOptions& options);
inline int g2a_displacement_count(const G2aOptions& options) {
  return options.geometry() ? 3 : 0;
}
inline int g2a_rotation_outputs(const G2aOptions& options) {
  return options.geometry() ? 3 : 6;
}
constexpr float kG2aShift = 0.01f;  // metres of a Gaussian's canonical mean for each unit of the shift

// Whether the networks have anything to say of a frame: not without geometry and sound. Throws kBadArgument for
// another number of features than they hear.
bool g2a_speaks_of(const G2aNet& net, const MotionFrame& frame);

// The layers of those options without values: all weights and biases zero. Throws kBadArgument for options out of
// range.
void make_g2a_layers(G2aNet& net);

// New networks for the Gaussians of the face and the mouth: He et al. 2015's random weights, last layers and the
// weights of the emotion zero.
G2aNet make_g2anet(const GaussianAvatar& avatar, const G2aOptions& options, std::uint64_t seed);

// Encoded places [K, g2a_place_count()]: the UV of the triangle a Gaussian lies on (without UVs: angle and height),
// its encoding, and the part.
std::vector<float> g2a_places(const GaussianAvatar& avatar);

// Displacements [K,3] in centimetres, less the mean of the vertices of face and mouth. `unposed` [V]: see
// SurfaceFrames::unposed().
void g2a_displacements(const GaussianAvatar& avatar, const std::vector<Vec3>& unposed, std::vector<float>& out);

// Unit length, and w >= 0: q and -q are one rotation.
std::array<float, 4> unit_quaternion(const float* q);

// q + q (0, r) / 2: the quaternion q (w,x,y,z) turned a little by r (radians, in the Gaussian's own axes), not
// normalised.
std::array<float, 4> turn_quaternion(const float* q, const float* r);

// Draws the networks' conclusions, frame by frame. Not thread-safe; uses all threads.
class G2aInference {
 public:
  // `avatar` must outlive the object and not change.
  explicit G2aInference(const GaussianAvatar& avatar);

  // Adds colour to sh [N,16,3], and writes the quaternions [N,4] and opacities [N] of the networks' Gaussians, without
  // geometry also their canonical means [N,3] (with geometry `means` may be null). Opacities stay as they are without
  // dynamic_opacity. Of `frame` emotion and sound are used. Only for a frame of which g2a_speaks_of() is true.
  void apply(const std::vector<Vec3>& unposed, const MotionFrame& frame, float* sh, float* quats, float* opacities,
             float* means = nullptr);

 private:
  struct Stack {                                    // one network, rows padded to whole vectors
    std::vector<float> fixed;                       // [K,width] the first layer of what never changes, with its bias
    std::vector<float> moving;                      // [3,width] the first layer's columns of the displacement, if any
    std::vector<float> emotion;                     // [8,width] and of the emotion,
    std::vector<float> sound;                       // [sound,width] and of the sound
    std::vector<std::vector<float>> columns, bias;  // the other layers
    std::vector<int> inputs, outputs;
  };
  static Stack make_stack(const std::vector<G2aLayer>& layers, const G2aOptions& options,
                          const std::vector<float>& canonical, int canonical_count, const std::vector<float>& places,
                          std::size_t count);
  const GaussianAvatar* avatar_;
  Stack feature_, rotation_;
  std::vector<float> displacement_;
};

}  // namespace mien
