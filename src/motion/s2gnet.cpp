#include "mien/motion/s2gnet.h"

#include <algorithm>
#include <sstream>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr std::size_t kMaxExpressions = 1024;

std::vector<std::string> read_names(const SafetensorsFile& file) {
  const auto format = file.metadata().find("format");
  if (format == file.metadata().end() || format->second != kSpeechModelFormat) {
    throw Error(format == file.metadata().end() ? ErrorCode::kBadFile : ErrorCode::kUnsupported,
                fmt::format("{}: format \"{}\", wanted \"{}\"", file.path().string(),
                            format == file.metadata().end() ? "" : format->second, kSpeechModelFormat),
                "use the speech model that came with this version");
  }
  const auto names = file.metadata().find("expression_names");
  std::vector<std::string> result;
  if (names != file.metadata().end()) {
    std::istringstream in(names->second);
    for (std::string name; in >> name;) result.push_back(name);
  }
  if (result.empty() || result.size() > kMaxExpressions) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: {} expression names", file.path().string(), result.size()),
                "fetch or train the model again");
  }
  return result;
}

}  // namespace

S2GNet::S2GNet(const SafetensorsFile& file)
    : expression_names_(read_names(file)),
      input_(file, "s2g.input.weight", "s2g.input.bias", 2 * kEncoderFeatures, kS2GHidden),
      emotion_in_(file, "s2g.emotion_in.weight", "", kEmotionCount, kS2GHidden),
      emotion_out_(file, "s2g.emotion_out.weight", "", kEmotionCount, kS2GHidden),
      head_(file, "s2g.head.weight", "s2g.head.bias", kS2GHidden, expression_count()),
      gru1_(file, "s2g.gru1", kS2GHidden, kS2GHidden),
      gru2_(file, "s2g.gru2", kS2GHidden, kS2GHidden) {}

S2GNet::Stream::Stream(const S2GNet& net)
    : net_(&net),
      gru1_(net.gru1_.make_state()),
      gru2_(net.gru2_.make_state()),
      joined_(2 * kEncoderFeatures),
      hidden_(kS2GHidden),
      gate_(kS2GHidden) {}

void S2GNet::Stream::step(std::span<const float> first, std::span<const float> second, const EmotionVector& emotion,
                          std::span<float> weights) {
  std::copy(first.begin(), first.end(), joined_.begin());
  std::copy(second.begin(), second.end(), joined_.begin() + kEncoderFeatures);
  net_->input_.apply(joined_, hidden_);
  net_->emotion_in_.apply(emotion, gate_);
  for (int j = 0; j < kS2GHidden; ++j) hidden_[j] = std::max(hidden_[j], 0.0f) * gate_[j];
  net_->gru1_.step(hidden_, gru1_);
  net_->gru2_.step(gru1_, gru2_);
  net_->emotion_out_.apply(emotion, gate_);
  for (int j = 0; j < kS2GHidden; ++j) hidden_[j] = gru2_[j] * gate_[j];
  net_->head_.apply(hidden_, weights);
}

}  // namespace mien
