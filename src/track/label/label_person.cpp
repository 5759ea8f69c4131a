#include <algorithm>
#include <array>
#include <cmath>

#include "mien/base/error.h"
#include "mien/capture/capture.h"
#include "mien/geometry/raster.h"
#include "mien/track/person_labels.h"
#include "track/label/colour_shares.h"
#include "track/label/spread.h"

namespace mien {
namespace {

constexpr int kMostSide = 512;  // pixels at which labels are worked out
constexpr std::uint8_t kHead = static_cast<std::uint8_t>(PersonPart::kHead),
                       kNeck = static_cast<std::uint8_t>(PersonPart::kNeck),
                       kTorso = static_cast<std::uint8_t>(PersonPart::kTorso);
constexpr int kPerson = 26;    // of 255: a matte above it is the person's
constexpr float kRatio = 2;    // how much likelier than skin the colour of hair must be over the neck
constexpr float kNear = 0.5f;  // of the head's height: what lies above the mouth and as near as this is of the head

// The part of the person that each triangle belongs to; scalp and face, apart.
struct FaceKinds {
  std::vector<std::uint8_t> part;
  std::vector<bool> scalp;
};

FaceKinds kinds_of(const HeadModel& head) {
  FaceKinds out;
  for (const Index3& face : head.mesh.faces) {
    int neck = 0, shoulders = 0, scalp = 0;
    for (int k = 0; k < 3; ++k) {
      const HeadRegion region = head.region[static_cast<std::size_t>(face[k])];
      neck += region == HeadRegion::kNeck ? 1 : 0;
      shoulders += region == HeadRegion::kShoulders ? 1 : 0;
      scalp += region == HeadRegion::kScalp ? 1 : 0;
    }
    out.part.push_back(shoulders >= 2 ? kTorso : neck + shoulders >= 2 ? kNeck : kHead);
    out.scalp.push_back(scalp >= 2);
  }
  return out;
}

// Where the head lies in the picture.
struct HeadBox {
  int top = 0, bottom = -1;            // rows that its surface covers
  int most_left = 0, most_right = -1;  // and columns
  std::vector<int> left, right;        // [rows] columns that it covers; right < left where it does not
  int height() const { return bottom - top + 1; }
};

class Labeller {
 public:
  Labeller(const HeadModel& head, std::span<const Vec3> vertices, const Camera& camera, const Image8& picture,
           const Image8& matte)
      : picture_(picture), matte_(matte), kinds_(kinds_of(head)) {
    RasterOptions options;
    options.barycentrics = false;
    rasterise(vertices, head.mesh.faces, camera, options, seen_);
    find_box();
  }

  Image8 run() {
    if (box_.bottom < 0) return far_from_head();
    learn_colours();
    track::SpreadCosts costs;
    costs.still = kNeck;  // not beyond the model's
    Image8 labels = track::spread_labels(picture_, seeds(), person(), costs);
    for (std::size_t i = 0; i < labels.pixels.size(); ++i) {
      if (matte_.pixels[i] == 0)
        labels.pixels[i] = 0;
      else if (labels.pixels[i] == 0)  // nothing reaches what the neck encloses
        labels.pixels[i] = kNeck;
    }
    return labels;
  }

 private:
  std::uint8_t surface(int x, int y) const {  // the head model's part here; 0 beside it
    const std::int32_t face = seen_.face[seen_.index(x, y)];
    return face < 0 ? std::uint8_t{0} : kinds_.part[static_cast<std::size_t>(face)];
  }
  bool is_scalp(int x, int y) const {
    const std::int32_t face = seen_.face[seen_.index(x, y)];
    return face >= 0 && kinds_.scalp[static_cast<std::size_t>(face)];
  }
  bool is_person(int x, int y) const { return *matte_.at(x, y) > kPerson; }

  // A picture in which the head is not: all of the person is torso.
  Image8 far_from_head() const {
    Image8 out(matte_.width, matte_.height, 1);
    for (std::size_t i = 0; i < out.pixels.size(); ++i) out.pixels[i] = matte_.pixels[i] > 0 ? kTorso : 0;
    return out;
  }

  void find_box() {
    box_.top = picture_.height;
    box_.most_left = picture_.width;
    box_.left.assign(static_cast<std::size_t>(picture_.height), picture_.width);
    box_.right.assign(static_cast<std::size_t>(picture_.height), -1);
    for (int y = 0; y < picture_.height; ++y) {
      for (int x = 0; x < picture_.width; ++x) {
        const std::uint8_t part = surface(x, y);
        if (part != kHead) continue;
        box_.top = std::min(box_.top, y);
        box_.bottom = y;
        auto &left = box_.left[static_cast<std::size_t>(y)], &right = box_.right[static_cast<std::size_t>(y)];
        left = std::min(left, x);
        right = std::max(right, x);
        box_.most_left = std::min(box_.most_left, x);
        box_.most_right = std::max(box_.most_right, x);
      }
    }
  }

  // Beside or above the head's surface, higher than the mouth, and near: hair, ears, a hat, headphones.
  bool is_about_head(int x, int y) const {
    const int height = box_.height();
    if (y > box_.bottom - height / 4) return false;
    const int row = std::max(y, box_.top);
    const int beside =
        std::max({0, box_.left[static_cast<std::size_t>(row)] - x, x - box_.right[static_cast<std::size_t>(row)]});
    const int above = std::max(0, box_.top - y);
    return std::hypot(beside, above) < kNear * static_cast<float>(height);
  }

