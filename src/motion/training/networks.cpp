#include "motion/training/networks.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <sstream>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/head/emotion.h"
#include "mien/speech/phonetic_encoder.h"
#include "speech/training/precision.h"

namespace mien {
namespace {

torch::nn::GRU make_gru(int inputs, int hidden, double dropout) {
  return torch::nn::GRU(torch::nn::GRUOptions(inputs, hidden).num_layers(2).batch_first(true).dropout(dropout));
}

torch::nn::Linear make_gate(std::int64_t conditions) {
  return torch::nn::Linear(torch::nn::LinearOptions(conditions, kS2GHidden).bias(false));
}

// LibTorch's "gru.weight_ih_l1" is "gru2.weight_ih" in the file.
std::string file_name(const std::string& prefix, std::string name) {
  const std::size_t at = name.find("gru.");
  if (at != std::string::npos) {
    const std::string layer = name.substr(name.size() - 1) == "0" ? "1" : "2";
    name = name.substr(0, at) + "gru" + layer + name.substr(at + 3, name.size() - at - 3 - 3);
  }
  return prefix + "." + name;
}

void add_parameters(SafetensorsWriter& out, const std::string& prefix, const torch::nn::Module& module) {
  for (const auto& item : module.named_parameters()) {
    const at::Tensor value = item.value().detach().to(at::kCPU, at::kFloat).contiguous();
    out.add_half(file_name(prefix, item.key()), value.sizes().vec(),
                 std::span<const float>(value.data_ptr<float>(), static_cast<std::size_t>(value.numel())));
  }
}

void read_parameters(const SafetensorsFile& file, const std::string& prefix, const torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) {
    at::Tensor parameter = item.value();
    const std::vector<float> values = file.floats(file_name(prefix, item.key()), parameter.sizes().vec());
    parameter.copy_(at::from_blob(const_cast<float*>(values.data()), parameter.sizes(), at::kFloat));
  }
}

// Persons are columns, found by name.
void read_persons(const SafetensorsFile& file, const S2GSettings& from, const S2GSettings& to, const std::string& name,
                  at::Tensor parameter) {
  const at::NoGradGuard no_grad;
  if (from.persons.empty()) return;
  const std::vector<float> values = file.floats(name, {kS2GHidden, static_cast<std::int64_t>(from.persons.size())});
  const at::Tensor table = at::from_blob(const_cast<float*>(values.data()),
                                         {kS2GHidden, static_cast<std::int64_t>(from.persons.size())}, at::kFloat);
  for (std::size_t p = 0; p < to.persons.size(); ++p) {
    const auto found = std::find(from.persons.begin(), from.persons.end(), to.persons[p]);
    // Somebody new begins as the default person.
    const auto column = found == from.persons.end() ? 0 : found - from.persons.begin();
    parameter.select(1, static_cast<std::int64_t>(p)).copy_(table.select(1, column));
  }
}

void read_s2g(const SafetensorsFile& file, S2GModule s2g) {
  const at::NoGradGuard no_grad;
  const S2GSettings from = read_s2g_settings(file);
  const S2GSettings& to = s2g->settings();
  const bool same_input = from.encoder == to.encoder && from.width == to.width;
  const bool same_offsets = from.head == to.head && from.offset_outputs() == to.offset_outputs() &&
                            from.moving_vertices == to.moving_vertices && from.vertices == to.vertices;
  for (const auto& item : s2g->named_parameters()) {
    const std::string name = file_name("s2g", item.key());
    at::Tensor parameter = item.value();
    if (name.starts_with("s2g.person_")) {
      read_persons(file, from, to, name, parameter);
      continue;
    }
    if ((name.starts_with("s2g.input.") && !same_input) || (name.starts_with("s2g.offset_head.") && !same_offsets)) {
      continue;
    }
    const std::vector<float> values = file.floats(name, parameter.sizes().vec());
    parameter.copy_(at::from_blob(const_cast<float*>(values.data()), parameter.sizes(), at::kFloat));
  }
  if (to.head == S2GHead::kWeights || !same_offsets) return;
  at::Tensor basis;
  std::vector<float> values;
  if (to.head == S2GHead::kPca) {
    values = file.floats("s2g.basis", {to.components, to.moving_vertices, 3});
    basis = at::from_blob(values.data(), {to.components, std::int64_t{3} * to.moving_vertices}, at::kFloat);
  }
  s2g->set_offsets(file.ints("s2g.moving", {to.moving_vertices}), basis);
}

void add_offsets(SafetensorsWriter& out, const S2GModule& s2g) {
  const S2GSettings& settings = s2g->settings();
  if (settings.head == S2GHead::kWeights) return;
  MIEN_CHECK(!s2g->moving().empty(), "an offset head without vertices");
  out.add("s2g.moving", {settings.moving_vertices}, s2g->moving());
  if (settings.head != S2GHead::kPca) return;
  const at::Tensor basis = s2g->basis().to(at::kCPU).contiguous();
  out.add_half("s2g.basis", {settings.components, settings.moving_vertices, 3},
               {basis.data_ptr<float>(), static_cast<std::size_t>(basis.numel())});
}

}  // namespace

