#include "mien/track/tracker.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "mien/base/error.h"
#include "mien/base/log.h"
#include "mien/cuda/device.h"
#include "mien/landmarks/face_descriptor.h"
#include "mien/landmarks/face_networks.h"
#include "mien/track/cut_video.h"
#include "mien/track/person_labels.h"
#include "mien/track/report.h"
#include "mien/track/sight_video.h"
#include "track/tracker/looks.h"
#include "track/tracker/person_choice.h"
#include "track/tracker/sound_beside.h"
#include "track/tracker/work_folder.h"
#include "track/tracker/write_capture.h"
#include "track/watch/persons.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr int kLookPictures = 8;  // of a stretch, for its colours

class Tracker {
 public:
  Tracker(const std::vector<fs::path>& videos, const fs::path& output, const TrackOptions& options)
      : paths_(videos), output_(output), options_(options), work_(output, videos, options) {
    const std::string device = use_cuda(parse_device(options.device)) ? "cuda" : "cpu";
    FaceNetworkOptions networks;
    networks.device = device;
    networks_.emplace(networks);
    try {
      FaceDescriberOptions describer;
      describer.device = device;
      describer_.emplace(describer);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      spdlog::warn("{}: people are told apart by place and size only", error.what());
    }
  }

  TrackResult run() {
    std::vector<SightedVideo> seen = see_all();
    follow_one_person(seen);
    for (SightedVideo& video : seen) result_.videos.push_back({std::move(video), {}, 0});
    cut();
    fit();
    label();
    name_appearances();
    write_tracked_capture(output_, result_, options_);
    report();
    return std::move(result_);
  }

 private:
  ProgressCallback progress(const std::string& step) const {
    return options_.progress ? options_.progress(step) : ProgressCallback();
  }

