#include "capture/import/plan.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "capture/import/pictures.h"
#include "mien/base/error.h"
#include "mien/media/image.h"

namespace mien::import {
namespace {

// Camera 9 before camera 10.
struct NaturalOrder {
  bool operator()(const std::string& a, const std::string& b) const { return ::strverscmp(a.c_str(), b.c_str()) < 0; }
};

template <typename T>
using ById = std::map<std::string, T, NaturalOrder>;

bool same_lens(const Camera& a, const Camera& b) {
  const auto near = [](float x, float y) { return std::abs(x - y) <= 1e-3f * (1 + std::abs(x)); };
  bool same = a.width == b.width && a.height == b.height && near(a.fx, b.fx) && near(a.fy, b.fy) && near(a.cx, b.cx) &&
              near(a.cy, b.cy);
  for (std::size_t i = 0; i < a.distortion.size(); ++i) {
    same = same && std::abs(a.distortion[i] - b.distortion[i]) < 1e-5f;
  }
  return same;
}

// In a still scene every picture is a camera; two pictures of one name get a number.
void name_still_cameras(Source& source) {
  std::map<std::string, int> uses;
  for (Picture& p : source.pictures) {
    const int use = uses[p.camera]++;
    if (use > 0) p.camera += fmt::format("-{}", use + 1);
  }
}

// The still scene as two sequences of one frame: what to train on, and every n-th picture to test with.
void split_still(Source& source, int hold_out) {
  name_still_cameras(source);
  std::sort(source.pictures.begin(), source.pictures.end(),
            [](const Picture& a, const Picture& b) { return NaturalOrder()(a.camera, b.camera); });
  for (std::size_t i = 0; i < source.pictures.size(); ++i) {
    const bool test = hold_out > 0 && i % static_cast<std::size_t>(hold_out) == 0;
    source.pictures[i].sequence = test ? "held-out" : "views";
    if (test) source.test.insert("held-out");
  }
}

// Which sequences are for testing: those named by the options, else by the source, else the last fifth from 3 on.
void choose_test(const Source& source, const ImportOptions& options, std::vector<PlannedSequence>& sequences) {
  std::set<std::string> names = source.test;
  if (!options.test.empty() && !source.still) names = {options.test.begin(), options.test.end()};
  for (const std::string& name : options.test) {
    if (std::none_of(sequences.begin(), sequences.end(), [&](const PlannedSequence& s) { return s.id == name; })) {
      std::string known;
      for (const PlannedSequence& s : sequences) known += (known.empty() ? "" : ", ") + s.id;
      throw Error(ErrorCode::kBadArgument, fmt::format("there is no sequence \"{}\"", name), "there are " + known);
    }
  }
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::size_t n = sequences.size();
    sequences[i].test =
        names.empty() ? n >= 3 && i >= n - std::max<std::size_t>(1, n / 5) : names.contains(sequences[i].id);
  }
}

void check_moments(const PlannedSequence& s, const std::string& camera, const std::map<int, std::size_t>& pictures) {
  if (pictures.size() == s.times.size()) return;
  int missing = s.times.front();
  for (const int time : s.times) {
    if (!pictures.contains(time)) {
      missing = time;
      break;
    }
  }
  throw Error(ErrorCode::kBadFile,
              fmt::format("sequence {}, camera {}: {} pictures, but the sequence has {} moments (moment {} is missing)",
                          s.id, camera, pictures.size(), s.times.size(), missing),
              fmt::format("restore the pictures, or leave the camera out with --skip-cameras {}", camera));
}

// All moments of the view have a matte, or none has; and those that are named exist.
bool has_masks(const Source& source, const PlannedSequence& s, const PlannedView& view, const std::string& camera) {
  std::size_t count = 0;
  for (std::size_t f = 0; f < view.pictures.size(); ++f) {
    const Picture& p = source.pictures[view.pictures[f]];
    if (!std::filesystem::is_regular_file(p.image)) {
      throw Error(ErrorCode::kNotFound, p.image.string() + ": no such picture", "restore it, or correct the list");
    }
    if (p.mask.empty()) continue;
    ++count;
    if (!std::filesystem::is_regular_file(p.mask)) {
      throw Error(ErrorCode::kNotFound,
                  fmt::format("{}: no such mask (sequence {}, camera {}, moment {})", p.mask.string(), s.id, camera,
                              s.times[f]),
                  "restore the masks, or take them out of the list");
    }
  }
  if (count != 0 && count != view.pictures.size()) {
    throw Error(
        ErrorCode::kBadFile,
        fmt::format("sequence {}, camera {}: {} masks for {} pictures", s.id, camera, count, view.pictures.size()),
        "give every picture a mask, or none");
  }
  return count != 0;
}

void plan_meshes(const Source& source, PlannedSequence& s, std::size_t& count) {
  for (std::size_t f = 0; f < s.times.size(); ++f) {
    std::filesystem::path mesh;
    for (const PlannedView& view : s.views) {
      if (const Picture& p = source.pictures[view.pictures[f]]; !p.mesh.empty()) mesh = p.mesh;
    }
    count += mesh.empty() ? 0 : 1;
    s.meshes.push_back(mesh);
  }
}

// Size of the pictures and whether they bring their own alpha, from the first.
void plan_camera(const Source& source, const Picture& first, bool masked, int longest_side, PlannedCamera& camera) {
  const Image8 image = read_image(first.image);
  camera.lens = lens_for(first.lens, image.width, image.height, first.image.string());
  camera.target = straight_lens(camera.lens, masked || image.channels == 4, longest_side, first.image.string());
  for (const Picture& p : source.pictures) {
    if (p.camera != camera.id || same_lens(p.lens, first.lens)) continue;
    throw Error(ErrorCode::kBadFile,
                fmt::format("camera {}: its lens changes (fx {} in {}, {} in {})", camera.id, first.lens.fx,
                            first.image.string(), p.lens.fx, p.image.string()),
                "import the sequences apart, or give each focal length a camera of its own");
  }
}

// A camera stays where it is, or moves; and it looks towards the origin, where the head is.
void place_camera(const Source& source, const Placement& placement, PlannedCamera& camera) {
  bool first = true;
  for (const Picture& p : source.pictures) {
    if (p.camera != camera.id) continue;
    const Mat4 place = placement.camera(p.world_to_camera);
    if (first) camera.target.world_to_camera = place;
    first = false;
    camera.moving = camera.moving || (place - camera.target.world_to_camera).cwiseAbs().maxCoeff() > 1e-5f;
    if (!(place(2, 3) > 0)) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: camera {} looks away from the head, which should be at the origin", p.image.string(),
                              camera.id),
                  fmt::format("try --place centre, or leave it out with --skip-cameras {}", camera.id));
    }
  }
}

}  // namespace

