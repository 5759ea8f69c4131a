// capture.json to Capture and back. The format is described in docs/capture.md.
#pragma once

#include <functional>

#include "mien/base/json.h"
#include "mien/capture/capture.h"

namespace mien::capture {

constexpr const char* kFormatName = "mien-capture";
constexpr int kFormatVersion = 1;

// Receives what is wrong. load() throws it, check_capture() collects it.
using ProblemSink = std::function<void(CaptureProblem)>;

// What can be read is read; the rest is told to `sink`. Throws kUnsupported for a newer version.
Capture parse_capture(const Json& json, const std::filesystem::path& folder, const ProblemSink& sink);
Json to_json(const Capture& capture);

Json matrix_to_json(const Mat4& matrix);
// Four rows of four, or sixteen numbers row by row. Throws kBadFile unless rigid (rotation and translation, in metres).
Mat4 rigid_from_json(const Json& json, const std::string& where);

}  // namespace mien::capture