  // Names that no two videos share.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    std::set<std::string> taken;
    for (const fs::path& path : paths_) {
      const std::string name = video_name(path);
      std::string unique = name;
      for (int n = 2; !taken.insert(unique).second; ++n) unique = fmt::format("{}-{}", name, n);
      out.push_back(unique);
    }
    return out;
  }

  SightedVideo see(std::size_t i, const std::string& name, const std::vector<float>& person) const {
    const fs::path kept = work_.sighted(person.empty() ? name : name + ".person");
    if (fs::exists(kept)) return SightedVideo::load(kept.string());
    SightOptions options;
    options.name = name;
    if (!options_.appearances.empty()) options.appearance = options_.appearances[i];
    options.describer = describer_ ? &*describer_ : nullptr;
    options.who = options_.who;
    options.person = person;
    options.progress = progress(fmt::format("seeing {}", name));
    SightedVideo out = sight_video(paths_[i], *networks_, options);
    out.save(kept.string());
    return out;
  }

  // A video that cannot be used is left out, unless it is the only one.
  std::vector<SightedVideo> see_all() {
    std::vector<SightedVideo> out;
    const std::vector<std::string> all = names();
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      try {
        out.push_back(see(i, all[i], {}));
        index_.push_back(i);
      } catch (const Error& error) {
        leave_out(paths_[i], error);
      }
    }
    if (out.empty()) {
      throw Error(ErrorCode::kNotFound, fmt::format("none of the {} videos shows a face well enough", paths_.size()),
                  "see the lines above");
    }
    return out;
  }

  void leave_out(const fs::path& path, const Error& error) {
    const bool of_one = error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kBadFile ||
                        error.code() == ErrorCode::kBadArgument || error.code() == ErrorCode::kUnsupported;
    if (!of_one || paths_.size() == 1) throw;
    spdlog::warn("left out: {}", error.what());
    result_.left_out.push_back(fmt::format("{}: {}", path.filename().string(), error.what()));
  }

  // Each video was searched for whoever is seen most in it; where that is somebody else than in most of the collection,
  // it is searched again for that person.
  void follow_one_person(std::vector<SightedVideo>& seen) {
    if (!options_.who.empty()) return;
    const std::vector<float> person = most_seen_person(seen);
    if (person.empty()) return;
    std::vector<SightedVideo> out;
    for (std::size_t v = 0; v < seen.size(); ++v) {
      if (seen[v].descriptor.empty() || track::descriptor_distance(person, seen[v].descriptor) <= track::kSamePerson) {
        out.push_back(std::move(seen[v]));
        continue;
      }
      try {
        out.push_back(see(index_[v], seen[v].name, person));
      } catch (const Error& error) {
        leave_out(paths_[index_[v]], error);
      }
    }
    seen = std::move(out);
  }

  void fit() {
    const HeadModel model = HeadModel::load(options_.head.empty() ? find_head_asset() : options_.head);
    std::vector<SightedVideo> videos;
    for (const TrackedVideo& video : result_.videos) videos.push_back(video.sighted);
    HeadFitOptions options = options_.fit;
    options.focal.clear();
    for (const TrackedVideo& video : result_.videos) {
      const auto i = static_cast<std::size_t>(std::find(paths_.begin(), paths_.end(), fs::path(video.sighted.source)) -
                                              paths_.begin());
      if (options_.focal.empty()) break;
      options.focal.push_back(options_.focal[options_.focal.size() == 1 ? 0 : i]);
    }
    options.picture = [this](int video, int stretch, int frame) {
      return read_image(picture_path(result_.videos[static_cast<std::size_t>(video)], stretch, frame));
    };
    options.progress = progress("fitting the head");
    result_.fit = fit_head(model, videos, options);
    for (std::size_t v = 0; v < videos.size(); ++v) result_.videos[v].error = result_.fit.videos[v].error;
  }

  fs::path picture_path(const TrackedVideo& video, int stretch, int frame) const {
    const SequenceFiles files = sequence_files(video.sequences[static_cast<std::size_t>(stretch)]);
    return output_ / files.images / (frame_name(frame) + (options_.png ? ".png" : ".jpg"));
  }

  void cut() {
    for (TrackedVideo& video : result_.videos) {
      const SightedVideo& sighted = video.sighted;
      std::vector<CutStretch> stretches;
      std::vector<fs::path> sounds;
      for (std::size_t s = 0; s < sighted.stretches.size(); ++s) {
        video.sequences.push_back(sighted.stretches.size() == 1 ? sighted.name
                                                                : fmt::format("{}-{}", sighted.name, s + 1));
        const SequenceFiles files = sequence_files(video.sequences.back());
        fs::create_directories(output_ / files.images);
        fs::create_directories(output_ / files.masks);
        sounds.push_back(output_ / files.audio);
        stretches.push_back({static_cast<int>(s), output_ / files.images, output_ / files.masks,
                             sighted.has_audio ? sounds.back() : fs::path()});
        ++result_.sequences;
        result_.frames += static_cast<long>(sighted.stretches[s].frames.size());
        result_.seconds += static_cast<double>(sighted.stretches[s].frames.size()) / sighted.fps;
      }
      CutOptions options;
      options.size = options_.size;
      options.png = options_.png;
      options.jpeg_quality = options_.jpeg_quality;
      options.progress = progress(fmt::format("cutting {}", sighted.name));
      for (const std::string& note : cut_video(sighted.source, sighted, stretches, *networks_, options).notes) {
        video.sighted.notes.push_back(note);
      }
      if (!sighted.has_audio && !sound_beside(sighted.source).empty()) {
        for (const std::string& note : cut_sound_beside(sighted, sounds)) video.sighted.notes.push_back(note);
        video.sighted.has_audio = true;
        std::erase(video.sighted.notes, "no sound");
      }
    }
  }

  void label() {
    std::vector<LabelJob> jobs;
    for (std::size_t v = 0; v < result_.videos.size(); ++v) {
      const TrackedVideo& video = result_.videos[v];
      const FittedVideo& fitted = result_.fit.videos[v];
      for (std::size_t s = 0; s < video.sequences.size(); ++s) {
        const SequenceFiles files = sequence_files(video.sequences[s]);
        jobs.push_back({output_ / files.images, output_ / files.masks, output_ / files.labels,
                        cut_camera(fitted.camera, video.sighted.stretches[s].window, options_.size),
                        &fitted.stretches[s].motion});
      }
    }
    label_pictures(result_.fit.head, jobs, progress("labelling"));
  }

  void report() {
    std::vector<SequenceOrigin> origins;
    std::vector<SightedVideo> videos;
    for (std::size_t v = 0; v < result_.videos.size(); ++v) {
      const TrackedVideo& video = result_.videos[v];
      videos.push_back(video.sighted);
      for (std::size_t s = 0; s < video.sequences.size(); ++s) {
        origins.push_back({video.sequences[s], static_cast<int>(v), static_cast<int>(s), 0});
      }
    }
    write_track_report(Capture::load(output_), origins, videos, result_.fit);
  }

  void name_appearances() {
    if (!options_.appearances.empty()) return;
    std::vector<Look> looks;
    for (const TrackedVideo& video : result_.videos) {
      std::vector<LookPicture> pictures;
      for (std::size_t s = 0; s < video.sequences.size(); ++s) {
        const SequenceFiles files = sequence_files(video.sequences[s]);
        const int frames = static_cast<int>(video.sighted.stretches[s].frames.size());
        for (int k = 0; k < kLookPictures; ++k) {
          const std::string name = frame_name(static_cast<int>((k + 0.5) * frames / kLookPictures));
          pictures.push_back({output_ / files.images / (name + (options_.png ? ".png" : ".jpg")),
                              output_ / files.masks / (name + ".png")});
        }
      }
      looks.push_back(look_of(pictures));
    }
    const std::vector<int> group = group_looks(looks);
    std::map<int, std::string> name;  // of a group: its first video's
    for (std::size_t v = 0; v < group.size(); ++v) {
      SightedVideo& video = result_.videos[v].sighted;
      video.appearance = name.emplace(group[v], video.name).first->second;
      for (std::size_t other = 0; other < v; ++other) {
        spdlog::debug("looks of {} and {}: {:.3f} apart", video.name, result_.videos[other].sighted.name,
                      look_distance(looks[v], looks[other]));
      }
    }
  }

  const std::vector<fs::path>& paths_;
  const fs::path& output_;
  const TrackOptions& options_;
  WorkFolder work_;
  std::optional<FaceNetworks> networks_;
  std::optional<FaceDescriber> describer_;
  std::vector<std::size_t> index_;  // of each sighted video in paths_
  TrackResult result_;
};

