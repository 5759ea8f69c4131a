#include "mien/speech/emotion_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr float kSpeech = -4.0f;         // ln units below the level of the voice: softer is a pause
constexpr int kHeardSteps = 12;          // half a second
constexpr std::size_t kMostKeys = 1024;  // of a live track: more than any look-ahead needs

std::string metadata_of(const SafetensorsFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? std::string() : found->second;
}

// "angry happy sad" as emotions, each once.
std::vector<Emotion> classes_of(const SafetensorsFile& file) {
  if (metadata_of(file, "format") != kEmotionNetworkFormat) {
    throw Error(ErrorCode::kUnsupported, file.path().string() + ": not an emotion network of this version of Mien",
                "give a file that mien train emotion has written");
  }
  if (metadata_of(file, "features") != EmotionFeatureStream::options().text()) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: listens to other features (\"{}\")", file.path().string(),
                            metadata_of(file, "features").substr(0, 80)),
                "train it anew with this version of Mien");
  }
  std::vector<Emotion> classes;
  std::istringstream words(metadata_of(file, "classes"));
  for (std::string word; words >> word;) {
    const auto* const known = std::find(kEmotionNames.begin(), kEmotionNames.end(), word);
    const auto emotion = static_cast<Emotion>(known - kEmotionNames.begin());
    if (known == kEmotionNames.end() || std::find(classes.begin(), classes.end(), emotion) != classes.end()) {
      throw Error(ErrorCode::kBadFile, fmt::format("{}: class \"{}\"", file.path().string(), word.substr(0, 40)),
                  "fetch or train the network again");
    }
    classes.push_back(emotion);
  }
  if (classes.empty()) {
    throw Error(ErrorCode::kBadFile, file.path().string() + ": names no classes", "fetch or train the network again");
  }
  return classes;
}

float forget() {
  static const auto value = static_cast<float>(std::exp(-1.0 / (kEmotionRate * kEmotionMemory)));
  return value;
}

}  // namespace

EmotionVector EmotionStep::emotion() const {
  EmotionVector out{};
  for (int e = 1; e < kEmotionCount; ++e) out[e] = posteriors[e] * intensity * heard;
  out[0] = std::max(0.0f, 1 - std::accumulate(out.begin() + 1, out.end(), 0.0f));
  return out;
}

EmotionNetwork EmotionNetwork::load(const std::filesystem::path& path) {
  return EmotionNetwork(SafetensorsFile::open(path));
}

EmotionNetwork::EmotionNetwork(const SafetensorsFile& file)
    : classes_(classes_of(file)),
      conv1_(file, "emotion.conv1", kEmotionFeatures, kEmotionConv1, kEmotionKernel1),
      conv2_(file, "emotion.conv2", kEmotionConv1, kEmotionConv2, kEmotionKernel2),
      gru_(file, "emotion.gru", kEmotionConv2, kEmotionGru),
      gate_(file, "emotion.gate.weight", "emotion.gate.bias", kEmotionGru, 1),
      wide_(file, "emotion.wide.weight", "emotion.wide.bias", 2 * kEmotionGru, kEmotionWide),
      head_(file, "emotion.head.weight", "emotion.head.bias", kEmotionWide, kEmotionCount + 1) {}

EmotionNetwork::Stream::Stream(const EmotionNetwork& network)
    : network_(&network),
      conv1_(network.conv1_.make_state()),
      conv2_(network.conv2_.make_state()),
      gru_(network.gru_.make_state()),
      sum_(kEmotionGru, 0.0f),
      squares_(kEmotionGru, 0.0f) {}

void EmotionNetwork::Stream::push(std::span<const float> samples, std::vector<EmotionStep>& out) {
  constexpr std::size_t kBlock = 16000;
  for (std::size_t at = 0; at < samples.size(); at += kBlock) {
    frames_.clear();
    features_.push(samples.subspan(at, std::min(kBlock, samples.size() - at)), frames_);
    for (const EmotionFrame& frame : frames_) push_frame(frame, out);
  }
}

