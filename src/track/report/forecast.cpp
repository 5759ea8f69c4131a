// Rules that turn figures into words: what an avatar made of these videos will do well, and what it will not.

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/track/report.h"

namespace mien {
namespace {

// A figure below `poor` is poor, below `fair` is fair, else good.
struct Threshold {
  double poor, fair;
  Outlook of(double value) const {
    return value < poor ? Outlook::kPoor : value < fair ? Outlook::kFair : Outlook::kGood;
  }
};

constexpr Threshold kSeconds = {10, 60};
constexpr Threshold kSide = {20, 45};      // degrees
constexpr Threshold kHeight = {3, 12};     // degrees above or below
constexpr Threshold kOpening = {8, 16};    // mm between the lips
constexpr Threshold kReach = {0.2, 0.45};  // of an expression's weight
constexpr Threshold kGaze = {6, 15};       // degrees
constexpr Threshold kPupils = {40, 80};    // pixels between the pupils
constexpr Threshold kBlinks = {1, 3};
constexpr Threshold kAudio = {5, 30};  // seconds
// From above: errors.
constexpr Threshold kError = {0.015, 0.03};  // of the distance between the pupils
constexpr Threshold kJitter = {0.1, 0.3};    // mm
Outlook reversed(const Threshold& limits, double value) {
  return value > limits.fair ? Outlook::kPoor : value > limits.poor ? Outlook::kFair : Outlook::kGood;
}

std::string time_words(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  return fmt::format("{:.0f} min {:02.0f} s", std::floor(seconds / 60), std::fmod(seconds, 60));
}

class Writer {
 public:
  explicit Writer(const ForecastInput& input) : in_(input), seen_(input.coverage) {}

  std::vector<Forecast> write() {
    amount();
    side("left", seen_.left);
    side("right", seen_.right);
    heights();
    mouth();
    expressions();
    eyes();
    pictures();
    fit();
    sound();
    std::stable_sort(out_.begin(), out_.end(),
                     [](const Forecast& a, const Forecast& b) { return a.outlook > b.outlook; });
    return std::move(out_);
  }

 private:
  void say(const char* topic, Outlook outlook, const std::string& good, const std::string& fair,
           const std::string& poor, const char* advice) {
    out_.push_back({topic, outlook,
                    outlook == Outlook::kGood   ? good
                    : outlook == Outlook::kFair ? fair
                                                : poor,
                    outlook == Outlook::kGood ? "" : advice});
  }

