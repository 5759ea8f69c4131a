// Trains the phonetic encoder, then S2GNet on top of it, from a speech pack.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/base/json.h"
#include "mien/speech/phonetic_encoder.h"
#include "motion/training/losses.h"
#include "speech/training/stream_sampler.h"

namespace mien {

struct SpeechTrainingOptions {
  StreamOptions streams;
  std::string device = "auto";     // "cpu", "cuda", or "auto": CUDA when there is one
  std::string precision = "auto";  // as SpeechTuningOptions has it
  std::uint64_t seed = 1;
  // Each phase ends after its steps or its minutes, whichever comes first; the learning rate follows what is nearer.
  int encoder_steps = 4000;
  int motion_steps = 4000;
  double encoder_minutes = 60;
  double motion_minutes = 60;
  double encoder_rate = 1.5e-3;  // AdamW, cosine to 1/100 after a warm-up of 3 %
  double motion_rate = 1e-3;
  double encoder_rate_in_motion = 5e-5;
  double phone_loss_in_motion = 1.0;
  double dropout = 0.15;
  double weight_average = 0.999;  // what is validated and saved is a running average of the weights with this decay
  double lip_phone_weight = 2;    // of P B M F V frames in the cross-entropy
  MotionLossOptions motion;
  // What S2GNet listens to: "phonetic" or "mel" (packs hold spectra, so nothing that wants the sound itself), and how
  // many frames of the future it sees. Persons are the pack's and those of `init`.
  std::string encoder = "phonetic";
  int lookahead_frames = 0;
  int encoder_delay = kEncoderDelay;  // steps; see phonetic_encoder.h
  std::filesystem::path init;         // continue from this model file; empty = from nothing
  std::filesystem::path log;          // JSON, one line a report; empty = none
  int report_every = 50;              // steps
  int save_every = 500;
};

struct SpeechTrainingReport {
  bool leads = true;          // false on all ranks but the first: nothing else is told
  double phone_accuracy = 0;  // left-out speakers, share of frames
  double viseme_accuracy = 0;
  double bilabial_recall = 0;  // share of P B M frames seen as one of these
  double bilabial_precision = 0;
  double labiodental_recall = 0;  // the same for F V
  double labiodental_precision = 0;
  double lip_mm = 0;
  double closed_gap_mm = 0;
  Json by_speaker = Json::object();  // {"phone_accuracy", "lip_mm", "lip_mm_by_phones": {"bilabial": ...}} of each
};

// Writes `out` (models/speech.safetensors) now and then and at the end. Several processes train together where the
// environment says so (see Ranks): each has `streams.batch` streams a step, gradients are averaged, the first one
// validates and writes; the others' reports are empty.
SpeechTrainingReport train_speech(const SpeechPack& pack, const SpeechTrainingOptions& options,
                                  const std::filesystem::path& out);

}  // namespace mien
