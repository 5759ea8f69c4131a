#include "mien/actor/idle.h"

#include <algorithm>
#include <cmath>

#include "actor/performance/emotion_face.h"
#include "actor/performance/eyes.h"
#include "actor/performance/slow_noise.h"
#include "mien/base/error.h"

namespace mien {
namespace {

using namespace arkit;

constexpr float kDegree = 0.017453293f;

// How an emotion moves, at full intensity; neutral is all 1 and 0.
struct Manner {
  float sway;        // size of head drift
  float nod;         // size of nods
  float blink_wait;  // interval between blinks
  float fixation;    // length of fixations
  float breath;      // breathing rate
  float tremble;     // degrees
  Vec3 posture;      // degrees: pitch (down), yaw (left), roll (right)
  float gaze_pitch;  // degrees
};

Manner manner_of(int emotion) {
  switch (static_cast<Emotion>(emotion)) {
    case Emotion::kAngry:
      return {1.25f, 1.7f, 1.2f, 1.2f, 1.3f, 0.05f, Vec3(5.0f, 0, 0), 0};
    case Emotion::kContempt:
      return {0.7f, 0.6f, 1.1f, 1.1f, 0.95f, 0, Vec3(-5.5f, 5.0f, -3.5f), 0};
    case Emotion::kDisgusted:
      return {0.9f, 0.9f, 0.9f, 0.8f, 1.0f, 0, Vec3(-3.5f, -6.0f, 2.0f), 0};
    case Emotion::kFear:
      return {0.9f, 0.6f, 0.7f, 0.45f, 1.7f, 0.22f, Vec3(-4.0f, -2.0f, 0), 0};
    case Emotion::kHappy:
      return {1.35f, 1.3f, 1.0f, 1.0f, 1.1f, 0, Vec3(-2.0f, 0, 3.5f), 0};
    case Emotion::kSad:
      return {0.6f, 0.5f, 0.9f, 1.4f, 0.85f, 0, Vec3(8.0f, -1.5f, 3.0f), -7};
    case Emotion::kSurprised:
      return {1.1f, 1.1f, 1.5f, 1.2f, 1.3f, 0, Vec3(-4.5f, 0, 0), 0};
    case Emotion::kNeutral:
      break;
  }
  return {1, 1, 1, 1, 1, 0, Vec3::Zero(), 0};
}

Manner blend_manner(const EmotionVector& emotion) {
  Manner m = manner_of(0);
  for (int e = 1; e < kEmotionCount; ++e) {
    const float w = std::clamp(emotion[e], 0.0f, 1.0f);
    if (w == 0) continue;
    const Manner other = manner_of(e);
    m.sway += w * (other.sway - 1);
    m.nod += w * (other.nod - 1);
    m.blink_wait += w * (other.blink_wait - 1);
    m.fixation += w * (other.fixation - 1);
    m.breath += w * (other.breath - 1);
    m.tremble += w * other.tremble;
    m.posture += w * other.posture;
    m.gaze_pitch += w * other.gaze_pitch;
  }
  m.fixation = std::max(0.3f, m.fixation);
  m.blink_wait = std::max(0.4f, m.blink_wait);
  m.sway = std::max(0.2f, m.sway);
  m.nod = std::max(0.2f, m.nod);
  return m;
}

// A single raised-cosine bump in time.
struct Bump {
  double begin = -10;
  double length = 0.5;
  float size = 0;
  float at(double now) const {
    const double x = (now - begin) / length;
    return x <= 0 || x >= 1 ? 0.0f : size * static_cast<float>(0.5 - 0.5 * std::cos(2 * M_PI * x));
  }
};

float ease(double x) {
  return static_cast<float>(0.5 - 0.5 * std::cos(M_PI * std::clamp(x, 0.0, 1.0)));
}

void check_scale(const char* name, float value) {
  if (!(value >= 0 && value <= 3)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("idle motion's {} scale is {}", name, value), "give 0 to 3");
  }
}

}  // namespace

struct IdleMotion::Impl {
  enum Channel {
    kYaw,
    kPitch,
    kRoll,
    kLeanX,
    kLeanZ,
    kTrunkYaw,
    kTone,
    kBrow,
    kCorner,
    kTremble1,
    kTremble2,
    kChannels
  };

  explicit Impl(const IdleOptions& o)
      : options(o), random(o.seed, 10), blinker(o.seed * 7919 + 1, o.blink), gaze(o.seed * 7919 + 2, o.gaze) {
    for (int c = 0; c < kChannels; ++c) {
      noise[c] = SlowNoise(c >= kTremble1                                 ? 0.03
                           : c == kLeanX || c == kLeanZ || c == kTrunkYaw ? 1.6
                           : c == kTone                                   ? 1.0
                                                                          : 0.55);
    }
    // Start in the middle of a life, not at its beginning.
    for (int i = 0; i < 1200; ++i) tick();
    breath_phase = random.uniform();
  }

  void tick() {
    for (SlowNoise& n : noise) n.tick(random);
  }

