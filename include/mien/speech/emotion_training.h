// Trains an emotion network (emotion_network.h) on recordings that a user has labelled.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/base/json.h"
#include "mien/base/progress.h"
#include "mien/head/emotion.h"

namespace mien {

struct EmotionTrainingOptions {
  int steps = 1200;
  int batch = 24;      // streams a step
  double seconds = 6;  // of a stream
  double rate = 2e-3;  // AdamW, cosine to 1/100 after a warm-up of 3 %
  double dropout = 0.2;
  std::uint64_t seed = 1;
  // Speakers that are not trained on but scored; empty = one in five, drawn by the seed, of those with most emotions.
  std::vector<std::string> leave_out;
  bool train_on_all = false;         // nobody is left out, nothing is scored
  std::filesystem::path checkpoint;  // written now and then; if there, the run goes on from it. Empty = none
  std::filesystem::path log;         // JSON, one line a report; empty = none
  int save_every = 200;              // steps
  int report_every = 20;
  ProgressCallback reading;   // files read
  ProgressCallback progress;  // steps; false = stop after a checkpoint
};

struct EmotionTrainingReport {
  int steps = 0;
  bool finished = false;
  bool leads = true;   // false on the ranks that write nothing
  double seconds = 0;  // of training, all runs together
  int files = 0, skipped = 0;
  double minutes = 0;  // of sound
  std::vector<Emotion> classes;
  std::vector<std::string> speakers, left_out;
  bool speakers_known = false;  // otherwise every fifth file of a class is held out, of voices that are trained on
  // Files that were held out: [truth][heard] counts, a file counting as the emotion with the largest mean posterior.
  int scored = 0;
  std::array<std::array<int, kEmotionCount>, kEmotionCount> confusion{};
  double accuracy = 0;         // share of files
  double recall = 0;           // mean over classes
  double chance = 0;           // recall of always saying the same
  double intensity_error = 0;  // mean absolute, files that are not neutral

  Json json() const;
};

// `data` is a folder or a CSV file:
//  - a folder for each emotion, named as emotion_of_label() knows them, with "-mild" (0.5), "-strong" (1) or a number
//    such as "-0.7" behind it if wanted; inside it sounds, or a folder for each speaker with sounds;
//  - a CSV file (or a folder with labels.csv in it) whose first line names its columns: file, emotion, and if wanted
//    intensity (0 to 1) and speaker. File names are relative to it.
// Writes `out` atomically. A stopped run goes on from its checkpoint and ends, with as many threads, with the same bits
// as one that was never stopped. Several processes train together when WORLD_SIZE, RANK, MASTER_ADDR and MASTER_PORT
// say so, each with a batch of its own: the same as one with so many times the batch; the first one writes. Files that
// cannot be read, are shorter than 0.3 s or hold no speech are skipped with a warning. Throws kNotFound; kBadFile:
// nothing to train on, an emotion that is none of the eight, a line of the CSV that cannot be read, a single class,
// more than half of the files unreadable, NaN (naming the tensor); kBadArgument: options, unknown speakers, a
// checkpoint of another run.
EmotionTrainingReport train_emotion(const std::filesystem::path& data, const EmotionTrainingOptions& options,
                                    const std::filesystem::path& out);

}  // namespace mien
