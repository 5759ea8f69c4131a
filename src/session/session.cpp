#include "mien/session/session.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "mien/actor/mouth_contacts.h"
#include "mien/base/error.h"

namespace mien {
namespace {

// A frame of another expression list is brought into the avatar's order by name; unknown names are dropped.
std::vector<int> expression_map(const std::vector<std::string>& from, const std::vector<std::string>& to) {
  std::vector<int> map;
  for (const std::string& name : from) {
    const auto found = std::find(to.begin(), to.end(), name);
    map.push_back(found == to.end() ? -1 : static_cast<int>(found - to.begin()));
  }
  return map;
}

std::vector<float> remap(const std::vector<float>& weights, const std::vector<int>& map, std::size_t size) {
  std::vector<float> mapped(size, 0.0f);
  for (std::size_t i = 0; i < weights.size() && i < map.size(); ++i) {
    if (map[i] >= 0) mapped[static_cast<std::size_t>(map[i])] = weights[i];
  }
  return mapped;
}

void check_options(const SessionOptions& options) {
  const auto refuse = [](const std::string& what, const char* mend) {
    throw Error(ErrorCode::kBadArgument, what, mend);
  };
  if (options.width < 16 || options.height < 16 || options.width > 8192 || options.height > 8192 ||
      options.width % 2 != 0 || options.height % 2 != 0) {
    refuse(fmt::format("picture size {}x{}", options.width, options.height), "use even numbers from 16 to 8192");
  }
  if (options.fps < 1 || options.fps > 120) refuse(fmt::format("{} frames per second", options.fps), "use 1 to 120");
  if (!(options.mouth_gain >= 0 && options.mouth_gain <= 2)) {
    refuse(fmt::format("mouth gain {}", options.mouth_gain), "use 0 to 2");
  }
}

}  // namespace

namespace {

std::unique_ptr<const GaussianAvatar> put_on(const Avatar& avatar, const std::string& appearance) {
  const AppearanceMix mix = avatar.appearance_mix(appearance);
  if (avatar.gaussian.looks.empty()) return nullptr;
  return std::make_unique<const GaussianAvatar>(dress(avatar.gaussian, mix));
}

}  // namespace

AvatarPainter::AvatarPainter(std::shared_ptr<const Avatar> avatar, const SessionOptions& options)
    : avatar_(std::move(avatar)), options_(options) {
  check_options(options_);
  if (avatar_->field) {
    field_.emplace(*avatar_->field, options.device);
    field_->wear(avatar_->appearance_mix(options.appearance));
    return;
  }
  worn_ = put_on(*avatar_, options.appearance);
  gaussians_.emplace(worn_ ? *worn_ : avatar_->gaussian, options.device);
}

void AvatarPainter::set_appearance(const std::string& appearance) {
  if (field_) {
    field_->wear(avatar_->appearance_mix(appearance));
    options_.appearance = appearance;
    return;
  }
  std::unique_ptr<const GaussianAvatar> worn = put_on(*avatar_, appearance);
  options_.appearance = appearance;
  if (!worn) return;
  gaussians_.emplace(*worn, options_.device);
  worn_ = std::move(worn);
}

Image8 AvatarPainter::paint(const MotionFrame& motion, double time) {
  return paint(motion, options_.view.at(time, avatar_->front, avatar_->focus, options_.width, options_.height));
}

Image8 AvatarPainter::paint(const MotionFrame& motion, const Camera& camera) {
  const Backdrop backdrop = {options_.background_top, options_.background_bottom};
  if (gaussians_) return gaussians_->paint(motion, camera, backdrop);
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  rgb_.resize(pixels * 3);
  alpha_.resize(pixels);
  field_->render(motion, camera, rgb_.data(), alpha_.data());
  return over_backdrop(rgb_.data(), alpha_.data(), camera.width, camera.height, backdrop);
}

struct Session::Impl {
  std::shared_ptr<const Avatar> avatar;
  SessionOptions options;
  int offset_vertices;
  SpeechDriver driver;
  MouthContacts contacts;
  IdleMotion idle;
  AvatarPainter painter;
  std::vector<int> map;
  std::optional<SoundContextStream> ears;  // of an avatar without geometry
  std::int64_t index = 0;

  Impl(std::shared_ptr<const Avatar> a, std::shared_ptr<const SpeechModel> speech, const SessionOptions& o)
      : avatar(std::move(a)),
        options(o),
        offset_vertices(speech->settings().vertices),
        driver(std::move(speech), {.fps = static_cast<double>(o.fps), .person = o.person}),
        contacts(avatar->head()),
        idle(o.idle_options),
        painter(avatar, o),
        map(expression_map(driver.expression_names(), avatar->head().expression_names)) {
    if (auto context = find_sound_context(avatar->gaussian)) ears.emplace(std::move(context));
    const int vertices = avatar->head().vertex_count();
    if (offset_vertices != 0 && offset_vertices != vertices) {
      throw Error(ErrorCode::kBadArgument,
                  fmt::format("the speech networks move a head of {} vertices, {} has {}", offset_vertices,
                              avatar->name, vertices),
                  "use networks trained for this avatar's head, or the shipped ones");
    }
  }
};

Session::Session(std::shared_ptr<const Avatar> avatar, std::shared_ptr<const SpeechModel> speech,
                 const SessionOptions& options) {
  check_options(options);
  impl_ = std::make_unique<Impl>(std::move(avatar), std::move(speech), options);
}
Session::~Session() = default;

void Session::set_emotion(const EmotionTrack& track) {
  impl_->driver.set_emotion(track);
}
void Session::set_view(const View& view) {
  impl_->painter.set_view(view);
}
void Session::set_appearance(const std::string& appearance) {
  impl_->painter.set_appearance(appearance);
}
void Session::push_audio(std::span<const float> samples) {
  impl_->driver.push(samples);
  if (impl_->ears) impl_->ears->push(samples);
}
void Session::finish() {
  impl_->driver.finish();
  if (impl_->ears) impl_->ears->finish();
}
bool Session::finished() const {
  return impl_->driver.finished();
}

bool Session::next_frame(SessionFrame& frame) {
  SpeechFrame speech;
  std::vector<float> heard;
  if (impl_->ears && !impl_->ears->at(static_cast<double>(impl_->index) / impl_->options.fps, heard)) return false;
  if (!impl_->driver.pull(speech)) return false;
  MotionFrame motion = std::move(speech.motion);
  motion.sound = std::move(heard);
  motion.expression =
      remap(motion.expression, impl_->map, static_cast<std::size_t>(impl_->avatar->head().expression_count()));
  impl_->contacts.apply(speech.phones, 1.0 / impl_->options.fps, impl_->options.mouth_gain, motion.expression);
  if (impl_->options.idle) {
    const IdleFrame idle = impl_->idle.step(1.0 / impl_->options.fps, speech.energy, motion.emotion);
    add_idle(idle, motion);
  }
  frame.index = impl_->index++;
  frame.time = static_cast<double>(frame.index) / impl_->options.fps;
  frame.picture = impl_->painter.paint(motion, frame.time);
  frame.motion = std::move(motion);
  return true;
}

}  // namespace mien
