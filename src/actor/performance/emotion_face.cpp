#include "actor/performance/emotion_face.h"

#include <algorithm>
#include <span>

#include "mien/actor/performance.h"

namespace mien {
namespace {

using namespace arkit;

struct Entry {
  int weight;
  float value;  // at full intensity
};

// Action units after Ekman and Friesen (EMFACS) in ARKit's terms; strong acted emotion at intensity 1.
// AU 1 browInnerUp, 2 browOuterUp, 4 browDown, 5 eyeWide, 6 cheekSquint, 7 eyeSquint, 9 noseSneer, 10 mouthUpperUp,
// 12 mouthSmile, 14 mouthDimple, 15 mouthFrown, 16 mouthLowerDown, 17 mouthShrugLower, 20 mouthStretch, 24 mouthPress.
constexpr Entry kAngry[] = {{kBrowDownLeft, 0.95f},        {kBrowDownRight, 0.90f},  {kEyeSquintLeft, 0.42f},
                            {kEyeSquintRight, 0.42f},      {kEyeWideLeft, 0.30f},    {kEyeWideRight, 0.30f},
                            {kNoseSneerLeft, 0.38f},       {kNoseSneerRight, 0.34f}, {kMouthPressLeft, 0.40f},
                            {kMouthPressRight, 0.40f},     {kMouthFrownLeft, 0.30f}, {kMouthFrownRight, 0.28f},
                            {kMouthRollUpper, 0.12f},      {kJawForward, 0.30f},     {kMouthLowerDownLeft, 0.10f},
                            {kMouthLowerDownRight, 0.10f}, {kMouthShrugLower, 0.15f}};
// One-sided: the right corner is drawn in and up, the left brow lifts, the lids hang.
constexpr Entry kContempt[] = {{kMouthSmileRight, 0.55f},  {kMouthDimpleRight, 0.70f},  {kMouthRight, 0.16f},
                               {kMouthPressRight, 0.30f},  {kMouthUpperUpRight, 0.14f}, {kBrowOuterUpLeft, 0.45f},
                               {kBrowDownRight, 0.28f},    {kEyeSquintLeft, 0.25f},     {kEyeSquintRight, 0.42f},
                               {kCheekSquintRight, 0.30f}, {kEyeBlinkLeft, 0.14f},      {kEyeBlinkRight, 0.16f},
                               {kMouthFrownLeft, 0.15f},   {kNoseSneerRight, 0.15f}};
constexpr Entry kDisgusted[] = {
    {kNoseSneerLeft, 0.95f},   {kNoseSneerRight, 0.88f},     {kMouthUpperUpLeft, 0.50f},   {kMouthUpperUpRight, 0.45f},
    {kBrowDownLeft, 0.50f},    {kBrowDownRight, 0.50f},      {kCheekSquintLeft, 0.45f},    {kCheekSquintRight, 0.42f},
    {kEyeSquintLeft, 0.50f},   {kEyeSquintRight, 0.50f},     {kMouthFrownLeft, 0.38f},     {kMouthFrownRight, 0.42f},
    {kMouthShrugLower, 0.30f}, {kMouthLowerDownLeft, 0.12f}, {kMouthLowerDownRight, 0.12f}};
constexpr Entry kFear[] = {{kBrowInnerUp, 0.90f},        {kBrowOuterUpLeft, 0.35f},  {kBrowOuterUpRight, 0.35f},
                           {kBrowDownLeft, 0.30f},       {kBrowDownRight, 0.30f},    {kEyeWideLeft, 0.85f},
                           {kEyeWideRight, 0.85f},       {kMouthStretchLeft, 0.62f}, {kMouthStretchRight, 0.58f},
                           {kMouthFrownLeft, 0.18f},     {kMouthFrownRight, 0.18f},  {kMouthLowerDownLeft, 0.16f},
                           {kMouthLowerDownRight, 0.16f}};
constexpr Entry kHappy[] = {{kMouthSmileLeft, 0.92f},   {kMouthSmileRight, 0.88f},  {kCheekSquintLeft, 0.62f},
                            {kCheekSquintRight, 0.60f}, {kEyeSquintLeft, 0.30f},    {kEyeSquintRight, 0.30f},
                            {kMouthDimpleLeft, 0.25f},  {kMouthDimpleRight, 0.22f}, {kBrowInnerUp, 0.22f},
                            {kBrowOuterUpLeft, 0.16f},  {kBrowOuterUpRight, 0.16f}, {kMouthUpperUpLeft, 0.12f},
                            {kMouthUpperUpRight, 0.12f}};
constexpr Entry kSad[] = {{kBrowInnerUp, 0.88f},     {kBrowDownLeft, 0.25f},     {kBrowDownRight, 0.25f},
                          {kMouthFrownLeft, 0.72f},  {kMouthFrownRight, 0.70f},  {kMouthShrugLower, 0.38f},
                          {kEyeBlinkLeft, 0.20f},    {kEyeBlinkRight, 0.20f},    {kEyeSquintLeft, 0.15f},
                          {kEyeSquintRight, 0.15f},  {kMouthStretchLeft, 0.08f}, {kMouthStretchRight, 0.08f},
                          {kCheekSquintLeft, 0.15f}, {kCheekSquintRight, 0.15f}};
constexpr Entry kSurprised[] = {{kBrowInnerUp, 0.85f}, {kBrowOuterUpLeft, 0.92f},  {kBrowOuterUpRight, 0.90f},
                                {kEyeWideLeft, 0.72f}, {kEyeWideRight, 0.72f},     {kJawOpen, 0.10f},
                                {kMouthFunnel, 0.14f}, {kMouthUpperUpLeft, 0.05f}, {kMouthUpperUpRight, 0.05f}};

struct Character {
  std::span<const Entry> entries;
  float articulation;
};

Character character(int emotion) {
  switch (static_cast<Emotion>(emotion)) {
    case Emotion::kAngry:
      return {kAngry, 1.18f};
    case Emotion::kContempt:
      return {kContempt, 0.90f};
    case Emotion::kDisgusted:
      return {kDisgusted, 0.96f};
    case Emotion::kFear:
      return {kFear, 0.98f};
    case Emotion::kHappy:
      return {kHappy, 1.12f};
    case Emotion::kSad:
      return {kSad, 0.82f};
    case Emotion::kSurprised:
      return {kSurprised, 1.15f};
    case Emotion::kNeutral:
      break;
  }
  return {{}, 1.0f};
}

bool is_mouth(int weight) {
  return weight >= kJawForward && weight <= kMouthUpperUpRight;
}

}  // namespace

EmotionFace emotion_parts(const EmotionVector& emotion) {
  EmotionFace face;
  for (int e = 1; e < kEmotionCount; ++e) {
    for (const Entry& entry : character(e).entries) {
      FaceWeights& part = is_mouth(entry.weight) ? face.mouth : face.upper;
      part[entry.weight] += std::max(0.0f, emotion[e]) * entry.value;
    }
  }
  for (int w = 0; w < kFaceCount; ++w) {
    face.upper[w] = std::min(1.0f, face.upper[w]);
    face.mouth[w] = std::min(1.0f, face.mouth[w]);
  }
  return face;
}

float emotion_articulation(const EmotionVector& emotion) {
  float size = 1;
  for (int e = 1; e < kEmotionCount; ++e) size += std::clamp(emotion[e], 0.0f, 1.0f) * (character(e).articulation - 1);
  return size;
}

FaceWeights mouth_while_speaking(const FaceWeights& mouth, float activity, float contact, float rounding) {
  FaceWeights result = mouth;
  for (int w = kJawForward; w <= kMouthUpperUpRight; ++w) {
    float keep = 1;
    switch (w) {
      case kMouthSmileLeft:
      case kMouthSmileRight:
      case kMouthStretchLeft:
      case kMouthStretchRight:
      case kMouthDimpleLeft:
      case kMouthDimpleRight:
        keep = (1 - 0.18f * activity) * (1 - 0.55f * rounding) * (1 - 0.15f * contact);
        break;
      case kMouthUpperUpLeft:
      case kMouthUpperUpRight:
      case kMouthLowerDownLeft:
      case kMouthLowerDownRight:
        keep = 1 - 0.8f * contact;
        break;
      case kMouthPressLeft:
      case kMouthPressRight:
      case kMouthRollUpper:
      case kMouthShrugLower:
        keep = 1 - 0.75f * activity;  // pressed lips are for silence; they still show in closures
        break;
      case kJawOpen:
        keep = 1 - contact;
        break;
      default:
        break;
    }
    result[w] *= keep;
  }
  return result;
}

std::array<float, kArkitCount> emotion_face(const EmotionVector& emotion) {
  const EmotionFace face = emotion_parts(emotion);
  const FaceWeights mouth = mouth_while_speaking(face.mouth, 0, 1, 0);
  std::array<float, kArkitCount> result;
  for (int w = 0; w < kArkitCount; ++w) result[w] = face.upper[w] + mouth[w];
  return result;
}

}  // namespace mien
