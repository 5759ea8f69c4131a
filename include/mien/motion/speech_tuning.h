// One person's own S2GNet: fine-tuned from the sound and motion of a capture of that person.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "mien/base/json.h"
#include "mien/base/progress.h"
#include "mien/capture/capture.h"
#include "mien/motion/s2g_settings.h"
#include "mien/speech/speech_encoder.h"

namespace mien {

struct SpeechTuningOptions {
  std::filesystem::path init;                    // networks to start from (models/speech.safetensors)
  std::shared_ptr<const SpeechEncoder> encoder;  // what the net shall listen to; null = what `init` listens to
  std::string person;                            // in the table of persons; "" = the capture's
  // kPca and kVertices: free offsets beside the weights. Motion with offsets gives what the weights do not show; for
  // motion without any the offsets become the whole geometry (as in the paper) and the weights stay 0.
  S2GHead head = S2GHead::kWeights;
  bool emotion = true;        // false: the network is told nothing of the emotion, all is neutral to it (an ablation)
  int components = 40;        // of kPca; fewer when there are fewer frames
  int lookahead_frames = -1;  // -1 = as `init`
  int steps = 600;
  int batch = 8;
  double seconds = 3.2;  // of each stretch
  double rate = 3e-4;    // AdamW, cosine to 1/100 after a warm-up of 3 %
  double dropout = 0.1;
  std::uint64_t seed = 1;
  std::string device = "auto";  // cpu, cuda, or auto: CUDA when there is one
  // single; mixed: what is safe in bfloat16 (neither the recurrent layers nor heads, losses and optimiser); or auto:
  // mixed on GPUs that have it.
  std::string precision = "auto";
  std::filesystem::path checkpoint;  // written now and then; if there, the run goes on from it. Empty = none
  std::filesystem::path log;         // JSON, one line a report; empty = none
  int save_every = 100;              // steps
  int report_every = 20;
  ProgressCallback progress;  // false = stop after a checkpoint
};

struct SpeechTuningReport {
  int steps = 0;
  bool finished = false;
  bool leads = true;   // false on all ranks but the first, which alone writes and measures
  double seconds = 0;  // of training, all runs together
  std::string device, person;
  // Of the sequences of the test split (of all when there are none): mean lip vertex error in all, before and after,
  // and after by kind of phone.
  double lip_mm_before = 0, lip_mm = 0;
  Json by_phones = Json::object();
  bool held_out = false;
};

// Trains on the capture's train split and writes `out` atomically: networks for SpeechModel::load(), whose default
// person is this one. A stopped run goes on from its checkpoint and ends, on the CPU with as many threads, with the
// same bits as one that was never stopped. Several processes train together where the environment says so
// (mien/base/rank_group.h): the same as one with so many times the batch. Throws kBadArgument (options; no sequence
// with sound and motion; a checkpoint of another run), kNotFound, kBadFile, kInternal (NaN, naming the tensor).
SpeechTuningReport tune_speech(const Capture& capture, const SpeechTuningOptions& options,
                               const std::filesystem::path& out);

}  // namespace mien
