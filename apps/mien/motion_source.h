// Where the evaluations of lips, visemes and emotions take their motion from: the actor's truth or the speech networks.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "mien/head/emotion.h"
#include "mien/head/head_model.h"
#include "mien/head/head_motion.h"
#include "mien/head/phone.h"
#include "mien/media/audio.h"

namespace mien::app {

struct MotionSource {
  std::string motion = "network";  // "network": from the sound alone; "truth": the actor on the given phones
  std::string head;                // head file; empty = the built head
  std::string avatar;              // avatar whose head is used instead; empty = none
  std::string speech;              // networks; empty = the shipped ones
  double fps = 30;
};

// Adds --motion, --head, --avatar, --speech and --fps.
void add_motion_options(CLI::App& command, MotionSource& source);

HeadModel load_head(const MotionSource& source);

// Speech only, no idle motion. `phones` are used by "truth", `audio` by "network".
HeadMotion make_motion(const MotionSource& source, const HeadModel& head, const Audio& audio, const PhoneTrack& phones,
                       const EmotionTrack& emotion);

// Which viseme is said when, at 100 Hz, from the networks' phone posteriors (or from the phones for "truth").
std::vector<Viseme> make_visemes(const MotionSource& source, const Audio& audio, const PhoneTrack& phones);
constexpr double kVisemeRate = 100;

// FILE.wav -> FILE.phone.json when `given` is empty; throws kBadArgument when the counts differ.
std::vector<std::string> phone_files(const std::vector<std::string>& audio, const std::vector<std::string>& given);

}  // namespace mien::app
