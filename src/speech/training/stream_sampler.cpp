#include "speech/training/stream_sampler.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {

StreamSampler::StreamSampler(const SpeechPack& pack, const StreamOptions& options)
    : pack_(pack), options_(options), clips_of_(pack.speakers.size()) {
  std::vector<double> seconds(pack.speakers.size(), 0.0);
  for (std::size_t c = 0; c < pack.clips.size(); ++c) {
    const int speaker = pack.clips[c].speaker;
    if (std::find(options.leave_out.begin(), options.leave_out.end(), pack.speakers[speaker]) !=
        options.leave_out.end())
      continue;
    clips_of_[speaker].push_back(static_cast<int>(c));
    seconds[speaker] += static_cast<double>(pack.clips[c].mel_count) / kMelRate;
  }
  // Square root: a small speaker is heard more often than its share, for the sake of variety.
  double total = 0;
  for (std::size_t k = 0; k < seconds.size(); ++k) {
    const auto favour = std::find_if(options.favour.begin(), options.favour.end(),
                                     [&](const auto& f) { return pack.speakers[k].starts_with(f.first); });
    total += std::sqrt(seconds[k]) * (favour == options.favour.end() ? 1.0 : favour->second);
    share_.push_back(static_cast<float>(total));
  }
  if (total <= 0) throw Error(ErrorCode::kBadArgument, "no clips are left to train on", "leave fewer speakers out");
  for (float& s : share_) s = static_cast<float>(s / total);
}

StreamBatch StreamSampler::make_batch(int batch, int mel_frames) const {
  StreamBatch b;
  b.batch = batch;
  b.mel_frames = mel_frames;
  b.steps = mel_frames / 2;
  b.motion_frames = mel_frames * 3 / 10;
  b.expressions = pack_.expression_count();
  const auto count = static_cast<std::size_t>(batch);
  b.features.resize(count * b.mel_frames * kMelBands);
  b.energy.resize(count * b.steps * 2);
  b.labels.assign(count * b.steps, 0);
  b.motion.resize(count * b.motion_frames * b.expressions);
  b.motion_known.assign(count * b.motion_frames, 0.0f);
  b.emotion.assign(count * b.motion_frames * kEmotionCount, 0.0f);
  if (!pack_.persons.empty()) b.person.assign(count * b.motion_frames, 0);
  if (!pack_.channel_sets.empty()) b.channels.assign(count * b.motion_frames * b.expressions, 1.0f);
  return b;
}

// Motion frames [at, at + count) of a stream show frames from, from + step, ... of a render.
void StreamSampler::put_motion(StreamBatch& batch, int row, int at, int count, const SpeechClip& clip,
                               const SpeechRender* render, int from, int step) const {
  const int frames = static_cast<int>(clip.mel_count * 3 / 10);
  for (int k = 0; k < count && at + k < batch.motion_frames; ++k) {
    const std::size_t slot = static_cast<std::size_t>(row) * batch.motion_frames + at + k;
    float* emotion = batch.emotion.data() + slot * kEmotionCount;
    if (!batch.person.empty()) batch.person[slot] = pack_.speaker_person[clip.speaker];
    if (render == nullptr) {
      emotion[0] = 1;
      continue;
    }
    const int frame = std::clamp(from + k * step, 0, frames - 1);
    const float t = frames > 1 ? static_cast<float>(frame) / static_cast<float>(frames - 1) : 0.0f;
    for (int e = 0; e < kEmotionCount; ++e) emotion[e] = render->begin[e] * (1 - t) + render->end[e] * t;
    const std::uint8_t* source = pack_.motion.data() + (render->first_frame + frame) * batch.expressions;
    float* target = batch.motion.data() + slot * batch.expressions;
    for (int e = 0; e < batch.expressions; ++e) target[e] = static_cast<float>(source[e]) / 255.0f;
    batch.motion_known[slot] = 1;
    if (render->channels < 0) continue;
    const std::uint8_t* known = pack_.channel_sets.data() + std::size_t{1} * render->channels * batch.expressions;
    std::copy_n(known, batch.expressions, batch.channels.data() + slot * batch.expressions);
  }
}

void StreamSampler::finish(StreamBatch& batch, int row, MelRows& rows) const {
  FeatureNormalizer normalizer(options_.features);
  float smooth = -1.2f;
  for (int t = 0; t < batch.mel_frames; ++t) {
    normalizer.apply(rows[t]);
    const float energy = 0.1f * normalizer.relative_energy();
    smooth += 0.15f * (energy - smooth);
    if (t % 2 == 1) {
      float* slot = batch.energy.data() + (static_cast<std::size_t>(row) * batch.steps + t / 2) * 2;
      slot[0] = energy;
      slot[1] = smooth;
    }
  }
}

