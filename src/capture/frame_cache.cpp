#include <list>
#include <mutex>
#include <unordered_map>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/capture/capture.h"

namespace mien {
namespace {

// The files of a frame, as they lie on disk.
struct Compressed {
  std::string image_name, mask_name, labels_name;
  std::vector<std::uint8_t> image, mask, labels;
  std::size_t bytes() const { return image.size() + mask.size() + labels.size(); }
};

std::shared_ptr<const CaptureFrame> decode(const Compressed& files, const Camera& camera) {
  auto frame = std::make_shared<CaptureFrame>();
  frame->rgb = decode_image(files.image.data(), files.image.size(), files.image_name);
  if (files.mask_name.empty()) {
    frame->matte = Image8(frame->rgb.width, frame->rgb.height, 1, 255);
  } else {
    frame->matte = decode_image(files.mask.data(), files.mask.size(), files.mask_name);
  }
  if (!files.labels_name.empty()) {
    frame->labels = decode_image(files.labels.data(), files.labels.size(), files.labels_name);
  }
  for (const auto& [image, channels, name] : {std::tuple{&frame->rgb, 3, &files.image_name},
                                              {&frame->matte, 1, &files.mask_name},
                                              {&frame->labels, 1, &files.labels_name}}) {
    if (image->channels == 0) continue;  // no labels
    if (image->width != camera.width || image->height != camera.height || image->channels != channels) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: {}x{} with {} channels; its camera has {}x{}, with {}", *name, image->width,
                              image->height, image->channels, camera.width, camera.height, channels),
                  "`mien capture check` lists all such files");
    }
  }
  return frame;
}

}  // namespace

Image8 head_matte(const CaptureFrame& frame) {
  if (frame.labels.pixels.empty() || frame.labels.pixels.size() != frame.matte.pixels.size()) {
    throw Error(ErrorCode::kBadArgument, "a frame without labels has no matte of the head alone",
                "make the capture with `mien track` or `mien actor`, which label it");
  }
  Image8 out = frame.matte;
  for (std::size_t i = 0; i < out.pixels.size(); ++i) {
    if (frame.labels.pixels[i] != static_cast<std::uint8_t>(PersonPart::kHead)) out.pixels[i] = 0;
  }
  return out;
}

struct FrameCache::Impl {
  struct Entry {
    std::string key;
    std::shared_ptr<const Compressed> files;
    std::shared_ptr<const CaptureFrame> frame;  // null when only the files are kept
    std::size_t frame_bytes() const {
      return frame ? frame->rgb.pixels.size() + frame->matte.pixels.size() + frame->labels.pixels.size() : 0;
    }
  };
  using Position = std::list<Entry>::iterator;

  Capture capture;
  std::size_t max_bytes;
  bool labels;
  mutable std::mutex mutex;
  std::list<Entry> entries;  // the most recently used first
  std::unordered_map<std::string, Position> by_key;
  std::size_t used = 0;

  Impl(Capture c, std::size_t bytes, bool with_labels) : capture(std::move(c)), max_bytes(bytes), labels(with_labels) {}

  // With the lock held. Decoded pictures go before files: reading a file again costs more than decoding it.
  void shrink() {
    for (auto it = entries.rbegin(); used > max_bytes && it != entries.rend(); ++it) {
      used -= it->frame_bytes();
      it->frame.reset();
    }
    while (used > max_bytes && !entries.empty()) {
      used -= entries.back().files->bytes();
      by_key.erase(entries.back().key);
      entries.pop_back();
    }
  }

  std::shared_ptr<const Compressed> read(const CaptureView& view, int frame) const {
    auto files = std::make_shared<Compressed>();
    constexpr std::size_t kMaxFile = 1u << 30;
    const std::filesystem::path image = capture.image_path(view, frame);
    files->image_name = image.string();
    files->image = read_file(image, kMaxFile);
    if (!view.masks.empty()) {
      const std::filesystem::path mask = capture.mask_path(view, frame);
      files->mask_name = mask.string();
      files->mask = read_file(mask, kMaxFile);
    }
    if (labels && !view.labels.empty()) {
      const std::filesystem::path path = capture.labels_path(view, frame);
      files->labels_name = path.string();
      files->labels = read_file(path, kMaxFile);
    }
    return files;
  }
};

FrameCache::FrameCache(const Capture& capture, std::size_t max_bytes, bool labels)
    : impl_(std::make_unique<Impl>(capture, max_bytes, labels)) {}
FrameCache::~FrameCache() = default;

std::shared_ptr<const CaptureFrame> FrameCache::get(const CaptureSequence& sequence, const CaptureView& view,
                                                    int frame) {
  Impl& s = *impl_;
  if (frame < 0 || frame >= sequence.frames) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("frame {} of sequence {}, which has {}", frame, sequence.id, sequence.frames));
  }
  const std::string key = fmt::format("{}\n{}\n{}", view.images, view.masks, frame);
  std::shared_ptr<const Compressed> files;
  {
    const std::lock_guard lock(s.mutex);
    if (const auto found = s.by_key.find(key); found != s.by_key.end()) {
      s.entries.splice(s.entries.begin(), s.entries, found->second);
      if (found->second->frame) return found->second->frame;
      files = found->second->files;
    }
  }
  // The slow part runs without the lock; two threads may do the same frame, and the first to finish is kept.
  if (!files) files = s.read(view, frame);
  std::shared_ptr<const CaptureFrame> decoded = decode(*files, s.capture.camera(view.camera).camera);
  const std::lock_guard lock(s.mutex);
  auto found = s.by_key.find(key);
  if (found == s.by_key.end()) {
    s.entries.push_front({key, files, nullptr});
    found = s.by_key.emplace(key, s.entries.begin()).first;
    s.used += files->bytes();
  }
  if (!found->second->frame) {
    found->second->frame = decoded;
    s.used += found->second->frame_bytes();
    s.shrink();
  }
  return decoded;
}

std::size_t FrameCache::bytes_used() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->used;
}

}  // namespace mien