  // Follows the sound: nods and brow raises start where the energy rises, at most about two a second.
  void hear(double dt, float energy) {
    const auto follow = [&](float& level, double tau) {
      level += static_cast<float>(1 - std::exp(-dt / tau)) * (energy - level);
    };
    follow(fast, 0.04);
    follow(slow, 0.45);
    follow(speaking, 0.8);
    if (fast - slow > 0.18f && now > last_onset + 0.45) {
      last_onset = now;
      if (random.uniform() < 0.55f) nod = {now, random.uniform(0.35f, 0.60f), random.uniform(0.8f, 2.6f) * kDegree};
      if (random.uniform() < 0.22f) brow = {now - 0.05, random.uniform(0.4f, 0.7f), random.uniform(0.10f, 0.28f)};
    }
  }

  IdleFrame step(double dt, float energy, const EmotionVector& emotion);

  IdleOptions options;
  Random random;
  Blinker blinker;
  Gaze gaze;
  std::array<SlowNoise, kChannels> noise;
  Manner manner = manner_of(0);
  bool first = true;
  double now = 0;
  std::int64_t ticks = 0;
  double breath_phase = 0;
  float fast = 0, slow = 0, speaking = 0;
  double last_onset = -1;
  Bump nod, brow;
};

IdleFrame IdleMotion::Impl::step(double dt, float energy, const EmotionVector& emotion) {
  if (!(dt >= 0 && dt <= 1)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("idle motion is asked to step {} s", dt),
                "step 0 to 1 s at a time");
  }
  now += dt;
  const double exact = now / SlowNoise::kTick;
  for (; static_cast<double>(ticks) < exact; ++ticks) tick();
  const double share = 1 - (static_cast<double>(ticks) - exact);
  hear(dt, std::clamp(std::isfinite(energy) ? energy : 0.0f, 0.0f, 1.0f));

  // Posture and manner follow an emotion within half a second, wherever it jumps.
  const Manner wanted = blend_manner(emotion);
  const float pull = first ? 1.0f : static_cast<float>(1 - std::exp(-dt / 0.35));
  first = false;
  const auto follow = [&](auto& value, const auto& target) { value = value + pull * (target - value); };
  follow(manner.sway, wanted.sway);
  follow(manner.nod, wanted.nod);
  follow(manner.blink_wait, wanted.blink_wait);
  follow(manner.fixation, wanted.fixation);
  follow(manner.breath, wanted.breath);
  follow(manner.tremble, wanted.tremble);
  follow(manner.gaze_pitch, wanted.gaze_pitch);
  manner.posture = (manner.posture + pull * (wanted.posture - manner.posture)).eval();

  IdleFrame frame;
  // Head: posture, drift (livelier while speaking), nods, trembling. Drift of 1 deviation: 1.3, 0.9, 0.8 degrees.
  const float drift = options.sway * manner.sway * (0.75f + 0.9f * speaking) * kDegree;
  Vec3 turn(0.9f * noise[kPitch].value(share), 1.3f * noise[kYaw].value(share), 0.8f * noise[kRoll].value(share));
  turn *= drift;
  turn.x() += options.sway * manner.nod * nod.at(now);
  const Vec3 shiver(noise[kTremble1].value(share), noise[kTremble2].value(share), 0);
  turn += options.sway * manner.tremble * kDegree * shiver;
  turn += std::min(1.0f, options.sway) * kDegree * manner.posture;
  frame.head_rotation = 0.6f * turn;
  frame.neck_rotation = 0.4f * turn;

  // Trunk: breathing and slow leaning.
  breath_phase += dt * 14.0 / 60 * manner.breath * (1 - 0.3 * speaking);
  breath_phase -= std::floor(breath_phase);
  constexpr double kInspiration = 0.4;
  const float breath = breath_phase < kInspiration ? ease(breath_phase / kInspiration)
                                                   : 1 - ease((breath_phase - kInspiration) / (1 - kInspiration));
  frame.translation = Vec3(0.0016f * options.sway * noise[kLeanX].value(share), 0.0022f * options.breathing * breath,
                           0.0020f * options.sway * noise[kLeanZ].value(share));
  frame.root_rotation =
      Vec3(-0.35f * options.breathing * breath, 0.5f * options.sway * noise[kTrunkYaw].value(share), 0) * kDegree;

  // Eyes: gaze holds its target while the head turns (vestibulo-ocular reflex).
  const std::array<float, 2> look =
      gaze.step(now, manner.fixation, manner.gaze_pitch * kDegree * std::min(1.0f, options.gaze));
  if (gaze.started() > 9 * kDegree && random.uniform() < 0.6f) blinker.blink_now(now);
  const Vec3 all = turn + frame.root_rotation;
  const float hold = options.gaze > 0 ? 1.0f : 0.0f;
  frame.gaze = {std::clamp(look[0] - hold * all.y(), -0.6f, 0.6f), std::clamp(look[1] + hold * all.x(), -0.45f, 0.45f)};

  // Lids.
  const bool small_shift = gaze.in_saccade(now) && gaze.started() < 9 * kDegree;
  const float lids = blinker.step(now, manner.blink_wait, small_shift);
  frame.blinking = blinker.active(now);
  frame.expression[kEyeBlinkLeft] = frame.expression[kEyeBlinkRight] = lids;

  // Tone: the emotion's own muscles swell and fade a little, brows stress words. Sneers stay: they move the upper lip,
  // which may be in contact.
  const EmotionFace face = emotion_parts(emotion);
  const float tone = 0.09f * options.variation * std::clamp(noise[kTone].value(share), -2.0f, 2.0f);
  for (int w = kBrowDownLeft; w <= kCheekSquintRight; ++w) frame.expression[w] += tone * face.upper[w];
  for (int w : {kEyeSquintLeft, kEyeSquintRight, kEyeWideLeft, kEyeWideRight})
    frame.expression[w] += tone * face.upper[w];
  const float corner = 0.07f * options.variation * std::clamp(noise[kCorner].value(share), -2.0f, 2.0f);
  for (int w = kMouthSmileLeft; w <= kMouthDimpleRight; ++w) frame.expression[w] += corner * face.mouth[w];
  const float lift = options.variation * (brow.at(now) + 0.03f * std::max(0.0f, noise[kBrow].value(share)));
  frame.expression[kBrowInnerUp] += 0.8f * lift;
  frame.expression[kBrowOuterUpLeft] += lift;
  frame.expression[kBrowOuterUpRight] += 0.9f * lift;
  return frame;
}

