// HeadMotion, the narrow waist: everything that moves a head makes one, everything that draws a head takes one.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mien/head/head_model.h"

namespace mien {

// One moment.
struct MotionFrame {
  std::vector<float> expression;  // [E], nominally [0,1]
  std::vector<Vec3> offsets;      // [V] free vertex offsets on top of the model, metres; usually empty
  HeadPose pose;
  EmotionVector emotion = {1, 0, 0, 0, 0, 0, 0, 0};
  std::vector<float> sound;  // what avatars without geometry hear (G2aOptions::sound); usually empty, and not in files
};

struct HeadMotion {
  std::string head_model;                     // HeadModel::id
  std::vector<std::string> expression_names;  // [E]
  double fps = 30;
  double start = 0;  // seconds, time of the first frame
  std::vector<MotionFrame> frames;

  int frame_count() const { return static_cast<int>(frames.size()); }
  // World-space vertices of a frame.
  void vertices(const HeadModel& model, int frame, std::vector<Vec3>& out) const;

  // One safetensors file a sequence: expression [T,E], head/neck/root [T,4] (w,x,y,z), translation [T,3], gaze [T,4],
  // emotion [T,8], offsets [T,V,3] F16 when present; metadata: format, head_model, fps, start, expression names.
  static HeadMotion load(const std::filesystem::path& path);
  void save(const std::filesystem::path& path) const;
};

}  // namespace mien
