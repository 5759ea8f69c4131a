// What is being said, as it is said: a small causal network from log-mel features to phone posteriors at 50 Hz.
//
// Two causal convolutions (the second halves the rate), two GRU layers, a bottleneck, 40 phones. All look-ahead is one
// explicit delay d of the network: step n has heard everything up to 20 n + 35 ms and speaks of the slot [20 (n-d),
// 20 (n-d+1)) ms, so what it says of a moment is known 20 d + 25 ms after the middle of that moment: 65 ms with d = 2.
// Later is surer: lips close for P long before the sound tells P from T.
#pragma once

#include <array>
#include <filesystem>
#include <span>
#include <vector>

#include "mien/head/phone.h"
#include "mien/speech/layers.h"
#include "mien/speech/log_mel.h"

namespace mien {

class SafetensorsFile;

constexpr int kEncoderRate = 50;  // steps a second
constexpr int kEncoderDelay =
    2;  // steps between the newest slot heard whole and the slot spoken of, if a file says none
constexpr int kEncoderMostDelay = 25;
constexpr const char* kEncoderDelayMetadata = "encoder_delay";  // metadata key of a network's own delay
constexpr int kEncoderBottleneck = 64;
constexpr int kEncoderFeatures = kPhoneCount + kEncoderBottleneck + 2;
constexpr int kEncoderConv1 = 128;
constexpr int kEncoderConv2 = 192;
constexpr int kEncoderKernel1 = 5;
constexpr int kEncoderKernel2 = 6;
constexpr int kEncoderHidden = 256;
constexpr double kEncoderFirstHeard = 0.035;  // seconds of sound that step 0 needs; each further step 0.02 more

// One step's output. Layout of features(): posteriors, bottleneck, energy relative to the level, the same smoothed.
struct EncoderStep {
  std::array<float, kPhoneCount> posteriors;         // sum 1, order of kPhoneNames
  std::array<float, kEncoderBottleneck> bottleneck;  // [-1,1]
  float energy = 0;                                  // relative to speech level, about [-1.2, 0.1] (tenths of ln units)
  float smooth_energy = 0;                           // with a 60 ms lag
  // Time of the middle of the slot that step n of a network with this delay speaks of, seconds.
  static double time(std::int64_t n, int delay) { return (static_cast<double>(n) - delay + 0.5) / kEncoderRate; }
  void features(std::span<float> out) const;  // kEncoderFeatures values
};

// The delay that a speech model file states, kEncoderDelay without a statement. Throws kBadFile.
int read_encoder_delay(const SafetensorsFile& file);

// The network's weights: immutable, shared between streams. Tensors are named "encoder.*".
class PhoneticEncoder {
 public:
  explicit PhoneticEncoder(const SafetensorsFile& file);
  int delay() const { return delay_; }  // steps
  double time(std::int64_t n) const { return EncoderStep::time(n, delay_); }

  // One stream. Holds about 30 kB whatever the length of the stream.
  class Stream {
   public:
    explicit Stream(const PhoneticEncoder& encoder);
    // 16 kHz mono in [-1,1]; appends the steps that are complete now.
    void push(std::span<const float> samples, std::vector<EncoderStep>& out);
    // The same from raw log-mel frames (before normalisation).
    void push_mel(MelFrame frame, std::vector<EncoderStep>& out);

   private:
    const PhoneticEncoder* encoder_;
    LogMel mel_;
    FeatureNormalizer normalizer_;
    std::vector<MelFrame> frames_;
    std::vector<float> conv1_, conv2_, gru1_, gru2_;
    float smooth_energy_ = -1.2f;
    bool odd_ = false;
  };

  // A whole recording; steps for every slot up to its end (silence is appended).
  std::vector<EncoderStep> encode(std::span<const float> samples) const;

 private:
  FeatureOptions features_;  // how what it learnt from was normalised
  int delay_;
  CausalConvLayer conv1_, conv2_;
  GruLayer gru1_, gru2_;
  LinearLayer bottleneck_, phones_;
};

}  // namespace mien