void StreamSampler::fill(StreamBatch& batch, int row, Random& random) const {
  MelRows rows;
  rows.reserve(batch.mel_frames + 2000);
  MelFrame silence;
  silence.fill(kMelFloor);
  std::int64_t* labels = batch.labels.data() + static_cast<std::size_t>(row) * batch.steps;
  const SpeechClip* last = nullptr;
  const SpeechRender* last_render = nullptr;
  const bool one_voice = random.uniform() < options_.one_voice;  // as in use; what it hears first tells of the rest
  std::size_t speaker = 0;
  VoiceChange voice;
  while (static_cast<int>(rows.size()) < batch.mel_frames) {
    if (last == nullptr || !one_voice) {
      const float pick = random.uniform();
      speaker = std::upper_bound(share_.begin(), share_.end(), pick) - share_.begin();
      speaker = std::min(speaker, clips_of_.size() - 1);
      while (clips_of_[speaker].empty()) speaker = (speaker + 1) % clips_of_.size();
      voice = random_voice(options_.augment, random);
    }
    const std::vector<int>& own = clips_of_[speaker];
    const SpeechClip& clip = pack_.clips[own[random.below(static_cast<std::uint32_t>(own.size()))]];
    const SpeechRender* render =
        clip.renders.empty()
            ? nullptr
            : &pack_.renders[clip.renders[random.below(static_cast<std::uint32_t>(clip.renders.size()))]];
    // A pause in tenths of seconds: half of it still belongs to the face before, half to the face after.
    // Now and then nobody speaks for seconds: then the network hears the room alone, which must not move the mouth.
    const float kind = random.uniform();
    const int pause = kind < 0.5f                          ? 0
                      : kind < 1.0f - options_.long_pauses ? static_cast<int>(random.below(9))
                                                           : static_cast<int>(20 + random.below(40));
    const int begin = static_cast<int>(rows.size());
    rows.resize(begin + 10 * pause, silence);
    const int half = 3 * (pause / 2);
    const int motion_at = begin * 3 / 10;
    int from = 0;  // the first stream may open in the middle of a clip
    if (begin == 0 && random.uniform() < 0.5f)
      from = 10 * static_cast<int>(random.below(static_cast<std::uint32_t>(clip.mel_count / 10)));
    if (last != nullptr)
      put_motion(batch, row, motion_at, half, *last, last_render, static_cast<int>(last->mel_count), 0);
    const int after = last != nullptr ? half : 0;
    put_motion(batch, row, motion_at + after, 3 * pause - after, clip, render, 0, 0);
    const int start = static_cast<int>(rows.size());
    add_clip(pack_.mel.data() + (clip.first_mel + from) * kMelBands, clip.mel_count - from, voice, random, rows);
    put_motion(batch, row, start * 3 / 10, static_cast<int>(clip.mel_count - from) * 3 / 10, clip, render,
               from * 3 / 10, 1);
    for (std::int64_t i = 0; i < (clip.mel_count - from) / 2 && start / 2 + i < batch.steps; ++i) {
      const std::uint8_t label = pack_.labels[(clip.first_mel + from) / 2 + i];
      labels[start / 2 + i] = label == kUnknownPhone ? -100 : label;
    }
    last = &clip;
    last_render = render;
  }
  rows.resize(batch.mel_frames);
  augment_stream(rows, options_.augment, random);
  finish(batch, row, rows);
  mask_bands(rows, options_.augment, random);
  float* out = batch.features.data() + static_cast<std::size_t>(row) * batch.mel_frames * kMelBands;
  for (const MelFrame& frame : rows) out = std::copy(frame.begin(), frame.end(), out);
}

StreamBatch StreamSampler::sample(std::uint64_t seed, std::uint64_t index, int rank) const {
  StreamBatch batch = make_batch(options_.batch, static_cast<int>(std::lround(options_.seconds * 10)) * 10);
  parallel_for(batch.batch, 1, [&](std::int64_t row) {
    const std::int64_t stream = static_cast<std::int64_t>(rank) * batch.batch + row;
    Random random(seed * 0x9e3779b97f4a7c15ULL + index, 2 * static_cast<std::uint64_t>(stream) + 1);
    fill(batch, static_cast<int>(row), random);
  });
  return batch;
}

StreamBatch StreamSampler::whole_clip(int index) const {
  const SpeechClip& clip = pack_.clips[index];
  StreamBatch batch = make_batch(1, static_cast<int>(clip.mel_count));
  MelRows rows(clip.mel_count);
  for (std::int64_t t = 0; t < clip.mel_count; ++t) {
    for (int b = 0; b < kMelBands; ++b) rows[t][b] = dequantize_mel(pack_.mel[(clip.first_mel + t) * kMelBands + b]);
  }
  for (int i = 0; i < batch.steps; ++i) {
    const std::uint8_t label = pack_.labels[clip.first_mel / 2 + i];
    batch.labels[i] = label == kUnknownPhone ? -100 : label;
  }
  put_motion(batch, 0, 0, batch.motion_frames, clip, clip.renders.empty() ? nullptr : &pack_.renders[clip.renders[0]],
             0, 1);
  finish(batch, 0, rows);
  float* out = batch.features.data();
  for (const MelFrame& frame : rows) out = std::copy(frame.begin(), frame.end(), out);
  return batch;
}

}  // namespace mien