EncoderModuleImpl::EncoderModuleImpl(double dropout)
    : conv1_(register_module("conv1",
                             torch::nn::Conv1d(torch::nn::Conv1dOptions(kMelBands, kEncoderConv1, kEncoderKernel1)))),
      conv2_(register_module(
          "conv2",
          torch::nn::Conv1d(torch::nn::Conv1dOptions(kEncoderConv1, kEncoderConv2, kEncoderKernel2).stride(2)))),
      gru_(register_module("gru", make_gru(kEncoderConv2, kEncoderHidden, dropout))),
      bottleneck_(register_module("bottleneck", torch::nn::Linear(kEncoderHidden, kEncoderBottleneck))),
      phones_(register_module("phones", torch::nn::Linear(kEncoderBottleneck, kPhoneCount))),
      dropout_(dropout) {}

EncoderOutput EncoderModuleImpl::forward(const at::Tensor& features) {
  // Zeros before the first frame make the convolutions causal; the second one's output n ends with frame 2n + 1.
  at::Tensor x = features.transpose(1, 2);
  x = at::relu(conv1_->forward(at::constant_pad_nd(x, {kEncoderKernel1 - 1, 0})));
  x = at::relu(conv2_->forward(at::constant_pad_nd(x, {kEncoderKernel2 - 2, 0})));
  const Autocast single(x.device(), false);  // what has a memory adds up its errors
  x = at::dropout(x.transpose(1, 2).to(at::kFloat), dropout_, is_training());
  x = std::get<0>(gru_->forward(x));
  x = at::dropout(x, dropout_, is_training());
  const at::Tensor bottleneck = at::tanh(bottleneck_->forward(x));
  return {phones_->forward(bottleneck), bottleneck};
}

S2GModuleImpl::S2GModuleImpl(const S2GSettings& settings, int expressions, double dropout)
    : settings_(settings),
      input_(register_module("input", torch::nn::Linear(2 * settings.width, kS2GHidden))),
      emotion_in_(register_module("emotion_in", make_gate(kEmotionCount))),
      emotion_out_(register_module("emotion_out", make_gate(kEmotionCount))),
      head_(register_module("head", torch::nn::Linear(kS2GHidden, expressions))),
      gru_(register_module("gru", make_gru(kS2GHidden, kS2GHidden, dropout))),
      dropout_(dropout) {
  const at::NoGradGuard no_grad;
  // Every emotion starts as "multiply by one", a little apart; every person as exactly that; the face starts neutral.
  for (const torch::nn::Linear& gate : {emotion_in_, emotion_out_}) gate->weight.normal_(1.0, 0.2);
  head_->weight.zero_();
  head_->bias.zero_();
  const auto persons = static_cast<std::int64_t>(settings.persons.size());
  if (persons > 0) {
    person_in_ = register_module("person_in", make_gate(persons));
    person_out_ = register_module("person_out", make_gate(persons));
    for (const torch::nn::Linear& gate : {person_in_, person_out_}) gate->weight.fill_(1.0);
  }
  if (settings.head == S2GHead::kWeights) return;
  offset_head_ = register_module("offset_head", torch::nn::Linear(kS2GHidden, settings.offset_outputs()));
  offset_head_->weight.zero_();
  offset_head_->bias.zero_();
  if (settings.head == S2GHead::kPca) {
    basis_ = register_buffer("basis", at::zeros({settings.components, std::int64_t{3} * settings.moving_vertices}));
  }
}

void S2GModuleImpl::set_offsets(std::vector<std::int32_t> moving, const at::Tensor& basis) {
  MIEN_CHECK(static_cast<int>(moving.size()) == settings_.moving_vertices, "{} vertices, {} wanted", moving.size(),
             settings_.moving_vertices);
  const at::NoGradGuard no_grad;
  moving_ = std::move(moving);
  if (settings_.head == S2GHead::kPca) basis_.copy_(basis);
}

