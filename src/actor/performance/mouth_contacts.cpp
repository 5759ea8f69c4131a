#include "mien/actor/mouth_contacts.h"

#include <algorithm>
#include <cmath>

#include "actor/performance/lip_solver.h"
#include "mien/base/error.h"

namespace mien {
namespace {

using namespace arkit;

float smoothstep(float low, float high, float x) {
  const float t = std::clamp((x - low) / (high - low), 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

float cube(float x) {
  return x * x * x;
}

// From which posterior on a contact begins, and from which it is full. A closure missed looks worse than one too many,
// and the network is sure of few: above a quarter it is right oftener than not (mien eval phones).
constexpr float kContactFrom = 0.25f, kContactFull = 0.4f;
constexpr float kRestFrom = 0.60f, kRestFull = 0.92f;
constexpr double kRestTime = 0.06;  // seconds in which a pause settles and ends

}  // namespace

struct MouthContacts::Impl {
  explicit Impl(const HeadModel& head) : solver(head) {
    for (const char* name : {"P", "B", "M"}) lips.push_back(phone_index(name));
    for (const char* name : {"F", "V"}) lip_teeth.push_back(phone_index(name));
  }
  static float sum(const std::vector<int>& of, const std::array<float, kPhoneCount>& phones) {
    float total = 0;
    for (const int p : of) total += phones[p];
    return total;
  }
  LipSolver solver;
  std::vector<int> lips, lip_teeth;
  float rest = 0;
};

MouthContacts::MouthContacts(const HeadModel& head) {
  bool arkit = head.expression_count() >= kArkitCount;
  for (int e = 0; arkit && e < kArkitCount; ++e) arkit = head.expression_names[e] == kArkitNames[e];
  if (!arkit) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("head model \"{}\" does not begin with the 52 ARKit expressions", head.id),
                "use a head built by `mien head build`");
  }
  impl_ = std::make_unique<Impl>(head);
}
MouthContacts::~MouthContacts() = default;
MouthContacts::MouthContacts(MouthContacts&&) noexcept = default;
MouthContacts& MouthContacts::operator=(MouthContacts&&) noexcept = default;

void MouthContacts::apply(const std::array<float, kPhoneCount>& phones, double dt, float gain,
                          std::vector<float>& expression) {
  const LipSolver& solver = impl_->solver;
  FaceWeights weights = solver.read(expression);
  const auto mix = [&](const FaceWeights& target, float share) {
    for (int e = 0; e < kFaceCount; ++e) weights[e] += share * (target[e] - weights[e]);
  };
  if (gain != 1) {
    const float gap = solver.gap_mm(weights);
    if (gap > 0) {
      weights[kJawOpen] = std::clamp(weights[kJawOpen] * gain, 0.0f, 1.0f);
      solver.reach_gap(gap * gain, weights);
    }
  }
  // Networks mix up B with V and P with F rather than with anything else: that there is a contact is surer than which
  // one it is. So both together say how much contact there is, and the likelier one takes most of it.
  const float p_lips = Impl::sum(impl_->lips, phones);
  const float p_lip_teeth = Impl::sum(impl_->lip_teeth, phones);
  const float contact = smoothstep(kContactFrom, kContactFull, p_lips + p_lip_teeth);
  const float share = cube(p_lips) / std::max(1e-6f, cube(p_lips) + cube(p_lip_teeth));
  const float lip_teeth = contact * (1 - share);
  if (lip_teeth > 0) {
    FaceWeights touching = weights;
    solver.touch_teeth(touching);
    mix(touching, lip_teeth);
  }
  const float wanted = smoothstep(kRestFrom, kRestFull, phones[0]);
  impl_->rest += static_cast<float>(1 - std::exp(-std::clamp(dt, 0.0, 1.0) / kRestTime)) * (wanted - impl_->rest);
  const float lips = contact * share;
  const float closed = std::max(lips, impl_->rest);
  if (closed > 0) {
    FaceWeights shut = weights;
    if (impl_->rest > lips) shut[kJawOpen] = std::min(shut[kJawOpen], 0.03f);
    solver.close(lips >= impl_->rest ? -0.25f : -0.1f, shut);
    mix(shut, closed);
  }
  solver.write(weights, expression);
}

}  // namespace mien
