#include "mien/motion/s2gnet.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr std::size_t kMaxExpressions = 1024;

std::vector<std::string> read_names(const SafetensorsFile& file) {
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

// The column of a bias-free layer that belongs to one person: what one-hot input gives.
std::vector<float> person_gate(const LinearLayer& layer, int persons, int person) {
  std::vector<float> one_hot(persons, 0.0f);
  one_hot[person] = 1;
  std::vector<float> gate(kS2GHidden);
  layer.apply(one_hot, gate);
  return gate;
}

}  // namespace

S2GNet::S2GNet(const SafetensorsFile& file)
    : settings_(read_s2g_settings(file)),
      expression_names_(read_names(file)),
      input_(file, "s2g.input.weight", "s2g.input.bias", 2 * settings_.width, kS2GHidden),
      emotion_in_(file, "s2g.emotion_in.weight", "", kEmotionCount, kS2GHidden),
      emotion_out_(file, "s2g.emotion_out.weight", "", kEmotionCount, kS2GHidden),
      head_(file, "s2g.head.weight", "s2g.head.bias", kS2GHidden, expression_count()),
      gru1_(file, "s2g.gru1", kS2GHidden, kS2GHidden),
      gru2_(file, "s2g.gru2", kS2GHidden, kS2GHidden) {
  const auto persons = static_cast<int>(settings_.persons.size());
  if (persons > 0) {
    person_in_ = LinearLayer(file, "s2g.person_in.weight", "", persons, kS2GHidden);
    person_out_ = LinearLayer(file, "s2g.person_out.weight", "", persons, kS2GHidden);
  }
  if (settings_.head == S2GHead::kWeights) return;
  offset_head_ =
      LinearLayer(file, "s2g.offset_head.weight", "s2g.offset_head.bias", kS2GHidden, settings_.offset_outputs());
  moving_ = file.ints("s2g.moving", {settings_.moving_vertices});
  for (const std::int32_t v : moving_) {
    if (v < 0 || v >= settings_.vertices) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: s2g.moving: vertex {} of {}", file.path().string(), v, settings_.vertices),
                  "fetch or train the model again");
    }
  }
  if (settings_.head != S2GHead::kPca) return;
  basis_ = file.floats("s2g.basis", {settings_.components, settings_.moving_vertices, 3});
  if (!std::all_of(basis_.begin(), basis_.end(), [](float v) { return std::isfinite(v); })) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: s2g.basis holds NaN or infinity", file.path().string()),
                "fetch or train the model again");
  }
}

S2GNet::Stream::Stream(const S2GNet& net, int person)
    : net_(&net),
      gru1_(net.gru1_.make_state()),
      gru2_(net.gru2_.make_state()),
      joined_(std::size_t{2} * net.settings_.width),
      hidden_(kS2GHidden),
      gate_(kS2GHidden) {
  const auto persons = static_cast<int>(net.settings_.persons.size());
  MIEN_CHECK(person >= 0 && (person == 0 || person < persons), "person {} of {}", person, persons);
  if (persons > 0) {
    person_in_ = person_gate(net.person_in_, persons, person);
    person_out_ = person_gate(net.person_out_, persons, person);
  }
  if (net.settings_.head != S2GHead::kWeights) offset_values_.assign(net.settings_.offset_outputs(), 0.0f);
}

void S2GNet::Stream::step(std::span<const float> first, std::span<const float> second, const EmotionVector& emotion,
                          std::span<float> weights) {
  std::copy(first.begin(), first.end(), joined_.begin());
  std::copy(second.begin(), second.end(), joined_.begin() + net_->settings_.width);
  net_->input_.apply(joined_, hidden_);
  net_->emotion_in_.apply(emotion, gate_);
  for (int j = 0; j < kS2GHidden; ++j) hidden_[j] = std::max(hidden_[j], 0.0f) * gate_[j];
  for (std::size_t j = 0; j < person_in_.size(); ++j) hidden_[j] *= person_in_[j];
  net_->gru1_.step(hidden_, gru1_);
  net_->gru2_.step(gru1_, gru2_);
  net_->emotion_out_.apply(emotion, gate_);
  for (int j = 0; j < kS2GHidden; ++j) hidden_[j] = gru2_[j] * gate_[j];
  for (std::size_t j = 0; j < person_out_.size(); ++j) hidden_[j] *= person_out_[j];
  net_->head_.apply(hidden_, weights);
  if (!offset_values_.empty()) net_->offset_head_.apply(hidden_, offset_values_);
}

void S2GNet::Stream::offsets(std::vector<Vec3>& out) const {
  out.clear();
  if (offset_values_.empty()) return;
  const S2GSettings& s = net_->settings_;
  out.assign(s.vertices, Vec3::Zero());
  constexpr float kMetres = 1e-3f;
  if (s.head == S2GHead::kVertices) {
    for (int m = 0; m < s.moving_vertices; ++m) {
      const float* v = offset_values_.data() + 3 * m;
      out[net_->moving_[m]] = kMetres * Vec3(v[0], v[1], v[2]);
    }
    return;
  }
  for (int c = 0; c < s.components; ++c) {
    const float* row = net_->basis_.data() + std::size_t{3} * s.moving_vertices * c;
    const float scale = kMetres * offset_values_[c];
    for (int m = 0; m < s.moving_vertices; ++m, row += 3) out[net_->moving_[m]] += scale * Vec3(row[0], row[1], row[2]);
  }
}

}  // namespace mien
