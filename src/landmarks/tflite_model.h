// What a .tflite file says: tensors, constants, operations with their options, in order. Field numbers: TensorFlow
// Lite's schema.fbs, version 3.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "landmarks/flexbuffer.h"

namespace mien {

enum class TfliteType { kFloat = 0, kHalf = 1, kInt = 2 };

struct TfliteTensor {
  std::string name;
  std::vector<std::int64_t> shape;  // all at least 1; the first is the batch for what is computed
  TfliteType type = TfliteType::kFloat;
  std::span<const std::uint8_t> data;  // of constants: exactly as many bytes as the shape needs; else empty
  std::int64_t elements() const;
};

// Operations that networks of MediaPipe use.
enum class TfliteOp {
  kAdd = 0,
  kAveragePool = 1,
  kConcatenation = 2,
  kConv = 3,
  kDepthwiseConv = 4,
  kDequantize = 6,
  kLogistic = 14,
  kMaxPool = 17,
  kMul = 18,
  kRelu = 19,
  kRelu6 = 21,
  kReshape = 22,
  kResizeBilinear = 23,
  kCustom = 32,
  kPad = 34,
  kStridedSlice = 45,
  kPrelu = 54,
  kHardSwish = 117,
};

struct TfliteOperation {
  TfliteOp op = TfliteOp::kAdd;
  std::string custom;  // name of a custom operation
  int version = 1;
  std::vector<int> inputs, outputs;   // tensors; an absent optional input is -1
  std::vector<std::int32_t> options;  // bytes and numbers of the operation's table in the schema's order, see below
  std::span<const std::uint8_t> custom_options;
};

// `options` by operation (defaults filled in):
//   kConv           padding (0 same, 1 valid), stride x, y, activation (0 none, 1 relu, 3 relu6), dilation x, y
//   kDepthwiseConv  padding, stride x, y, depth multiplier, activation, dilation x, y
//   k...Pool        padding, stride x, y, window x, y, activation
//   kAdd, kMul      activation            kConcatenation  axis, activation
//   kResizeBilinear align corners, half-pixel centres
//   kStridedSlice   the five masks

struct TfliteModel {
  std::string name;  // for errors
  std::vector<TfliteTensor> tensors;
  std::vector<TfliteOperation> operations;  // each uses only inputs, constants and results of earlier ones
  std::vector<int> inputs, outputs;
};

// Reads a model from memory that must outlive it. Throws kBadFile for damage and for sizes beyond reason (2^24 values a
// tensor, 2^16 tensors or operations), kUnsupported for operations and types that are not listed above.
TfliteModel read_tflite(const FileBytes& file);

}  // namespace mien