void EmotionNetwork::Stream::push_frame(const EmotionFrame& frame, std::vector<EmotionStep>& out) {
  std::array<float, kEmotionConv1> first;
  CausalConvLayer::remember(conv1_, frame);
  network_->conv1_.apply(conv1_, first);
  CausalConvLayer::remember(conv2_, first);
  frame_ = (frame_ + 1) % kEmotionStride;
  if (frame_ != 0) return;
  std::array<float, kEmotionConv2> second;
  network_->conv2_.apply(conv2_, second);
  network_->gru_.step(second, gru_);
  float gate = 0;
  network_->gate_.apply(gru_, {&gate, 1});
  gate = 1 / (1 + std::exp(-gate));
  weight_ = forget() * weight_ + gate;
  std::array<float, 2 * kEmotionGru> pooled;
  for (int i = 0; i < kEmotionGru; ++i) {
    sum_[i] = forget() * sum_[i] + gate * gru_[i];
    squares_[i] = forget() * squares_[i] + gate * gru_[i] * gru_[i];
    const float mean = sum_[i] / (weight_ + kEmotionLeastWeight);
    const float variance = squares_[i] / (weight_ + kEmotionLeastWeight) - mean * mean;
    pooled[i] = mean;
    pooled[kEmotionGru + i] = std::sqrt(std::max(variance, 0.0f) + kEmotionLeastVariance);
  }
  std::array<float, kEmotionWide> wide;
  network_->wide_.apply(pooled, wide);
  for (float& v : wide) v = std::max(v, 0.0f);
  std::array<float, kEmotionCount + 1> head;
  network_->head_.apply(wide, head);
  EmotionStep& step = out.emplace_back();
  std::vector<float> known;
  for (const Emotion e : network_->classes_) known.push_back(head[static_cast<int>(e)]);
  softmax(known);
  for (std::size_t i = 0; i < known.size(); ++i) step.posteriors[static_cast<int>(network_->classes_[i])] = known[i];
  step.intensity = 1 / (1 + std::exp(-head[kEmotionCount]));
  if (4 * frame[kEmotionRelativeEnergy] > kSpeech) spoken_ = std::min(spoken_ + 1, kHeardSteps);
  step.heard = static_cast<float>(spoken_) / kHeardSteps;
}

double EmotionNetwork::heard_seconds(std::int64_t n) {
  const std::int64_t last_frame = kEmotionStride * (n + 1) - 1;
  return static_cast<double>(last_frame * kMelHop + kMelWindow) / (kMelRate * kMelHop);
}

double EmotionNetwork::delay() {
  return kEmotionMemory * std::log(2.0);
}

EmotionTrack EmotionNetwork::track(std::span<const float> samples) const {
  Stream stream(*this);
  std::vector<EmotionStep> steps;
  stream.push(samples, steps);
  EmotionTrack track;
  for (std::size_t n = kKeySteps - 1; n < steps.size(); n += kKeySteps) {
    const double time = heard_seconds(static_cast<std::int64_t>(n)) - delay();
    // What is said before the sound begins is said too early.
    if (time < 0 && n + kKeySteps < steps.size()) continue;
    track.keys.push_back({std::max(time, 0.0), steps[n].emotion()});
  }
  return track;
}

EmotionFollower::EmotionFollower(const EmotionNetwork& network) : network_(network), stream_(network_) {
  track_.keys.push_back(
      {EmotionNetwork::heard_seconds(EmotionNetwork::kKeySteps - 1), emotion_vector(Emotion::kNeutral, 1)});
}

double EmotionFollower::latency() {
  return EmotionNetwork::delay() + static_cast<double>(EmotionNetwork::kKeySteps) / kEmotionRate;
}

void EmotionFollower::push(std::span<const float> samples) {
  steps_.clear();
  stream_.push(samples, steps_);
  for (const EmotionStep& step : steps_) {
    if (++count_ % EmotionNetwork::kKeySteps != 0) continue;
    track_.keys.push_back({EmotionNetwork::heard_seconds(count_ - 1 + EmotionNetwork::kKeySteps), step.emotion()});
    if (track_.keys.size() > kMostKeys) track_.keys.erase(track_.keys.begin());
  }
}

}  // namespace mien
