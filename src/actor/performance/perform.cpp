#include <algorithm>
#include <cmath>

#include "actor/performance/coarticulation.h"
#include "actor/performance/emotion_face.h"
#include "actor/performance/lip_solver.h"
#include "mien/actor/performance.h"
#include "mien/base/error.h"

namespace mien {
namespace {

using namespace arkit;

void check_arguments(const PhoneTrack& phones, double seconds, const HeadModel& model,
                     const PerformanceOptions& options) {
  const auto require = [](bool good, const std::string& found, const char* mend) {
    if (!good) throw Error(ErrorCode::kBadArgument, "performance: " + found, mend);
  };
  require(options.fps > 0 && options.fps <= 240, fmt::format("{} frames a second", options.fps),
          "give more than 0, at most 240");
  require(seconds >= 0 && seconds <= 36000, fmt::format("{} seconds", seconds), "give 0 to 36000");
  require(options.articulation >= 0 && options.articulation <= 2, fmt::format("articulation {}", options.articulation),
          "give 0 to 2");
  require(options.emotion >= 0 && options.emotion <= 1.5f, fmt::format("emotion scale {}", options.emotion),
          "give 0 to 1.5");
  double now = -1e9;
  for (const Phone& phone : phones) {
    require(
        std::isfinite(phone.begin) && std::isfinite(phone.end) && phone.end >= phone.begin && phone.begin >= now - 1e-3,
        fmt::format("phone {} from {} to {} s after one that ends at {}", phone.name, phone.begin, phone.end, now),
        "phones must follow each other in time");
    now = phone.end;
  }
  bool arkit = model.expression_count() >= kArkitCount;
  for (int e = 0; arkit && e < kArkitCount; ++e) arkit = model.expression_names[e] == kArkitNames[e];
  require(arkit, fmt::format("head model \"{}\" does not begin with the 52 ARKit expressions", model.id),
          "use a head built by `mien head build`");
}

// One frame's mouth and emotion on the mesh.
FaceWeights frame_weights(const MouthMoment& moment, const EmotionFace& face, const LipSolver& solver) {
  const MouthPose& pose = moment.pose;
  const ContactState& contact = moment.contact;
  const float awake = 1 - contact.rest;
  const float activity = awake * std::min(1.0f, 0.35f + pose[kGap] / 8);
  const float meet = std::max({contact.lips, contact.lip_teeth, contact.rest});
  const float rounding = std::min(1.0f, awake * (pose[kPucker] + 0.7f * pose[kFunnel]));

  FaceWeights w = mouth_while_speaking(face.mouth, activity, meet, rounding);
  for (int e = 0; e < kFaceCount; ++e) w[e] += face.upper[e];
  const auto both = [&](int left, float amount) {
    w[left] += amount;
    w[left + 1] += amount;
  };
  w[kMouthPucker] += awake * pose[kPucker];
  w[kMouthFunnel] += awake * pose[kFunnel] * (1 - contact.lips);
  both(kMouthStretchLeft, awake * pose[kStretch]);
  both(kMouthSmileLeft, awake * 0.8f * pose[kSmile]);
  both(kMouthUpperUpLeft, awake * pose[kUpperUp] * (1 - contact.lips));
  both(kMouthLowerDownLeft, awake * pose[kLowerDown] * (1 - contact.lips));
  both(kMouthPressLeft, contact.lips * 0.18f);
  w[kMouthRollLower] += awake * pose[kRollLower];
  w[kJawForward] += awake * pose[kJawAhead];
  w[kTongueOut] += awake * pose[kTipOut] * (1 - meet);
  w[kTongueUp] += awake * pose[kTipUp];
  for (float& weight : w) weight = std::clamp(weight, 0.0f, 1.0f);

  // The gap: wanted by the phones, taken away by contacts.
  const float jaw = pose[kJaw] * awake * (1 - contact.lips) + 1.2f * contact.lips;
  w[kJawOpen] = std::clamp(w[kJawOpen] + solver.jaw_for(jaw), 0.0f, 1.0f);
  const float open = pose[kGap] * awake * (1 - contact.lips);
  solver.reach_gap(std::max(0.0f, open), w);

  const auto mix = [&](const FaceWeights& target, float share) {
    for (int e = 0; e < kFaceCount; ++e) w[e] += share * (target[e] - w[e]);
  };
  if (contact.lip_teeth > 0) {
    FaceWeights touching = w;
    solver.touch_teeth(touching);
    mix(touching, contact.lip_teeth);
  }
  const float closed = std::max(contact.lips, contact.rest);
  if (closed > 0) {
    FaceWeights shut = w;
    solver.close(contact.lips >= contact.rest ? -0.25f : -0.1f, shut);
    mix(shut, closed);
  }
  return w;
}

}  // namespace

HeadMotion perform(const PhoneTrack& phones, double seconds, const EmotionTrack& emotion, const HeadModel& model,
                   const PerformanceOptions& options) {
  check_arguments(phones, seconds, model, options);
  const MouthTrack mouth(phones, seconds, options.fps, options.articulation);
  const LipSolver solver(model);
  IdleOptions idle_options = options.idle;
  idle_options.seed = options.seed;
  IdleMotion idle(idle_options);

  HeadMotion motion;
  motion.head_model = model.id;
  motion.expression_names = model.expression_names;
  motion.fps = options.fps;
  const int frames = static_cast<int>(std::ceil(seconds * options.fps - 1e-6));
  motion.frames.resize(frames);
  for (int i = 0; i < frames; ++i) {
    const double time = i / options.fps;
    MotionFrame& frame = motion.frames[i];
    frame.emotion = emotion.at(time);
    EmotionVector felt = frame.emotion;
    for (int e = 1; e < kEmotionCount; ++e) felt[e] = std::clamp(felt[e] * options.emotion, 0.0f, 1.0f);

    MouthMoment moment = mouth.at(time);
    const float size = emotion_articulation(felt);
    moment.pose[kGap] *= size;
    moment.pose[kJaw] *= size;
    const EmotionFace face = emotion_parts(felt);
    frame.expression.assign(model.expression_count(), 0.0f);
    solver.write(frame_weights(moment, face, solver), frame.expression);
    if (options.idle_on) add_idle(idle.step(i == 0 ? 0 : 1 / options.fps, mouth.energy(time), felt), frame);
  }
  return motion;
}

}  // namespace mien
