#include "mien/track/sight_video.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "mien/base/error.h"
#include "mien/landmarks/face_descriptor.h"
#include "mien/media/steady_video.h"
#include "track/watch/cut_window.h"
#include "track/watch/face_finder.h"
#include "track/watch/face_follower.h"
#include "track/watch/judge.h"
#include "track/watch/letterbox.h"
#include "track/watch/one_thread.h"
#include "track/watch/persons.h"
#include "track/watch/shot_cuts.h"

namespace mien {
namespace {

using track::FaceTrack;
using track::Flaw;

constexpr double kShortestVideo = 0.5;  // seconds; less is a picture, not a video
constexpr int kBarsEvery = 10;          // frames between looks at the edges

// What reading the whole video has told.
struct Seen {
  std::vector<FaceTrack> tracks;
  int frames = 0;
  std::array<int, 4> picture{};
  bool black = false;
};

Seen watch(SteadyVideoReader& reader, const FaceNetworks& networks, const SightOptions& options) {
  const double fps = reader.info().fps;
  track::DescribeFace describe;
  if (options.describer != nullptr)
    describe = [&](const Image8& image, const track::FacePoints& points) {
      return options.describer->describe(image, points);
    };
  track::FollowOptions following;
  following.look_every = std::max(1, static_cast<int>(std::lround(fps / 3)));
  following.lost_for = std::max(2, static_cast<int>(std::lround(fps * 0.4)));
  following.describe_every = std::max(2, static_cast<int>(std::lround(fps)));
  track::FaceFollower follower(networks, describe, following);
  track::ShotCuts cuts;
  track::Letterbox letterbox;
  Seen seen;
  Image8 frame;
  while (reader.read(frame)) {
    if (seen.frames % kBarsEvery == 0) letterbox.add(frame);
    follower.add(frame, cuts.is_cut(frame));
    ++seen.frames;
    const int total = std::max(reader.info().frames, seen.frames);
    if (options.progress && !options.progress(seen.frames, total, "looking for the face"))
      throw Error(ErrorCode::kInterrupted, "interrupted while looking at a video");
  }
  seen.tracks = follower.finish();
  seen.picture = letterbox.picture();
  seen.black = letterbox.all_black();
  return seen;
}

// The descriptor of the one face in a picture.
std::vector<float> wanted_person(const FaceNetworks& networks, const SightOptions& options) {
  if (options.who.empty()) return options.person;
  if (options.describer == nullptr)
    throw Error(ErrorCode::kBadArgument, "a picture of the person needs the network that tells faces apart",
                "run scripts/setup");
  Image8 image = read_image(options.who);
  if (image.channels == 1) {
    Image8 colour(image.width, image.height, 3);
    for (std::size_t i = 0; i < colour.pixels.size(); ++i) colour.pixels[i] = image.pixels[i / 3];
    image = std::move(colour);
  }
  std::vector<FaceDetection> faces = track::find_faces(networks, image, true);
  std::erase_if(faces, [&](const FaceDetection& face) {
    return track::face_box(face).height() < 0.5 * track::face_box(faces.front()).height();
  });
  if (faces.size() != 1)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: {} is to be seen", options.who.string(),
                            faces.empty() ? "no face" : "more than one large face"),
                "give a picture of the person alone, facing the camera");
  const FaceLandmarks found = track::find_landmarks(networks, image, face_region(faces.front()));
  return options.describer->describe(image, found.points);
}

// Why nothing is left of the video, most of it first.
std::string reasons(const std::vector<Omission>& omissions) {
  std::map<std::string, double> seconds;
  for (const Omission& o : omissions) seconds[o.text] += o.end - o.begin;
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [text, time] : seconds) order.emplace_back(-time, text);
  std::sort(order.begin(), order.end());
  std::string out;
  for (const auto& [time, text] : order) {
    if (!out.empty()) out += "; ";
    out += fmt::format("{:.1f} s: {}", -time, text);
  }
  return out;
}

void note_picture(SightedVideo& video, const SteadyVideoReader& reader) {
  video.notes = reader.info().notes;
  if (!reader.damage().empty())
    video.notes.push_back(
        fmt::format("the file {}: used as far as it goes, {:.1f} s", reader.damage(), video.frames / video.fps));
  const auto& p = video.picture;
  if (p[2] - p[0] < video.width || p[3] - p[1] < video.height)
    video.notes.push_back(fmt::format("black bars around the picture of {}x{}: not used", p[2] - p[0], p[3] - p[1]));
  if (!video.has_audio) video.notes.push_back("no sound");
}

}  // namespace

std::string video_name(const std::filesystem::path& path) {
  std::string name = path.stem().string();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') c = '_';
  }
  return name.empty() ? "video" : name;
}

SightedVideo sight_video(const std::filesystem::path& path, const FaceNetworks& networks, const SightOptions& options) {
  const track::OneThread one_thread;
  const std::vector<float> wanted = wanted_person(networks, options);
  SteadyVideoReader reader(path, {options.most_fps});
  const SteadyVideoInfo& info = reader.info();
  Seen seen = watch(reader, networks, options);
  if (seen.frames <= 1 || seen.frames / info.fps < kShortestVideo)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: {}", path.string(),
                            seen.frames <= 1 ? "is a single picture, not a video"
                                             : fmt::format("lasts only {:.2f} s", seen.frames / info.fps)),
                "film the person speaking for a minute or more");

  SightedVideo video;
  video.name = options.name.empty() ? video_name(path) : options.name;
  video.source = path.string();
  video.appearance = options.appearance.empty() ? video.name : options.appearance;
  video.width = info.width;
  video.height = info.height;
  video.picture = seen.picture;
  video.fps = info.fps;
  video.frames = seen.frames;
  video.has_audio = info.has_audio;
  note_picture(video, reader);

  track::Person person = track::choose_person(std::move(seen.tracks), seen.frames, wanted);
  if (!wanted.empty() && !person.tracks.empty() && person.distance > track::kSamePerson)
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: the wanted person is not in it (the likest face is {:.2f} away, at most {} is taken)",
                            path.string(), person.distance, track::kSamePerson),
                "leave the video out, or give another picture of the person");
  if (!person.tracks.empty() && track::liveliness(person.tracks) < track::kStill)
    throw Error(ErrorCode::kNotFound, fmt::format("{}: the face never moves: a photograph or a drawing", path.string()),
                "film the person speaking for a minute or more");
  if (person.people > 1)
    video.notes.push_back(options.describer != nullptr
                              ? fmt::format("{} different faces: one person is followed", person.people)
                              : "several faces: the largest one of each shot is followed");
  video.descriptor = person.descriptor;
  track::Selection selection =
      track::select(person.tracks, person.others, video.frames, video.fps, track::sharp_level(person.tracks));
  if (selection.stretches.empty())
    throw Error(ErrorCode::kNotFound,
                fmt::format("{}: nothing of it can be used ({})", path.string(),
                            seen.black ? "the picture is black throughout" : reasons(selection.omissions)),
                "film the person's face from near by, in good light, facing the camera");
  video.stretches = std::move(selection.stretches);
  video.omissions = std::move(selection.omissions);
  const auto& p = video.picture;
  for (Stretch& stretch : video.stretches) stretch.window = track::cut_window(stretch, p[0], p[1], p[2], p[3]);
  return video;
}

}  // namespace mien
