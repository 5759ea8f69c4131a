// HuBERT as a SpeechEncoder: whole recordings at once, long ones and streams in chunks with context.
#include "hubert_encoder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/media/audio.h"
#include "network.h"

namespace mien {
namespace {

struct Chunking {
  std::int64_t chunk = 0, context = 0;  // features
};

// Features of chunk k, [k chunk, (k + 1) chunk), come from the sound of those and of `context` more on both sides. The
// sound of feature i starts at sample i * hop, so the convolutions see exactly what they see in the whole recording.
class HubertStream : public SpeechEncoderStream {
 public:
  HubertStream(const HubertNetwork& network, const Chunking& chunking) : network_(&network), chunking_(chunking) {}

  void push(std::span<const float> samples, SpeechFeatures& out) override {
    out.width = network_->config().hidden;
    while (!samples.empty()) {  // little by little, so that a long call needs no more memory than short ones
      const std::size_t taken = std::min<std::size_t>(samples.size(), kSpeechRate);
      buffer_.insert(buffer_.end(), samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(taken));
      samples = samples.subspan(taken);
      while (heard() >= done_ + chunking_.chunk + chunking_.context) encode_chunk(done_ + chunking_.chunk, out);
    }
  }

  void finish(SpeechFeatures& out) override {
    out.width = network_->config().hidden;
    if (heard() == 0 && !buffer_.empty()) buffer_.resize(network_->config().receptive_field(), 0.0f);
    while (done_ < heard()) encode_chunk(std::min(done_ + chunking_.chunk, heard()), out);
    buffer_.clear();
  }

 private:
  // Features that the sound so far is enough for.
  std::int64_t heard() const {
    return buffer_.empty() ? first_ : first_ + network_->config().frames(static_cast<std::int64_t>(buffer_.size()));
  }

  void encode_chunk(std::int64_t end, SpeechFeatures& out) {
    const HubertConfig& c = network_->config();
    const std::int64_t last = std::min(end + chunking_.context, heard());
    const std::int64_t samples = (last - first_ - 1) * c.hop() + c.receptive_field();
    const std::vector<float> states =
        network_->hidden(hubert_input(c, {buffer_.data(), static_cast<std::size_t>(samples)}));
    out.values.insert(out.values.end(), states.begin() + (done_ - first_) * c.hidden,
                      states.begin() + (end - first_) * c.hidden);
    done_ = end;
    const std::int64_t keep_from = std::max<std::int64_t>(first_, done_ - chunking_.context);
    buffer_.erase(buffer_.begin(), buffer_.begin() + (keep_from - first_) * c.hop());
    first_ = keep_from;
  }

  const HubertNetwork* network_;
  Chunking chunking_;
  std::vector<float> buffer_;  // sound from sample first_ * hop on
  std::int64_t first_ = 0;     // feature
  std::int64_t done_ = 0;      // features given out
};

class HubertEncoder : public SpeechEncoder {
 public:
  HubertEncoder(const SpeechEncoderOptions& options, HubertNetwork network) : network_(std::move(network)) {
    const HubertConfig& c = network_.config();
    const auto features = [](double seconds) { return static_cast<std::int64_t>(std::lround(seconds * kFeatureRate)); };
    chunking_ = {std::max<std::int64_t>(1, features(options.chunk_seconds)), features(options.context_seconds)};
    longest_ = static_cast<std::size_t>(options.longest_seconds * kSpeechRate);
    windows_ = {std::max(chunking_.chunk, features(options.longest_seconds) - 2 * chunking_.context),
                chunking_.context};
    info_.name = c.model_type;
    info_.width = c.hidden;
    info_.rate = static_cast<double>(kSpeechRate) / c.hop();
    info_.first_time = 0.5 * c.receptive_field() / kSpeechRate;
    info_.look_ahead = static_cast<double>(chunking_.chunk - 1 + chunking_.context) / info_.rate + info_.first_time;
    info_.causal = false;
  }
  const SpeechEncoderInfo& info() const override { return info_; }
  std::unique_ptr<SpeechEncoderStream> stream() const override {
    return std::make_unique<HubertStream>(network_, chunking_);
  }
  SpeechFeatures encode(std::span<const float> samples) const override {
    SpeechFeatures out;
    out.width = info_.width;
    if (samples.empty()) return out;
    if (samples.size() <= longest_) {
      out.values = network_.hidden(hubert_input(network_.config(), samples));
      return out;
    }
    HubertStream windows(network_, windows_);
    windows.push(samples, out);
    windows.finish(out);
    return out;
  }

 private:
  HubertNetwork network_;
  Chunking chunking_;  // of streams
  Chunking windows_;   // of long recordings: as long as may be encoded whole
  std::size_t longest_ = 0;
  SpeechEncoderInfo info_;
};

}  // namespace

std::shared_ptr<const SpeechEncoder> make_hubert_encoder(const SpeechEncoderOptions& options) {
  const auto within = [](double value, double low, double high) { return value >= low && value <= high; };
  if (!within(options.chunk_seconds, 0.02, 60) || !within(options.context_seconds, 0, 60) ||
      !within(options.longest_seconds, 0, 600)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("chunks of {} s with {} s of context, whole up to {} s", options.chunk_seconds,
                            options.context_seconds, options.longest_seconds),
                "chunks may last 0.02 to 60 s, their context 0 to 60 s, whole recordings up to 600 s");
  }
  HubertConfig config = read_hubert_config(options.model);  // first: its complaints say most
  return std::make_shared<const HubertEncoder>(
      options, HubertNetwork(std::move(config), open_hubert_weights(options.model), options.device));
}

}  // namespace mien
