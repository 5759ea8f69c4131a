#include "motion/training/stream_tensors.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace mien {
namespace {

template <typename T>
at::Tensor to_device(const std::vector<T>& values, at::IntArrayRef shape, at::ScalarType type, at::Device device) {
  return at::from_blob(const_cast<T*>(values.data()), shape, type).to(device, type, false, true);
}

// Two spectra make a feature of the mel encoder.
at::Tensor stack_mel(const at::Tensor& features) {
  const std::int64_t pairs = features.size(1) / 2;
  return features.narrow(1, 0, 2 * pairs).reshape({features.size(0), pairs, 2 * kMelBands});
}

}  // namespace

StreamTensors upload(const StreamBatch& b, at::Device device) {
  StreamTensors t{to_device(b.features, {b.batch, b.mel_frames, kMelBands}, at::kFloat, device),
                  to_device(b.energy, {b.batch, b.steps, 2}, at::kFloat, device),
                  to_device(b.labels, {b.batch, b.steps}, at::kLong, device),
                  to_device(b.motion, {b.batch, b.motion_frames, b.expressions}, at::kFloat, device),
                  to_device(b.motion_known, {b.batch, b.motion_frames}, at::kFloat, device),
                  to_device(b.emotion, {b.batch, b.motion_frames, kEmotionCount}, at::kFloat, device),
                  {},
                  {}};
  if (!b.person.empty()) t.person = to_device(b.person, {b.batch, b.motion_frames}, at::kLong, device);
  if (!b.channels.empty()) {
    t.channels = to_device(b.channels, {b.batch, b.motion_frames, b.expressions}, at::kFloat, device);
  }
  return t;
}

MotionPrediction predict_motion(S2GModule& s2g, const EncoderOutput& heard_by_encoder, const StreamTensors& t,
                                const std::vector<std::int64_t>& person_map) {
  const S2GSettings& settings = s2g->settings();
  const std::int64_t frames =
      std::max<std::int64_t>(1, usable_motion_frames(t.motion.size(1), heard_by_encoder.logits.size(1), settings));
  const at::Tensor heard =
      settings.encoder == "mel" ? stack_mel(t.features) : join_features(heard_by_encoder, t.energy);
  at::Tensor persons;
  if (!settings.persons.empty() && t.person.defined()) {
    const at::Tensor map =
        to_device(person_map, {static_cast<std::int64_t>(person_map.size())}, at::kLong, t.person.device());
    const at::Tensor index = map.index_select(0, t.person.narrow(1, 0, frames).reshape({-1}));
    persons = at::one_hot(index, static_cast<std::int64_t>(settings.persons.size()))
                  .to(at::kFloat)
                  .reshape({t.person.size(0), frames, -1});
  }
  return {s2g->run(heard, t.emotion.narrow(1, 0, frames), persons).weights, t.motion.narrow(1, 0, frames),
          t.known.narrow(1, 0, frames), t.channels.defined() ? t.channels.narrow(1, 0, frames) : at::Tensor()};
}

}  // namespace mien
