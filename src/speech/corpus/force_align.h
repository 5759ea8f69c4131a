// Forced alignment of a transcript with its recording: which phone is said when. Only for building training data.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mien/head/phone.h"

namespace mien {

// Aligns with PocketSphinx's English models in two passes: words (choosing among the dictionary's pronunciations and
// finding pauses), then phones. Against exact phone times the error is about 15 ms (one 10 ms frame and a half).
class ForceAligner {
 public:
  // `model_folder` holds "en-us" (acoustic model) and "cmudict-en-us.dict". Throws kNotFound.
  explicit ForceAligner(const std::filesystem::path& model_folder = "/usr/share/pocketsphinx/model/en-us");
  ~ForceAligner();

  // Lower-case words, numbers spelled out; empty when the text holds a word that the dictionary lacks.
  std::vector<std::string> words(const std::string& text) const;

  // `samples` at 16 kHz mono. Empty when no alignment was found.
  PhoneTrack align(std::span<const float> samples, const std::vector<std::string>& words);
  // The second pass alone: a known phone sequence (ARPAbet names, "SIL" where pauses may be).
  PhoneTrack align_phones(std::span<const float> samples, const std::vector<std::string>& phones);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