IdleMotion::IdleMotion(const IdleOptions& options) {
  check_scale("blink", options.blink);
  check_scale("gaze", options.gaze);
  check_scale("sway", options.sway);
  check_scale("breathing", options.breathing);
  check_scale("variation", options.variation);
  impl_ = std::make_unique<Impl>(options);
}
IdleMotion::~IdleMotion() = default;
IdleMotion::IdleMotion(IdleMotion&&) noexcept = default;
IdleMotion& IdleMotion::operator=(IdleMotion&&) noexcept = default;

IdleFrame IdleMotion::step(double dt, float speech_energy, const EmotionVector& emotion) {
  return impl_->step(dt, speech_energy, emotion);
}

Posture emotion_posture(const EmotionVector& emotion) {
  const Manner manner = blend_manner(emotion);
  return {manner.posture * kDegree, manner.gaze_pitch * kDegree};
}

void add_idle(const IdleFrame& idle, MotionFrame& frame) {
  MIEN_CHECK(frame.expression.size() >= kArkitCount, "{} weights, {} needed", frame.expression.size(), kArkitCount);
  const auto turn = [](const Vec3& r) {
    return Quat(Eigen::AngleAxisf(r.y(), Vec3::UnitY()) * Eigen::AngleAxisf(r.x(), Vec3::UnitX()) *
                Eigen::AngleAxisf(r.z(), Vec3::UnitZ()));
  };
  frame.pose.head = (turn(idle.head_rotation) * frame.pose.head).normalized();
  frame.pose.neck = (turn(idle.neck_rotation) * frame.pose.neck).normalized();
  frame.pose.root = (turn(idle.root_rotation) * frame.pose.root).normalized();
  frame.pose.translation += idle.translation;
  for (int i = 0; i < 2; ++i) {
    frame.pose.gaze_left[i] += idle.gaze[i];
    frame.pose.gaze_right[i] += idle.gaze[i];
  }
  std::vector<float>& w = frame.expression;
  for (int e = 0; e < kArkitCount; ++e) {
    if (e == kEyeBlinkLeft || e == kEyeBlinkRight) continue;
    w[e] = std::clamp(w[e] + idle.expression[e], 0.0f, 1.0f);
  }
  // A blink overrules what else the lids do: wide or squinting eyes shut just as fully, and no further.
  const auto blink = [&](int shut, int wide, int squint) {
    const float b = std::clamp(idle.expression[shut], 0.0f, 1.0f);
    w[shut] = std::max(w[shut], b);
    w[wide] *= 1 - b;
    w[squint] *= 1 - 0.8f * b;
  };
  blink(kEyeBlinkLeft, kEyeWideLeft, kEyeSquintLeft);
  blink(kEyeBlinkRight, kEyeWideRight, kEyeSquintRight);
  // The lids ride on the eyeball: full weights at 25 degrees up and down, 35 sideways.
  const auto lids = [&](const std::array<float, 2>& gaze, int shut, int down, int up, int to_left, int to_right) {
    const auto raise = [&](int weight, float angle, float full) {
      w[weight] = std::max(w[weight], (1 - w[shut]) * std::clamp(angle / (full * kDegree), 0.0f, 1.0f));
    };
    raise(down, -gaze[1], 25);
    raise(up, gaze[1], 25);
    raise(to_left, gaze[0], 35);
    raise(to_right, -gaze[0], 35);
  };
  lids(frame.pose.gaze_left, kEyeBlinkLeft, kEyeLookDownLeft, kEyeLookUpLeft, kEyeLookOutLeft, kEyeLookInLeft);
  lids(frame.pose.gaze_right, kEyeBlinkRight, kEyeLookDownRight, kEyeLookUpRight, kEyeLookInRight, kEyeLookOutRight);
}

}  // namespace mien