  // A little below the jaw: the throat, in the jaw's shadow.
  bool is_throat(int x, int y) const {
    const int reach = box_.height() / 10;
    for (int up = 1; up <= reach && up <= y; ++up) {
      if (surface(x, y - up) == kHead) return true;
    }
    return false;
  }

  // Where the body must be, but for hair: on the model's shoulders, far below the jaw, or lower than it and far from
  // the neck. Beside the neck, hair is as likely.
  bool is_body(int x, int y) const {
    const std::uint8_t part = surface(x, y);
    if (part != 0) return part == kTorso;
    const int height = box_.height();
    if (y > box_.bottom + height / 3) return true;
    return y > box_.bottom - height / 10 && (x < box_.most_left - height / 6 || x > box_.most_right + height / 6);
  }

  // How likely the hair's own pixels are, on average: what is as likely looks like hair.
  float usual_hair() const {
    double sum = 0, count = 1;
    for_person([&](int x, int y, std::uint8_t part) {
      if ((part == kHead && is_scalp(x, y)) || (part == 0 && is_about_head(x, y))) {
        sum += hair_.at(picture_.at(x, y));
        count += 1;
      }
    });
    return static_cast<float>(sum / count);
  }

  void learn_colours() {
    for_person([&](int x, int y, std::uint8_t part) {
      const std::uint8_t* rgb = picture_.at(x, y);
      if (part == kHead && !is_scalp(x, y))
        skin_.add(rgb);
      else if (part == kHead || (part == 0 && is_about_head(x, y)))
        hair_.add(rgb);
      else if (part == kNeck && is_throat(x, y))
        throat_.add(rgb);
    });
    const float usual = usual_hair();
    for_person([&](int x, int y, std::uint8_t) {
      const std::uint8_t* rgb = picture_.at(x, y);
      if (is_body(x, y) && hair_.at(rgb) < 0.3f * usual) clothes_.add(rgb);
    });
  }

  template <typename Body>
  void for_person(const Body& body) const {
    for (int y = 0; y < picture_.height; ++y) {
      for (int x = 0; x < picture_.width; ++x) {
        if (is_person(x, y)) body(x, y, surface(x, y));
      }
    }
  }

  static float likelihood(const track::ColourShares& colours, const std::uint8_t* rgb) {
    constexpr float kFew = 30;  // pixels
    return colours.total() < kFew ? 0 : colours.at(rgb);
  }

  Image8 seeds() const {
    Image8 out(picture_.width, picture_.height, 1);
    for_person([&](int x, int y, std::uint8_t part) {
      if (part == kHead || (part == 0 && is_about_head(x, y))) {
        *out.at(x, y) = kHead;
        return;
      }
      const std::uint8_t* rgb = picture_.at(x, y);
      const float skin = std::max(likelihood(skin_, rgb), likelihood(throat_, rgb)), hair = likelihood(hair_, rgb),
                  clothes = likelihood(clothes_, rgb);
      if (part == kNeck && clothes > kRatio * skin && clothes > hair)
        *out.at(x, y) = kTorso;
      else if (part == kNeck && hair < kRatio * skin)
        *out.at(x, y) = kNeck;
      else if (is_body(x, y) && hair < std::max(skin, clothes))
        *out.at(x, y) = kTorso;
    });
    return out;
  }

  Image8 person() const {
    Image8 out(matte_.width, matte_.height, 1);
    for (std::size_t i = 0; i < out.pixels.size(); ++i) out.pixels[i] = matte_.pixels[i] > kPerson ? 1 : 0;
    return out;
  }

  const Image8 &picture_, &matte_;
  FaceKinds kinds_;
  RasterBuffer seen_;
  HeadBox box_;
  track::ColourShares skin_, throat_, hair_, clothes_;
};

Image8 enlarge(const Image8& labels, const Image8& matte) {
  Image8 out(matte.width, matte.height, 1);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      if (*matte.at(x, y) == 0) continue;
      const int u = x * labels.width / out.width, v = y * labels.height / out.height;
      *out.at(x, y) = std::max<std::uint8_t>(*labels.at(u, v), kHead);
    }
  }
  return out;
}

}  // namespace

Image8 label_person(const HeadModel& head, std::span<const Vec3> vertices, const Camera& camera, const Image8& picture,
                    const Image8& matte) {
  MIEN_CHECK(picture.channels == 3 && matte.channels == 1 && picture.width == matte.width &&
                 picture.height == matte.height && picture.width == camera.width && picture.height == camera.height,
             "picture, matte and camera differ in size");
  const int side = std::max(picture.width, picture.height);
  if (side <= kMostSide) return Labeller(head, vertices, camera, picture, matte).run();
  const double scale = static_cast<double>(kMostSide) / side;
  Camera small = camera;
  small.width = std::max(1, static_cast<int>(std::lround(picture.width * scale)));
  small.height = std::max(1, static_cast<int>(std::lround(picture.height * scale)));
  const auto across = static_cast<float>(small.width) / static_cast<float>(picture.width),
             down = static_cast<float>(small.height) / static_cast<float>(picture.height);
  small.fx *= across;
  small.cx *= across;
  small.fy *= down;
  small.cy *= down;
  const Image8 colours = resize_image(picture, small.width, small.height),
               person = resize_image(matte, small.width, small.height);
  return enlarge(Labeller(head, vertices, small, colours, person).run(), matte);
}

}  // namespace mien
