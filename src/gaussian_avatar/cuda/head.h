// The head model on the device: expression, offsets, gaze, neck, head and root, as HeadModel::deform() and pose() do.
#pragma once

#include <driver_types.h>
#include <vector_types.h>

#include <cstdint>

namespace mien::avatar_cuda {

// V vertices, E expressions. Device memory.
struct Head {
  int vertices;
  const float* canonical;   // [V,3]
  const float* expression;  // [E,V,3]
  const std::uint8_t* eye;  // [V] 0: none, 1: left, 2: right
  const float2* shares;     // [V] that follow neck and head
};

struct Turn {
  float matrix[9];  // row-major
  float centre[3];
};

// An expression that is not zero.
struct Active {
  int expression;
  float weight;
};

struct HeadMoment {
  int active_count;
  const Active* active;  // device memory
  const float* offsets;  // [V,3] device memory, or null
  Turn eyes[2], head, neck;
  float4 head_quaternion, neck_quaternion;  // x, y, z, w
  float root[9], translation[3];
  float carried[3];  // centimetres that the face as a whole is carried
};

// posed [V,3]; moved, if not null: as take_displacements() wants it.
void move_head(const Head& head, const HeadMoment& moment, float* posed, float* moved, cudaStream_t stream);

}  // namespace mien::avatar_cuda
