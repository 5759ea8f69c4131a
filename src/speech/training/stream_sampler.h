// Endless training streams: clips of random speakers one after the other with pauses between, in a random room.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "speech/training/augment.h"
#include "speech/training/speech_pack.h"

namespace mien {

struct StreamOptions {
  int batch = 32;
  double seconds = 6.4;  // of each stream; a multiple of 0.1
  AugmentOptions augment;
  float one_voice = 0.8f;     // probability that a stream is one speaker's from beginning to end
  float long_pauses = 0.08f;  // probability of 2 to 6 seconds without speech before a clip, at most 0.5
  // A deep floor: weak fricatives (F, TH) lie 40 dB below vowels and differ from silence only there.
  FeatureOptions features = {.band_means = false, .depth = 13.5f};
  std::vector<std::string> leave_out;  // speakers kept for validation
  // Prefixes of speakers' names and how much oftener than others these are heard; the first that fits counts.
  std::vector<std::pair<std::string, float>> favour;
};

// One batch, row-major. T mel frames, N = T / 2 labels, K = 0.3 T motion frames.
struct StreamBatch {
  int batch = 0, mel_frames = 0, steps = 0, motion_frames = 0, expressions = 0;
  std::vector<float> features;       // [B, T, kMelBands] normalised as FeatureNormalizer does it
  std::vector<float> energy;         // [B, N, 2] as EncoderStep has them
  std::vector<std::int64_t> labels;  // [B, N] phone of each 20 ms slot; -100 = unknown
  std::vector<float> motion;         // [B, K, E]
  std::vector<float> motion_known;   // [B, K] 1 or 0
  std::vector<float> emotion;        // [B, K, 8]
  std::vector<std::int64_t> person;  // [B, K]; empty when the pack has no persons
  std::vector<float> channels;       // [B, K, E] 1 or 0: which weights are known; empty when all are
};

class StreamSampler {
 public:
  StreamSampler(const SpeechPack& pack, const StreamOptions& options);  // `pack` must outlive the sampler
  // Batch number `index` of this seed: independent of what was sampled before, and of the number of threads. Of several
  // ranks each draws its own rows: together those of a batch that is so many times as large.
  StreamBatch sample(std::uint64_t seed, std::uint64_t index, int rank = 0) const;
  // One clip as it is, without augmentation (batch of 1).
  StreamBatch whole_clip(int clip) const;

 private:
  void fill(StreamBatch& batch, int row, Random& random) const;
  void finish(StreamBatch& batch, int row, MelRows& rows) const;
  void put_motion(StreamBatch& batch, int row, int at, int count, const SpeechClip& clip, const SpeechRender* render,
                  int from, int step) const;
  StreamBatch make_batch(int batch, int mel_frames) const;

  const SpeechPack& pack_;
  StreamOptions options_;
  std::vector<std::vector<int>> clips_of_;  // [speaker]
  std::vector<float> share_;                // [speaker], cumulative, last = 1
};

}  // namespace mien
