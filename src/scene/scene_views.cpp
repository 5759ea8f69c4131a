#include "scene/scene_views.h"

#include <algorithm>

#include "mien/base/error.h"

namespace mien::scene {

std::vector<View> views_of(const Capture& capture, const std::string& split, int least) {
  std::vector<View> out;
  for (const CaptureSequence& sequence : capture.sequences) {
    if (sequence.split != split) continue;
    for (const CaptureView& view : sequence.views) {
      out.push_back({&sequence, &view, capture.camera_at(sequence, view, 0), !view.masks.empty()});
    }
  }
  if (static_cast<int>(out.size()) < least) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: {} view{} of split \"{}\"", capture.folder.string(), out.size(),
                            out.size() == 1 ? "" : "s", split),
                least > 1 ? fmt::format("a scene needs pictures from at least {} cameras", least)
                          : "import with --hold-out, or name another split");
  }
  return out;
}

Picture read_picture(FrameCache& cache, const Capture& capture, const View& view) {
  const auto frame = cache.get(*view.sequence, *view.view, 0);
  const auto& background = capture.camera(view.view->camera).background;
  const std::size_t pixels = frame->matte.pixels.size();
  Picture out;
  out.rgb.resize(pixels * 3);
  out.matte.resize(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    const float alpha = static_cast<float>(frame->matte.pixels[i]) / 255;
    out.matte[i] = alpha;
    for (std::size_t c = 0; c < 3; ++c) {
      const float stored = static_cast<float>(frame->rgb.pixels[i * 3 + c]) / 255;
      out.rgb[i * 3 + c] = alpha == 0 ? 0.0f : std::max(0.0f, stored - (1 - alpha) * background[c]);
    }
  }
  return out;
}

}  // namespace mien::scene
