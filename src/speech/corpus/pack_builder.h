// Makes a speech pack: recordings and synthetic voices with phone times in, spectra, labels and performances out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/base/random.h"
#include "mien/head/head_model.h"
#include "mien/head/phone.h"
#include "mien/media/audio.h"
#include "speech/corpus/face_track.h"
#include "speech/training/speech_pack.h"

namespace mien {

struct PackOptions {
  std::uint64_t seed = 1;
  int renders = 2;               // performances with different emotions a clip
  double margin = 0.25;          // seconds of silence kept at either end
  float resample_range = 0.15f;  // speed, pitch and formants together, as a share, where a clip is varied
};

class PackBuilder {
 public:
  // Without a model the pack holds phones only. The model must outlive the builder.
  PackBuilder(const HeadModel* model, const PackOptions& options);

  // Goes on with a pack made before for the same head, instead of an empty one.
  void start_from(SpeechPack pack) { pack_ = std::move(pack); }

  // Adds one utterance. Phone "?" marks speech of unknown content. `vary` changes its speed and pitch at random.
  // `emotion` is what the voice expresses, if anything; the first performance then shows it.
  void add(const std::string& speaker, Audio audio, PhoneTrack phones, bool vary,
           const EmotionVector* emotion = nullptr);
  // Adds a recorded performance: sound with the motion of one face, cut where it is quiet. `known`: the weights that
  // the recording knows; the others teach nothing. `person`: whose way of moving it is. Needs a model.
  void add_take(const std::string& speaker, const std::string& person, Audio audio, const FaceTrack& track,
                const std::vector<std::string>& known);
  double seconds(const std::string& speaker) const;
  const std::vector<std::string>& speakers() const { return pack_.speakers; }
  SpeechPack take() { return std::move(pack_); }

 private:
  int speaker_index(const std::string& speaker, const std::string& person);
  void add_render(SpeechClip& clip, const PhoneTrack& phones, const EmotionVector* emotion);

  const HeadModel* model_;
  PackOptions options_;
  Random random_;
  SpeechPack pack_;
};

// An emotion to practise: often neutral, else one of the seven with an intensity in [0.2, 1], sometimes two of them.
EmotionVector random_emotion(Random& random);

// Lines "speaker<TAB>wave file<TAB>phone:begin:end<TAB>..." -> clips, or, for a recorded face,
// "speaker<TAB>wave file<TAB>track=FILE.npy<TAB>columns=FILE.txt<TAB>map=FILE.csv" (see face_track.h; the speaker is a
// person of the pack, too). Throws kBadFile with the line number.
struct ManifestEntry {
  std::string speaker;
  std::filesystem::path audio;
  PhoneTrack phones;
  std::filesystem::path track, columns, map;  // all or none
};
std::vector<ManifestEntry> read_manifest(const std::filesystem::path& path);

}  // namespace mien
