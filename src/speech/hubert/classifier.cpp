#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numeric>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/media/audio.h"
#include "mien/speech/emotion_listener.h"
#include "mien/speech/layers.h"
#include "mien/speech/speech_classifier.h"
#include "network.h"

namespace mien {

std::optional<Emotion> emotion_of_label(const std::string& label) {
  struct Word {
    const char* word;
    Emotion emotion;
  };
  // The names in use by published data sets and classifiers (IEMOCAP, RAVDESS, CREMA-D, MSP-Podcast, MELD, ...).
  static constexpr Word kWords[] = {{"neutral", Emotion::kNeutral},
                                    {"neu", Emotion::kNeutral},
                                    {"calm", Emotion::kNeutral},
                                    {"angry", Emotion::kAngry},
                                    {"ang", Emotion::kAngry},
                                    {"anger", Emotion::kAngry},
                                    {"contempt", Emotion::kContempt},
                                    {"con", Emotion::kContempt},
                                    {"contemptuous", Emotion::kContempt},
                                    {"disgusted", Emotion::kDisgusted},
                                    {"dis", Emotion::kDisgusted},
                                    {"disgust", Emotion::kDisgusted},
                                    {"fear", Emotion::kFear},
                                    {"fea", Emotion::kFear},
                                    {"fearful", Emotion::kFear},
                                    {"happy", Emotion::kHappy},
                                    {"hap", Emotion::kHappy},
                                    {"happiness", Emotion::kHappy},
                                    {"joy", Emotion::kHappy},
                                    {"joyful", Emotion::kHappy},
                                    {"exc", Emotion::kHappy},
                                    {"excited", Emotion::kHappy},
                                    {"sad", Emotion::kSad},
                                    {"sadness", Emotion::kSad},
                                    {"surprised", Emotion::kSurprised},
                                    {"surprise", Emotion::kSurprised},
                                    {"sur", Emotion::kSurprised},
                                    {"scared", Emotion::kFear}};
  std::string lower;
  for (const char c : label) {
    if (c != ' ') lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  for (const Word& w : kWords) {
    if (lower == w.word) return w.emotion;
  }
  return {};
}

namespace {

HubertConfig classifier_config(const std::filesystem::path& folder) {
  HubertConfig config = read_hubert_config(folder);
  if (config.labels.empty()) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: has no \"id2label\"", (folder / "config.json").string()),
                "give a model trained to classify (Wav2Vec2ForSequenceClassification), not only its network");
  }
  return config;
}

void check_head(const SafetensorsFile& file) {
  for (const char* name : {"projector.weight", "projector.bias", "classifier.weight", "classifier.bias"}) {
    if (!file.contains(name)) {
      throw Error(ErrorCode::kUnsupported, fmt::format("{}: has no tensor \"{}\"", file.path().string(), name),
                  "only heads of a projection, a mean over time and a linear layer are read, as in transformers' "
                  "Wav2Vec2ForSequenceClassification and HubertForSequenceClassification");
    }
  }
}

}  // namespace

struct SpeechClassifier::Impl {
  HubertNetwork network;
  LinearLayer projector, classifier;
  std::vector<float> layer_weights;  // [layers + 1] sum 1; empty = the last layer only
  std::filesystem::path folder;

  Impl(const std::filesystem::path& from, HubertConfig config, const SafetensorsFile& file, const std::string& device)
      : network(std::move(config), file, device), folder(from) {
    const HubertConfig& c = network.config();
    check_head(file);
    projector = LinearLayer(file, "projector.weight", "projector.bias", c.hidden, c.classifier_width);
    classifier = LinearLayer(file, "classifier.weight", "classifier.bias", c.classifier_width,
                             static_cast<int>(c.labels.size()));
    if (c.weighted_layers) {
      layer_weights = file.floats("layer_weights", {c.layers + 1});
      softmax(layer_weights);
    }
  }
};

SpeechClassifier SpeechClassifier::load(const std::filesystem::path& folder, const std::string& device) {
  SpeechClassifier out;
  HubertConfig config = classifier_config(folder);
  out.impl_ = std::make_shared<const Impl>(folder, std::move(config), open_hubert_weights(folder), device);
  return out;
}

const std::vector<std::string>& SpeechClassifier::labels() const {
  return impl_->network.config().labels;
}

std::vector<float> SpeechClassifier::logits(std::span<const float> samples) const {
  if (samples.empty()) throw Error(ErrorCode::kBadArgument, "no sound to classify", "give at least one sample");
  const HubertConfig& c = impl_->network.config();
  const std::vector<float> states = impl_->network.hidden(hubert_input(c, samples), impl_->layer_weights);
  // The mean of projections is the projection of the mean.
  std::vector<double> sum(c.hidden, 0.0);
  for (std::size_t i = 0; i < states.size(); ++i) sum[i % c.hidden] += states[i];
  const double frames = static_cast<double>(states.size()) / c.hidden;
  std::vector<float> mean(c.hidden), projected(c.classifier_width), out(c.labels.size());
  std::transform(sum.begin(), sum.end(), mean.begin(), [&](double s) { return static_cast<float>(s / frames); });
  impl_->projector.apply(mean, projected);
  impl_->classifier.apply(projected, out);
  return out;
}

EmotionVector SpeechClassifier::emotion(std::span<const float> samples) const {
  std::vector<float> shares = logits(samples);
  softmax(shares);
  EmotionVector out{};
  bool known = false;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const std::optional<Emotion> emotion = emotion_of_label(labels()[i]);
    known = known || emotion.has_value();
    if (emotion && *emotion != Emotion::kNeutral) out[static_cast<int>(*emotion)] += shares[i];
  }
  if (!known) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: none of its labels ({}) is one of the eight emotions", impl_->folder.string(),
                            fmt::join(labels(), ", ")),
                "name the classes in id2label of its config.json: angry, happy, ...");
  }
  out[0] = std::max(0.0f, 1 - std::accumulate(out.begin() + 1, out.end(), 0.0f));
  return out;
}

EmotionTrack SpeechClassifier::track(std::span<const float> samples, const EmotionWindows& windows) const {
  check_emotion_windows(windows);
  const auto window = static_cast<std::size_t>(windows.window_seconds * kSpeechRate);
  const auto hop = static_cast<std::size_t>(windows.hop_seconds * kSpeechRate);
  EmotionTrack track;
  for (std::size_t at = 0; at < samples.size(); at += hop) {
    // The last window is as long as the others: it begins earlier.
    const std::size_t begin = at + window <= samples.size() ? at : samples.size() - std::min(window, samples.size());
    const std::span<const float> part = samples.subspan(begin, std::min(window, samples.size() - begin));
    const double middle = (static_cast<double>(begin) + 0.5 * static_cast<double>(part.size())) / kSpeechRate;
    track.keys.push_back({middle, emotion(part)});
    if (begin + part.size() == samples.size()) break;
  }
  return track;
}

}  // namespace mien
