// Which videos look alike.
#include <gtest/gtest.h>
#include <unistd.h>

#include "mien/base/error.h"
#include "mien/media/image.h"
#include "mien/track/sighting.h"
#include "track/tracker/looks.h"
#include "track/tracker/person_choice.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

// A person in the left half before a wall, with shading over both.
Look look(std::array<int, 3> person, std::array<int, 3> wall, int light = 0) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_looks_{}", ::getpid());
  fs::create_directories(folder);
  Image8 picture(64, 64, 3), matte(64, 64, 1);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      *matte.at(x, y) = x < 32 ? 255 : 0;
      for (int c = 0; c < 3; ++c) {
        const int value = (x < 32 ? person : wall)[static_cast<std::size_t>(c)] + light + y / 4;
        picture.at(x, y)[c] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
      }
    }
  }
  write_image(folder / "p.png", picture);
  write_image(folder / "m.png", matte);
  const Look out = look_of({{folder / "p.png", folder / "m.png"}});
  fs::remove_all(folder);
  return out;
}

TEST(Looks, ColoursTellThemApart) {
  const Look a = look({40, 40, 90}, {200, 180, 150}), lit = look({40, 40, 90}, {200, 180, 150}, 6);
  const Look coat = look({150, 30, 30}, {200, 180, 150}), elsewhere = look({40, 40, 90}, {30, 120, 40});
  EXPECT_EQ(look_distance(a, a), 0);
  EXPECT_LT(look_distance(a, lit), 0.3);
  EXPECT_GT(look_distance(a, coat), 0.36);
  EXPECT_GT(look_distance(a, elsewhere), 0.36);
  EXPECT_EQ(group_looks({a, coat, lit, elsewhere, coat}), (std::vector<int>{0, 1, 0, 2, 1}));
  EXPECT_TRUE(group_looks({}).empty());
}

SightedVideo video_of(std::vector<float> descriptor, int frames) {
  SightedVideo out;
  out.descriptor = std::move(descriptor);
  out.stretches.resize(1);
  out.stretches[0].frames.resize(static_cast<std::size_t>(frames));
  return out;
}

TEST(PersonChoice, WhoIsSeenForMostFramesOfAllVideos) {
  const std::vector<float> a = {1, 0}, nearly_a = {0.995f, 0.0998f}, b = {0, 1};
  // b's one video is longer than each of a's, not than both.
  const std::vector<float> person = most_seen_person({video_of(a, 50), video_of(b, 80), video_of(nearly_a, 40)});
  ASSERT_EQ(person.size(), 2u);
  EXPECT_GT(person[0], 0.99f);
  EXPECT_NEAR(person[0] * person[0] + person[1] * person[1], 1, 1e-5);
  EXPECT_TRUE(most_seen_person({video_of({}, 10)}).empty());
}

}  // namespace
}  // namespace mien