  void amount() {
    const std::string time = time_words(seen_.seconds);
    say("amount", kSeconds.of(seen_.seconds),
        fmt::format("{} of the face in all: enough for an avatar that moves well", time),
        fmt::format("{} of the face in all: an avatar is possible, its expressions will be somewhat limited", time),
        fmt::format("{} of the face in all: expressions will be limited to the few that occur", time),
        "add a minute of ordinary talking");
  }
  void side(const char* name, double degrees) {
    say(name[0] == 'l' ? "left side" : "right side", kSide.of(degrees),
        fmt::format("seen from the {} up to {:.0f} degrees: that side will hold up when the camera moves there", name,
                    degrees),
        fmt::format("seen from the {} up to {:.0f} degrees: beyond that, that side is guessed", name, degrees),
        fmt::format("never seen from the {}{}: that side will look guessed in every turned view", name,
                    degrees < 3 ? "" : fmt::format(" beyond {:.0f} degrees", degrees)),
        name[0] == 'l' ? "turn the head slowly to the right and back, so that the camera sees the left cheek and ear"
                       : "turn the head slowly to the left and back, so that the camera sees the right cheek and ear");
  }
  void heights() {
    const double range = std::min(seen_.above, seen_.below);
    const std::string both = fmt::format("from {:.0f} degrees above to {:.0f} below", seen_.above, seen_.below);
    say("above and below", kHeight.of(range), "seen " + both,
        "seen " + both + ": views from further up or down are guessed",
        "seen only " + both + ": views from further up or down are guessed", "nod slowly, chin up and chin down");
  }
  void mouth() {
    const double widest = seen_.widest_mm;
    say("open mouth", kOpening.of(widest),
        fmt::format("the mouth opens up to {:.0f} mm: teeth and tongue were seen", widest),
        fmt::format("the mouth opens up to {:.0f} mm only: the inside of a wide mouth is partly guessed", widest),
        fmt::format("the mouth is never wide open ({:.0f} mm at most): teeth will be guessed", widest),
        "open the mouth wide a few times, and say \"ah\"");
  }
  double reach(std::initializer_list<const char*> names) const {
    double best = 0;
    for (const char* name : names) best = std::max(best, seen_.reach[static_cast<std::size_t>(arkit_index(name))]);
    return best;
  }
  void movement(const char* topic, const char* what, std::initializer_list<const char*> names, const char* advice) {
    const Outlook outlook = kReach.of(reach(names));
    say(topic, outlook, fmt::format("{} occur in full", what),
        fmt::format("{} occur, but only weakly: strong ones are extrapolated", what),
        fmt::format("{} hardly occur: the avatar's will be generic, not the person's", what), advice);
  }
  void expressions() {
    movement("smile", "smiles", {"mouthSmileLeft", "mouthSmileRight"}, "smile broadly, with and without teeth");
    movement("round lips", "round lips (\"oo\", \"w\")", {"mouthPucker", "mouthFunnel"}, "say \"oo\" and \"who\"");
    movement("brows up", "raised brows", {"browInnerUp", "browOuterUpLeft", "browOuterUpRight"}, "raise the brows");
    movement("frown", "lowered brows", {"browDownLeft", "browDownRight"}, "frown");
  }
  void eyes() {
    say("blinks", kBlinks.of(seen_.blinks), fmt::format("{} blinks seen", seen_.blinks),
        fmt::format("{} blink{} seen: closed lids rest on little", seen_.blinks, seen_.blinks == 1 ? "" : "s"),
        "no blink seen: closed lids will be guessed", "blink a few times, and close the eyes for a second");
    say("gaze", kGaze.of(seen_.gaze_degrees), fmt::format("the eyes wander over {:.0f} degrees", seen_.gaze_degrees),
        fmt::format("the eyes wander over {:.0f} degrees only: looking far aside is guessed", seen_.gaze_degrees),
        fmt::format("the eyes hardly move ({:.0f} degrees): looking aside is guessed", seen_.gaze_degrees),
        "look left, right, up and down with the head still");
  }
  void pictures() {
    const bool is_one = in_.appearances < 2;
    say("light", is_one ? Outlook::kFair : Outlook::kGood,
        fmt::format("{} looks and lights: choose one when you render", in_.appearances),
        "one light only: the avatar keeps it, shadows and all, in every pose", "",
        "film once more in another light, if you want a choice");
    double pupils = 0, weight = 0;
    for (const TrackedVideoFigures& video : in_.videos) {
      pupils += video.pupil_distance * video.used_seconds;
      weight += video.used_seconds;
    }
    pupils = weight > 0 ? pupils / weight : 0;
    say("size of the face", kPupils.of(pupils),
        fmt::format("{:.0f} pixels between the pupils: skin and teeth come out sharp", pupils),
        fmt::format("{:.0f} pixels between the pupils: pores and lashes will be soft", pupils),
        fmt::format("{:.0f} pixels between the pupils: the face will be blurred", pupils),
        "come closer or film at a higher resolution");
  }
  void fit() {
    double error = 0, weight = 0, jitter = -1;
    for (const TrackedVideoFigures& video : in_.videos) {
      error += video.error * video.used_seconds;
      weight += video.used_seconds;
      jitter = std::max(jitter, video.jitter_mm);
    }
    error = weight > 0 ? error / weight : 0;
    const std::string size = fmt::format("landmarks lie {:.1f} % of the distance between the pupils off", 100 * error);
    say("fit", reversed(kError, error), size + ": the head sits well", size + ": lips and lids may be slightly off",
        size + ": lips and lids will look off; look at the pictures below", "sharper pictures and even light help");
    if (jitter < 0) return;
    const std::string shake = fmt::format("a still head moves by {:.2f} mm a frame", jitter);
    say("steadiness", reversed(kJitter, jitter), shake, shake + ": details will be slightly soft",
        shake + ": details will be soft", "use a tripod, more light and less compression");
  }
  void sound() {
    const std::string time = time_words(in_.audio_seconds);
    say("sound", kAudio.of(in_.audio_seconds), time + " with sound: the speech networks can learn this person's manner",
        time + " with sound: the person's manner of speaking is learnt in part",
        "next to no sound: the avatar speaks in nobody's manner", "film with sound, in a quiet room");
  }

  const ForecastInput& in_;
  const TrackedCoverage& seen_;
  std::vector<Forecast> out_;
};

}  // namespace

const char* outlook_name(Outlook outlook) {
  return outlook == Outlook::kGood ? "good" : outlook == Outlook::kFair ? "fair" : "poor";
}

std::vector<Forecast> make_forecast(const ForecastInput& input) {
  return Writer(input).write();
}

}  // namespace mien
