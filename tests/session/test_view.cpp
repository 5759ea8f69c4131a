#include <gtest/gtest.h>

#include <cmath>

#include "mien/base/error.h"
#include "mien/session/view.h"

namespace mien {
namespace {

const Vec3 kFocus(0.01f, -0.03f, 0.02f);
Camera front_camera() {
  return look_at(Vec3(0.01f, 0.0f, 1.3f), kFocus, 0.4f, 512, 512);
}

TEST(View, EveryViewLooksAtTheFocusFromTheSameDistance) {
  const Camera front = front_camera();
  const Vec2 centre = front.project(kFocus);
  for (const char* name : {"front", "left", "right", "three-quarter", "orbit", "sway", "30,10", "-60"}) {
    const View view = parse_view(name);
    for (double t = 0; t < 12; t += 0.7) {
      const Camera camera = view.at(t, front, kFocus, 512, 512);
      EXPECT_LT((camera.project(kFocus) - centre).norm(), 0.01f) << name << " at " << t;
      EXPECT_NEAR((camera.centre() - kFocus).norm(), (front.centre() - kFocus).norm(), 1e-5f);
      const Mat3 axes = camera.world_to_camera.topLeftCorner<3, 3>();
      EXPECT_LT((axes * axes.transpose() - Mat3::Identity()).norm(), 1e-5f);
    }
  }
}

TEST(View, SidesAreThePersonsOwn) {
  const Camera left = parse_view("left").at(0, front_camera(), kFocus, 512, 512);
  EXPECT_GT(left.centre().x(), 1.0f);  // +x is the person's left
  EXPECT_LT(parse_view("right").at(0, front_camera(), kFocus, 512, 512).centre().x(), -1.0f);
  EXPECT_GT(parse_view("0,15").at(0, front_camera(), kFocus, 512, 512).centre().y(), 0.2f);
}

TEST(View, OrbitStartsInFrontAndMovesSmoothly) {
  const View orbit = parse_view("orbit");
  const Camera front = front_camera();
  EXPECT_LT((orbit.at(0, front, kFocus, 512, 512).centre() - front.centre()).norm(), 1e-5f);
  float most = 0;
  for (double t = 0; t < 20; t += 1.0 / 30) {
    const Vec3 a = orbit.at(t, front, kFocus, 512, 512).centre(),
               b = orbit.at(t + 1.0 / 30, front, kFocus, 512, 512).centre();
    EXPECT_LT((a - b).norm(), 0.05f);
    most = std::max(most, std::abs(std::atan2(a.x() - kFocus.x(), a.z() - kFocus.z())));
  }
  EXPECT_NEAR(most, 70 * 3.14159f / 180, 0.03f);
}

TEST(View, SizeScalesThePictureByItsHeight) {
  const Camera camera = parse_view("front").at(0, front_camera(), kFocus, 640, 256);
  EXPECT_EQ(camera.width, 640);
  EXPECT_NEAR(camera.fy, front_camera().fy / 2, 1e-3f);
  EXPECT_NEAR(parse_view("0,0,2").at(0, front_camera(), kFocus, 512, 512).fy, front_camera().fy * 2, 1e-2f);
}

TEST(View, UnknownNamesListTheKnown) {
  for (const char* bad : {"behind", "", "200", "10,80", "0,0,100", "nan", "1,2,3,4", "5;6"}) {
    try {
      parse_view(bad);
      FAIL() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadArgument);
      EXPECT_NE(std::string(error.what()).find("three-quarter"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace mien