at::Tensor S2GModuleImpl::forward(const at::Tensor& features, const at::Tensor& emotion) {
  return run(features, emotion, {}).weights;
}

S2GOutput S2GModuleImpl::run(const at::Tensor& features, const at::Tensor& emotion, const at::Tensor& persons) {
  // (The tensors must own their memory: the backward pass needs them later.)
  // Two instants a frame, linearly between features. What lies after the last feature sees the last.
  const std::int64_t frames = emotion.size(1);
  const std::int64_t last = features.size(1) - 1;
  const S2GTiming timing(settings_);
  std::vector<at::Tensor> parts;
  for (int tap = 0; tap < 2; ++tap) {
    std::vector<std::int64_t> low(frames);
    std::vector<std::int64_t> high(frames);
    std::vector<float> share(frames);
    for (std::int64_t k = 0; k < frames; ++k) {
      const S2GTap t = timing.tap(k, tap);
      low[k] = std::min(t.low, last);
      high[k] = std::min(t.high, last);
      share[k] = t.share;
    }
    const auto index = [&](std::vector<std::int64_t>& v) {
      return at::from_blob(v.data(), {frames}, at::kLong).clone().to(features.device());
    };
    const at::Tensor weight = at::from_blob(share.data(), {1, frames, 1}, at::kFloat).clone().to(features.device());
    const at::Tensor below = features.index_select(1, index(low));
    parts.push_back(below + weight * (features.index_select(1, index(high)) - below));
  }
  return run_stacked(at::cat(parts, 2), emotion, persons);
}

S2GOutput S2GModuleImpl::run_stacked(const at::Tensor& stacked, const at::Tensor& emotion, const at::Tensor& persons) {
  at::Tensor who = persons;
  if (!settings_.persons.empty() && !who.defined()) {
    who = at::zeros({1, 1, static_cast<std::int64_t>(settings_.persons.size())}, stacked.options());
    who.select(2, 0).fill_(1.0);
  }
  at::Tensor x = at::relu(input_->forward(stacked));
  x = at::dropout(x, dropout_, is_training()) * emotion_in_->forward(emotion);
  if (person_in_) x = x * person_in_->forward(who);
  const Autocast single(x.device(), false);
  x = x.to(at::kFloat);
  x = std::get<0>(gru_->forward(x));
  x = at::dropout(x, dropout_, is_training()) * emotion_out_->forward(emotion);
  if (person_out_) x = x * person_out_->forward(who);
  S2GOutput out;
  out.weights = head_->forward(x);
  if (offset_head_) {
    out.offsets = offset_head_->forward(x);
    if (basis_.defined()) out.offsets = at::matmul(out.offsets, basis_);
  }
  return out;
}

at::Tensor join_features(const EncoderOutput& encoder, const at::Tensor& energy) {
  return at::cat({at::softmax(encoder.logits, -1), encoder.bottleneck, energy}, 2);
}

std::int64_t usable_motion_frames(std::int64_t motion_frames, std::int64_t features, const S2GSettings& settings) {
  const S2GTiming timing(settings);
  while (motion_frames > 0 && timing.tap(motion_frames - 1, 0).high >= features) --motion_frames;
  return motion_frames;
}

void save_speech_networks(const std::filesystem::path& path, const EncoderModule& encoder, const S2GModule& s2g,
                          const std::vector<std::string>& expression_names,
                          const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter out;
  for (const auto& [key, value] : metadata) out.metadata(key, value);
  std::string names;
  for (const std::string& name : expression_names) names += (names.empty() ? "" : " ") + name;
  out.metadata("format", kSpeechModelFormat);
  if (const int delay = s2g->settings().encoder_delay; delay != kEncoderDelay) {
    out.metadata(kEncoderDelayMetadata, fmt::format("{}", delay));
  }
  out.metadata("expression_names", names);
  add_parameters(out, "encoder", *encoder);
  add_parameters(out, "s2g", *s2g);
  if (!s2g->settings().first_form()) out.metadata(kS2GMetadata, s2g_settings_json(s2g->settings()));
  add_offsets(out, s2g);
  out.write(path);
}

void load_speech_networks(const std::filesystem::path& path, const EncoderModule& encoder, const S2GModule& s2g) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  read_parameters(file, "encoder", *encoder);
  read_s2g(file, s2g);
}

}  // namespace mien