Plan make_plan(Source& source, const Placement& placement, const ImportOptions& options) {
  if (source.still) split_still(source, options.hold_out);
  ById<ById<std::map<int, std::size_t>>> order;  // sequence, camera, time
  for (std::size_t i = 0; i < source.pictures.size(); ++i) {
    const Picture& p = source.pictures[i];
    if (!order[p.sequence][p.camera].emplace(p.time, i).second) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("sequence {}, camera {}: moment {} is listed twice", p.sequence, p.camera, p.time),
                  "correct timestep_index or camera_index");
    }
  }
  Plan plan;
  ById<std::size_t> camera_index;
  for (const Picture& p : source.pictures) camera_index.emplace(p.camera, 0);
  for (auto& [id, index] : camera_index) {
    index = plan.cameras.size();
    plan.cameras.push_back({id, false, {}, {}});
  }
  std::vector<int> masked(plan.cameras.size(), -1);
  std::vector<const Picture*> first(plan.cameras.size(), nullptr);
  std::size_t moments = 0, meshes = 0;
  for (const auto& [id, cameras] : order) {
    PlannedSequence s;
    s.id = id;
    std::set<int> times;
    for (const auto& [camera, pictures] : cameras) {
      for (const auto& [time, picture] : pictures) times.insert(time);
    }
    s.times.assign(times.begin(), times.end());
    for (const auto& [camera, pictures] : cameras) {
      check_moments(s, camera, pictures);
      PlannedView view;
      view.camera = camera_index.at(camera);
      for (const auto& [time, picture] : pictures) view.pictures.push_back(picture);
      view.masked = has_masks(source, s, view, camera);
      int& known = masked[view.camera];
      known = known < 0 ? view.masked : known & static_cast<int>(view.masked);
      if (first[view.camera] == nullptr) first[view.camera] = &source.pictures[view.pictures.front()];
      s.views.push_back(std::move(view));
    }
    plan_meshes(source, s, meshes);
    moments += s.times.size();
    plan.sequences.push_back(std::move(s));
  }
  for (std::size_t c = 0; c < plan.cameras.size(); ++c) {
    plan_camera(source, *first[c], masked[c] == 1, options.longest_side, plan.cameras[c]);
    place_camera(source, placement, plan.cameras[c]);
  }
  // Pictures with alpha have their matte in them.
  for (PlannedSequence& s : plan.sequences) {
    for (PlannedView& view : s.views) {
      view.masked = view.masked || read_image(source.pictures[view.pictures.front()].image).channels == 4;
    }
  }
  choose_test(source, options, plan.sequences);
  plan.meshes = meshes > 0;
  if (meshes != 0 && meshes != moments) {
    throw Error(ErrorCode::kBadFile, fmt::format("{} meshes for {} moments", meshes, moments),
                "give every moment of every sequence a mesh, or none");
  }
  return plan;
}

}  // namespace mien::import
