// What a person's face looks like in one video: the colour of each sample of the skin, and the light on it.
//
// Seen colour = gain(frame) * albedo(sample) * light(normal), the light in spherical harmonics of order 2 (9
// coefficients a colour; Ramamoorthi and Hanrahan 2001), fixed to the camera. In the file's own colours (sRGB).
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "track/fit/face_picture.h"
#include "track/fit/face_samples.h"

namespace mien::fit {

using Colours = Eigen::Matrix<double, 3, Eigen::Dynamic>;

struct Appearance {
  Colours albedo;                     // [3, K]
  Eigen::VectorXd trust;              // [K] 1 / mean square of what it leaves unexplained; 0 = too rarely seen
  Eigen::Matrix<double, 9, 3> light;  // 1 for the first coefficient alone means even light
};

// What one frame shows of the samples.
struct SampleView {
  Colours seen;                       // [3, K]
  std::vector<std::uint8_t> visible;  // [K]
  Eigen::Matrix3d rotation;           // head space -> camera space
  Eigen::Vector3d gain = Eigen::Vector3d::Ones();
};
// `visible`: of about this state, or nullptr.
SampleView view_samples(const FaceSampler& sampler, const FacePicture& picture, const Lens& lens,
                        const FrameState& state, const std::vector<std::uint8_t>* visible = nullptr);

Eigen::Matrix<double, 9, 1> harmonics(const Eigen::Vector3d& normal);

// Alternates between albedo, light and the frames' gains. Gains of `views` are set.
Appearance estimate_appearance(const FaceSamples& samples, std::vector<SampleView>& views);

// albedo * light for a head turned so.
Colours shaded(const FaceSamples& samples, const Appearance& appearance, const Eigen::Matrix3d& rotation);

// The gain that makes `wanted` most like what is seen, a colour each; `weight` [K].
Eigen::Vector3d best_gain(const Colours& wanted, const Colours& seen, const Eigen::VectorXd& weight);

}  // namespace mien::fit