void check_options(const std::vector<fs::path>& videos, const TrackOptions& options) {
  const auto refuse = [](const std::string& what, const std::string& mend) {
    throw Error(ErrorCode::kBadArgument, what, mend);
  };
  if (videos.empty()) refuse("no video is given", "name one or more video files");
  if (!options.appearances.empty() && options.appearances.size() != videos.size()) {
    refuse(fmt::format("{} appearances for {} videos", options.appearances.size(), videos.size()),
           "give one a video, or none");
  }
  if (options.focal.size() > 1 && options.focal.size() != videos.size()) {
    refuse(fmt::format("{} focal lengths for {} videos", options.focal.size(), videos.size()),
           "give one a video, one for all, or none");
  }
  for (const double focal : options.focal) {
    if (!(focal >= 0 && focal < 1e6))
      refuse(fmt::format("focal length {}", focal), "give pixels, or 0 to have it found");
  }
  for (std::size_t i = 0; i < videos.size(); ++i) {
    if (!fs::exists(videos[i])) {
      throw Error(ErrorCode::kNotFound, fmt::format("{}: there is no such file", videos[i].string()), "check the name");
    }
    if (std::find(videos.begin(), videos.begin() + static_cast<std::ptrdiff_t>(i), videos[i]) !=
        videos.begin() + static_cast<std::ptrdiff_t>(i)) {
      refuse(fmt::format("{} is given twice", videos[i].string()), "name each video once");
    }
  }
}

}  // namespace

TrackResult track_videos(const std::vector<fs::path>& videos, const fs::path& output, const TrackOptions& options) {
  check_options(videos, options);
  return Tracker(videos, output, options).run();
}

}  // namespace mien
