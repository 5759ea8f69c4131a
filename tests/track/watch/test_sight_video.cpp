// First pass over small videos, good and bad.
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>

#include "mien/base/file.h"
#include "mien/base/random.h"
#include "mien/track/sight_video.h"
#include "track/watch/watch_tools.h"

namespace mien {
namespace {

using testing::HasSubstr;

class SightVideo : public WatchFolder {
 protected:
  SightedVideo sight(const std::filesystem::path& path, SightOptions options = {}) const {
    options.describer = describer_.get();
    return sight_video(path, *networks_, options);
  }
  // Stretches and omissions cover the video, in order, without overlap.
  static void expect_covered(const SightedVideo& video) {
    std::vector<std::pair<double, double>> parts;
    for (const Stretch& s : video.stretches)
      parts.emplace_back(s.first / video.fps, (s.first + static_cast<double>(s.frames.size())) / video.fps);
    for (const Omission& o : video.omissions) {
      parts.emplace_back(o.begin, o.end);
      EXPECT_FALSE(o.text.empty());
    }
    std::sort(parts.begin(), parts.end());
    double end = 0;
    for (const auto& [from, to] : parts) {
      EXPECT_NEAR(from, end, 1e-6);
      end = to;
    }
    EXPECT_NEAR(end, video.frames / video.fps, 1e-6);
  }
};

TEST_F(SightVideo, FollowsOneFace) {
  const SightedVideo video = sight(this->video("one face", 30, [](int i) { return drifting_face(0, i); }));
  EXPECT_EQ(video.name, "one_face");
  EXPECT_EQ(video.frames, 30);
  EXPECT_DOUBLE_EQ(video.fps, 25);
  ASSERT_EQ(video.stretches.size(), 1u);
  EXPECT_EQ(video.stretches[0].frames.size(), 30u);
  EXPECT_TRUE(video.omissions.empty());
  EXPECT_EQ(video.descriptor.size(), 128u);
  // The pupils, as seen in the picture: (125, 161) and (178, 156) of 400; and they drift with it.
  const FaceSighting& first = video.stretches[0].frames[0];
  EXPECT_NEAR(first.points[468][0], 125 * 0.64, 3);
  EXPECT_NEAR(first.points[468][1], 164 * 0.64, 4);
  EXPECT_NEAR(first.points[473][0], 178 * 0.64, 4);
  EXPECT_NEAR(video.stretches[0].frames[9].points[1][0] - first.points[1][0], 3, 1);
  for (const FaceSighting& face : video.stretches[0].frames) EXPECT_GT(face.weight, 0.5f);
  // Hair and shoulders in the window.
  const CutWindow& w = video.stretches[0].window;
  EXPECT_LE(w.top, 28);
  EXPECT_GE(w.top + w.size, 190);
  expect_covered(video);
}

TEST_F(SightVideo, IsTheSameAgainAndComesBackFromItsFile) {
  const auto path = video("again", 20, [](int i) { return drifting_face(0, i); });
  const SightedVideo a = sight(path), b = sight(path);
  a.save((folder_ / "a.sight").string());
  b.save((folder_ / "b.sight").string());
  EXPECT_EQ(read_file(folder_ / "a.sight"), read_file(folder_ / "b.sight"));
  const SightedVideo back = SightedVideo::load((folder_ / "a.sight").string());
  ASSERT_EQ(back.stretches.size(), 1u);
  EXPECT_EQ(back.stretches[0].frames[7].points, a.stretches[0].frames[7].points);
  EXPECT_EQ(back.stretches[0].frames[7].weight, a.stretches[0].frames[7].weight);
  EXPECT_EQ(back.descriptor, a.descriptor);
  EXPECT_EQ(back.notes, a.notes);
  EXPECT_EQ(back.picture, a.picture);
  EXPECT_EQ(back.stretches[0].window.size, a.stretches[0].window.size);

  const std::vector<std::uint8_t> whole = read_file(folder_ / "a.sight");
  Random random(5);
  for (int i = 0; i < 40; ++i) {  // damage is found, or does no harm
    std::vector<std::uint8_t> bad = whole;
    if (i % 2 == 0)
      bad.resize(static_cast<std::size_t>(random.uniform() * static_cast<double>(whole.size())));
    else
      bad[static_cast<std::size_t>(random.uniform() * 3000)] ^= 0x41;
    std::ofstream(folder_ / "bad", std::ios::binary)
        .write(reinterpret_cast<const char*>(bad.data()), static_cast<long>(bad.size()));
    try {
      SightedVideo::load((folder_ / "bad").string());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadFile) << error.what();
    }
  }
}

TEST_F(SightVideo, CutsAreStretchesAndTheOtherPersonIsLeftOut) {
  // ada, cut to chidi, cut back to ada.
  const auto path = video("turns", 80, [](int i) {
    Image8 picture = drifting_face(i < 30 || i >= 55 ? 1 : 2, i);
    if (i >= 30 && i < 55) {
      for (int y = 0; y < 256; ++y) {
        for (int x = 0; x < 256; ++x) {
          if (y < 30) picture.at(x, y)[0] = 250;  // another room
        }
      }
    }
    return picture;
  });
  const SightedVideo most = sight(path);
  ASSERT_EQ(most.stretches.size(), 2u);
  EXPECT_EQ(most.stretches[0].first, 0);
  EXPECT_EQ(most.stretches[0].frames.size(), 30u);
  EXPECT_EQ(most.stretches[1].first, 55);
  EXPECT_EQ(most.stretches[1].frames.size(), 25u);
  ASSERT_EQ(most.omissions.size(), 1u);
  EXPECT_EQ(most.omissions[0].reason, "other-person");
  expect_covered(most);

  write_image(folder_ / "chidi.png", face_picture(3));  // another expression than in the video
  SightOptions options;
  options.who = folder_ / "chidi.png";
  const SightedVideo wanted = sight(path, options);
  ASSERT_EQ(wanted.stretches.size(), 1u);
  EXPECT_EQ(wanted.stretches[0].first, 30);
  EXPECT_EQ(wanted.stretches[0].frames.size(), 25u);
  expect_covered(wanted);
}

TEST_F(SightVideo, WantedPersonWhoIsNotThereIsAnError) {
  const auto path = video("ada", 20, [](int i) { return drifting_face(0, i); });
  write_image(folder_ / "chidi.png", face_picture(2));
  SightOptions options;
  options.who = folder_ / "chidi.png";
  EXPECT_THAT(error_of([&] { sight(path, options); }, ErrorCode::kNotFound), HasSubstr("wanted person is not in it"));
  write_image(folder_ / "grey.png", Image8(64, 64, 3, 99));
  options.who = folder_ / "grey.png";
  EXPECT_THAT(error_of([&] { sight(path, options); }, ErrorCode::kBadArgument), HasSubstr("no face"));
  EXPECT_THAT(error_of([&] { sight_video(path, *networks_, options); }, ErrorCode::kBadArgument),
              HasSubstr("scripts/setup"));
}

TEST_F(SightVideo, TwoFacesSideBySideAreToldApart) {
  const auto path = video("two", 18, [](int i) {
    Image8 picture(512, 256, 3, 90);
    paste(picture, drifting_face(2, i), 0, 0);
    paste(picture, drifting_face(0, i + 5), 256, 0);
    return picture;
  });
  for (const int who : {0, 3}) {
    write_image(folder_ / "who.png", face_picture(who));
    SightOptions options;
    options.who = folder_ / "who.png";
    const SightedVideo video = sight(path, options);
    ASSERT_EQ(video.stretches.size(), 1u);
    EXPECT_EQ(video.stretches[0].frames.size(), 18u);
    EXPECT_EQ(video.stretches[0].frames[15].points[1][0] > 256, who == 0);
    EXPECT_THAT(video.notes, testing::Contains(HasSubstr("2 different faces")));
  }
}

TEST_F(SightVideo, FaceThatLeavesAndIsBlurredIsLeftOutThere) {
  const auto path = video("gaps", 90, [](int i) {
    if (i >= 25 && i < 50) return Image8(256, 256, 3, 100);  // nobody
    Image8 picture = drifting_face(1, i);
    if (i >= 70) picture = resize_image(resize_image(picture, 24, 24), 256, 256);
    return picture;
  });
  const SightedVideo video = sight(path);
  ASSERT_EQ(video.stretches.size(), 2u);
  EXPECT_EQ(video.stretches[0].frames.size(), 25u);
  EXPECT_EQ(video.stretches[1].first, 50);
  EXPECT_NEAR(static_cast<double>(video.stretches[1].frames.size()), 20, 4);
  ASSERT_EQ(video.omissions.size(), 2u);
  EXPECT_EQ(video.omissions[0].reason, "no-face");
  EXPECT_THAT(video.omissions[1].reason, testing::AnyOf("blur", "no-face"));
  expect_covered(video);
}

TEST_F(SightVideo, UselessVideosSayWhy) {
  const auto message = [&](const std::filesystem::path& path, ErrorCode code) {
    return error_of([&] { sight(path); }, code);
  };
  EXPECT_THAT(message(video("black", 20, [](int) { return Image8(128, 96, 3, 0); }), ErrorCode::kNotFound),
              HasSubstr("black throughout"));
  EXPECT_THAT(message(video("empty", 20, [](int i) { return Image8(128, 96, 3, static_cast<std::uint8_t>(90 + i)); }),
                      ErrorCode::kNotFound),
              HasSubstr("no face is to be seen"));
  EXPECT_THAT(message(video("drawing", 20,
                            [](int) {  // two dots and a line in a circle
                              Image8 picture(128, 128, 3, 250);
                              for (int y = 0; y < 128; ++y) {
                                for (int x = 0; x < 128; ++x) {
                                  const bool rim = std::abs(std::hypot(x - 64, y - 64) - 45) < 2;
                                  const bool eye = std::hypot(std::abs(x - 64) - 16, y - 52) < 4;
                                  const bool mouth = std::abs(y - 84) < 2 && std::abs(x - 64) < 18;
                                  if (rim || eye || mouth) std::fill_n(picture.at(x, y), 3, std::uint8_t{20});
                                }
                              }
                              return picture;
                            }),
                      ErrorCode::kNotFound),
              testing::AnyOf(HasSubstr("never moves"), HasSubstr("nothing of it can be used")));
  EXPECT_THAT(message(video("tiny", 20,
                            [](int) {
                              Image8 picture(320, 240, 3, 120);
                              paste(picture, resize_image(face_picture(0), 44, 44), 140, 100);  // a face of 20 pixels
                              return picture;
                            }),
                      ErrorCode::kNotFound),
              HasSubstr("nothing of it can be used"));
  EXPECT_THAT(message(video("one", 1, [](int i) { return drifting_face(0, i); }), ErrorCode::kBadArgument),
              HasSubstr("single picture"));
  EXPECT_THAT(message(video("still", 20, [](int) { return drifting_face(0, 0); }), ErrorCode::kNotFound),
              HasSubstr("never moves"));
  write_image(folder_ / "photo.jpg", face_picture(0));
  EXPECT_THAT(message(folder_ / "photo.jpg", ErrorCode::kBadArgument), HasSubstr("single picture"));
  EXPECT_THAT(message(video("short", 5, [](int i) { return drifting_face(0, i); }), ErrorCode::kBadArgument),
              HasSubstr("lasts only"));
  std::ofstream(folder_ / "text.mp4") << "no video at all";
  message(folder_ / "text.mp4", ErrorCode::kBadFile);
  message(folder_ / "absent.mp4", ErrorCode::kNotFound);
}

TEST_F(SightVideo, SmallFaceInALargePictureIsFound) {
  const auto path = video("far", 15, [](int i) {
    Image8 picture(1280, 720, 3, 110);
    paste(picture, resize_image(face_picture(1), 180, 180), 900 + i / 5, 350);  // a face of 80 pixels
    return picture;
  });
  const SightedVideo video = sight(path);
  ASSERT_EQ(video.stretches.size(), 1u);
  EXPECT_NEAR(video.stretches[0].frames[0].points[1][0], 900 + 65, 20);
}

TEST_F(SightVideo, StopsWhenAsked) {
  const auto path = video("stop", 20, [](int i) { return drifting_face(0, i); });
  SightOptions options;
  std::int64_t last = 0;
  options.progress = [&](std::int64_t done, std::int64_t total, const std::string&) {
    EXPECT_EQ(total, 20);
    last = done;
    return done < 5;
  };
  error_of([&] { sight(path, options); }, ErrorCode::kInterrupted);
  EXPECT_EQ(last, 5);
}

}  // namespace
}  // namespace mien
