#include "motion/training/validation.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <map>

#include "mien/head/phone.h"
#include "motion/training/stream_tensors.h"

namespace mien {
namespace {

// Kinds of phones that lips treat alike.
constexpr const char* kPhoneGroups[] = {"silence", "bilabial", "labiodental", "other", "unknown"};

bool is_bilabial(int phone) {
  static const int p = phone_index("P");
  static const int b = phone_index("B");
  static const int m = phone_index("M");
  return phone == p || phone == b || phone == m;
}

bool is_labiodental(int phone) {
  static const int f = phone_index("F");
  static const int v = phone_index("V");
  return phone == f || phone == v;
}

int phone_group(std::int64_t phone) {
  if (phone < 0) return 4;
  if (is_bilabial(static_cast<int>(phone))) return 1;
  if (is_labiodental(static_cast<int>(phone))) return 2;
  return phone == 0 ? 0 : 3;
}

}  // namespace

std::vector<std::int64_t> map_persons(const SpeechPack& pack, const S2GSettings& settings) {
  std::vector<std::int64_t> map;
  for (const std::string& person : pack.persons) map.push_back(settings.person_index(person));
  return map;
}

SpeechTrainingReport validate_speech(const SpeechPack& pack, const StreamSampler& sampler,
                                     const SpeechTrainingOptions& options, EncoderModule& encoder, S2GModule& s2g,
                                     const LipLoss* lip_loss, bool all) {
  const at::NoGradGuard no_grad;
  const at::Device device = encoder->parameters().front().device();
  const std::vector<std::int64_t> person_map = map_persons(pack, s2g->settings());
  encoder->eval();
  s2g->eval();
  SpeechTrainingReport r;
  std::int64_t frames = 0, phones = 0, visemes = 0, bilabial = 0, found = 0, claimed = 0;
  std::int64_t labiodental = 0, labiodental_found = 0, labiodental_claimed = 0;
  int clips = 0;
  int moved = 0;
  struct Sums {
    std::int64_t frames = 0, right = 0;
    std::array<std::int64_t, std::size(kPhoneGroups)> lip_frames{};
    std::array<double, std::size(kPhoneGroups)> lip_mm{};
  };
  std::map<std::string, Sums> speakers;
  for (std::size_t c = 0; c < pack.clips.size(); ++c) {
    const std::string& speaker = pack.speakers[pack.clips[c].speaker];
    const auto& out = options.streams.leave_out;
    if (std::find(out.begin(), out.end(), speaker) == out.end()) continue;
    if (!all && clips >= 20) break;
    ++clips;
    const StreamBatch batch = sampler.whole_clip(static_cast<int>(c));
    const StreamTensors t = upload(batch, device);
    const EncoderOutput output = encoder->forward(t.features);
    const at::Tensor best = output.logits.argmax(-1).to(at::kCPU).contiguous();
    for (int n = options.encoder_delay; n < batch.steps; ++n) {
      const auto truth = static_cast<int>(batch.labels[n - options.encoder_delay]);
      const auto guess = static_cast<int>(best.data_ptr<std::int64_t>()[n]);
      if (truth < 0) continue;
      ++frames;
      phones += truth == guess;
      ++speakers[speaker].frames;
      speakers[speaker].right += truth == guess;
      visemes += phone_viseme(truth) == phone_viseme(guess);
      bilabial += is_bilabial(truth);
      claimed += is_bilabial(guess);
      found += is_bilabial(truth) && is_bilabial(guess);
      labiodental += is_labiodental(truth);
      labiodental_claimed += is_labiodental(guess);
      labiodental_found += is_labiodental(truth) && is_labiodental(guess);
    }
    if (lip_loss != nullptr && !pack.clips[c].renders.empty()) {
      const MotionPrediction motion = predict_motion(s2g, output, t, person_map);
      const MotionLoss loss =
          (*lip_loss)(motion.predicted, motion.truth, motion.known, options.motion, motion.channels);
      r.lip_mm += loss.lip_mm;
      r.closed_gap_mm += loss.gap_mm;
      ++moved;
      const at::Tensor errors =
          lip_loss->lip_errors(motion.predicted, motion.truth, motion.channels).to(at::kCPU).contiguous();
      Sums& sums = speakers[speaker];
      for (std::int64_t k = 0; k < errors.size(1); ++k) {
        const int group = phone_group(batch.labels[std::min<std::int64_t>(k * 5 / 3, batch.steps - 1)]);
        sums.lip_mm[group] += errors.data_ptr<float>()[k];
        ++sums.lip_frames[group];
      }
    }
  }
  const auto share = [](std::int64_t a, std::int64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
  };
  r.phone_accuracy = share(phones, frames);
  r.viseme_accuracy = share(visemes, frames);
  r.bilabial_recall = share(found, bilabial);
  r.bilabial_precision = share(found, claimed);
  r.labiodental_recall = share(labiodental_found, labiodental);
  r.labiodental_precision = share(labiodental_found, labiodental_claimed);
  r.lip_mm /= std::max(1, moved);
  r.closed_gap_mm /= std::max(1, moved);
  for (const auto& [name, sums] : speakers) {
    Json groups = Json::object();
    for (std::size_t g = 0; g < std::size(kPhoneGroups); ++g) {
      if (sums.lip_frames[g] > 0) groups[kPhoneGroups[g]] = sums.lip_mm[g] / static_cast<double>(sums.lip_frames[g]);
    }
    r.by_speaker[name] = {{"phone_accuracy", share(sums.right, sums.frames)}, {"lip_mm_by_phones", groups}};
  }
  return r;
}

}  // namespace mien
