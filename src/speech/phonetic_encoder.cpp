#include "mien/speech/phonetic_encoder.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

FeatureOptions features_of(const SafetensorsFile& file) {
  const auto found = file.metadata().find("features");
  return found == file.metadata().end() ? FeatureOptions{} : FeatureOptions::parse(found->second);
}

}  // namespace

int read_encoder_delay(const SafetensorsFile& file) {
  const auto found = file.metadata().find(kEncoderDelayMetadata);
  if (found == file.metadata().end()) return kEncoderDelay;
  const std::string& text = found->second;
  int delay = -1;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), delay);
  if (code == std::errc() && end == text.data() + text.size() && delay >= 0 && delay <= kEncoderMostDelay) return delay;
  throw Error(ErrorCode::kBadFile,
              fmt::format("{}: {} \"{}\", possible are 0 to {}", file.path().string(), kEncoderDelayMetadata,
                          text.substr(0, 80), kEncoderMostDelay),
              "fetch or train the model again");
}

void EncoderStep::features(std::span<float> out) const {
  auto next = std::copy(posteriors.begin(), posteriors.end(), out.begin());
  next = std::copy(bottleneck.begin(), bottleneck.end(), next);
  *next++ = energy;
  *next = smooth_energy;
}

PhoneticEncoder::PhoneticEncoder(const SafetensorsFile& file)
    : features_(features_of(file)),
      delay_(read_encoder_delay(file)),
      conv1_(file, "encoder.conv1", kMelBands, kEncoderConv1, kEncoderKernel1),
      conv2_(file, "encoder.conv2", kEncoderConv1, kEncoderConv2, kEncoderKernel2),
      gru1_(file, "encoder.gru1", kEncoderConv2, kEncoderHidden),
      gru2_(file, "encoder.gru2", kEncoderHidden, kEncoderHidden),
      bottleneck_(file, "encoder.bottleneck.weight", "encoder.bottleneck.bias", kEncoderHidden, kEncoderBottleneck),
      phones_(file, "encoder.phones.weight", "encoder.phones.bias", kEncoderBottleneck, kPhoneCount) {}

PhoneticEncoder::Stream::Stream(const PhoneticEncoder& encoder)
    : encoder_(&encoder),
      normalizer_(encoder.features_),
      conv1_(encoder.conv1_.make_state()),
      conv2_(encoder.conv2_.make_state()),
      gru1_(encoder.gru1_.make_state()),
      gru2_(encoder.gru2_.make_state()) {}

void PhoneticEncoder::Stream::push_mel(MelFrame frame, std::vector<EncoderStep>& out) {
  normalizer_.apply(frame);
  const float energy = 0.1f * normalizer_.relative_energy();
  smooth_energy_ += 0.15f * (energy - smooth_energy_);
  std::array<float, kEncoderConv1> first;
  CausalConvLayer::remember(conv1_, frame);
  encoder_->conv1_.apply(conv1_, first);
  CausalConvLayer::remember(conv2_, first);
  odd_ = !odd_;
  if (odd_) return;  // the second convolution has stride 2 and fires on every second frame
  std::array<float, kEncoderConv2> second;
  encoder_->conv2_.apply(conv2_, second);
  encoder_->gru1_.step(second, gru1_);
  encoder_->gru2_.step(gru1_, gru2_);
  EncoderStep& step = out.emplace_back();
  encoder_->bottleneck_.apply(gru2_, step.bottleneck);
  for (float& v : step.bottleneck) v = std::tanh(v);
  encoder_->phones_.apply(step.bottleneck, step.posteriors);
  softmax(step.posteriors);
  step.energy = energy;
  step.smooth_energy = smooth_energy_;
}

void PhoneticEncoder::Stream::push(std::span<const float> samples, std::vector<EncoderStep>& out) {
  constexpr std::size_t kBlock = 16000;  // bounds the memory a single long push takes
  for (std::size_t at = 0; at < samples.size(); at += kBlock) {
    frames_.clear();
    mel_.push(samples.subspan(at, std::min(kBlock, samples.size() - at)), frames_);
    for (const MelFrame& frame : frames_) push_mel(frame, out);
  }
}

std::vector<EncoderStep> PhoneticEncoder::encode(std::span<const float> samples) const {
  Stream stream(*this);
  std::vector<EncoderStep> steps;
  stream.push(samples, steps);
  const std::size_t wanted = (samples.size() + 319) / 320 + static_cast<std::size_t>(delay_);
  const std::vector<float> silence(320, 0.0f);
  while (steps.size() < wanted) stream.push(silence, steps);
  return steps;
}

}  // namespace mien
