// The report of a tracking: figures of a fit whose truth is known, the rules of the forecast, the page.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/html.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/track/report.h"
#include "track/report/report_parts.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
constexpr float kDegree = std::numbers::pi_v<float> / 180;

// A head of a few triangles: lips 0/1, lids 2/3 and 4/5, landmarks on one triangle.
HeadModel small_head() {
  HeadModel head;
  head.id = "small";
  head.mesh.positions = {Vec3(0, -0.06f, 0.1f),      Vec3(0, -0.06f, 0.1f),      Vec3(0.03f, 0.005f, 0.1f),
                         Vec3(0.03f, -0.005f, 0.1f), Vec3(-0.03f, 0.005f, 0.1f), Vec3(-0.03f, -0.005f, 0.1f)};
  head.mesh.faces = {Index3(0, 2, 4), Index3(1, 3, 5)};
  head.face_part = {HeadPart::kSkin, HeadPart::kSkin};
  head.region.assign(6, HeadRegion::kFace);
  head.skin_weights.assign(6, {1, 1});
  for (const char* name : kArkitNames) head.expression_names.emplace_back(name);
  head.expression.assign(static_cast<std::size_t>(kArkitCount) * 6, Vec3::Zero());
  const auto field = [&](const char* name) { return head.expression.begin() + 6 * arkit_index(name); };
  field("jawOpen")[1] = Vec3(0, -0.03f, 0);
  field("eyeBlinkLeft")[2] = Vec3(0, -0.01f, 0);
  field("eyeBlinkRight")[4] = Vec3(0, -0.01f, 0);
  head.joints = {Vec3(0, -0.14f, -0.03f), Vec3(0, -0.04f, 0), Vec3(0.03f, 0, 0.08f), Vec3(-0.03f, 0, 0.08f)};
  head.contours.lips = {{0, 1}};
  head.contours.lids_left = {{2, 3}};
  head.contours.lids_right = {{4, 5}};
  for (int i = 0; i < 478; ++i) head.landmarks.push_back({i % 2, Vec3(0.2f, 0.4f, 0.4f)});
  return head;
}

// Ten seconds at 25 frames/s of a head that looks straight on from 1 m, pupils 80 pixels apart; tests change it.
struct Scene {
  std::vector<SightedVideo> videos{1};
  HeadFit fit;
  Scene() {
    SightedVideo& video = videos[0];
    video.name = "clip";
    video.source = "a<b>.mp4";
    video.appearance = "clip";
    video.width = 1280;
    video.height = 720;
    video.fps = 25;
    video.frames = 300;
    video.has_audio = true;
    video.stretches.resize(1);
    Stretch& stretch = video.stretches[0];
    stretch.first = 50;
    stretch.frames.resize(250);
    stretch.window = {384, 104, 512};
    for (FaceSighting& face : stretch.frames) {
      face.weight = 1;
      for (auto& point : face.points) point = {640, 360, 0};
      face.points[468] = {600, 360, 0};
      face.points[473] = {680, 360, 0};
    }
    fit.head = small_head();
    fit.videos.resize(1);
    FittedVideo& fitted = fit.videos[0];
    fitted.camera = look_at(Vec3(0, 0, 1.08f), Vec3(0, 0, 0), 0.5f, 1280, 720);
    fitted.error = 0.01;
    fitted.stretches.resize(1);
    HeadMotion& motion = fitted.stretches[0].motion;
    motion.head_model = "small";
    motion.expression_names = fit.head.expression_names;
    motion.fps = 25;
    motion.frames.resize(250);
    for (MotionFrame& frame : motion.frames) frame.expression.assign(kArkitCount, 0.0f);
    fitted.stretches[0].error.assign(250, 0.8f);
  }
  std::vector<MotionFrame>& frames() { return fit.videos[0].stretches[0].motion.frames; }
  TrackReport report() const { return make_track_report(videos, fit); }
};

Forecast about(const std::vector<Forecast>& forecast, const std::string& topic) {
  for (const Forecast& one : forecast) {
    if (one.topic == topic) return one;
  }
  ADD_FAILURE() << "no forecast about " << topic;
  return {};
}

TEST(TrackReport, SaysFromWhereTheFaceWasSeen) {
  Scene scene;
  // A second with the head turned by 40 degrees to the person's right: the camera stands on the left. Half by the neck.
  for (int t = 100; t < 125; ++t) {
    const Quat half(Eigen::AngleAxisf(-20 * kDegree, Vec3::UnitY()));
    scene.frames()[t].pose.neck = half;
    scene.frames()[t].pose.head = half;
  }
  // Three frames far to the other side are too few to count; half a second with the chin up is enough.
  for (int t = 0; t < 3; ++t) scene.frames()[t].pose.root = Quat(Eigen::AngleAxisf(70 * kDegree, Vec3::UnitY()));
  for (int t = 150; t < 163; ++t) scene.frames()[t].pose.root = Quat(Eigen::AngleAxisf(-25 * kDegree, Vec3::UnitX()));
  const TrackReport report = scene.report();
  EXPECT_NEAR(report.coverage.left, 40, 4);  // the head turns about its own joint, before the camera's middle
  EXPECT_NEAR(report.coverage.right, 0, 0.5);
  EXPECT_NEAR(report.coverage.below, 25, 3);
  EXPECT_NEAR(report.coverage.above, 0, 0.5);
  EXPECT_NEAR(report.coverage.seconds, 10, 1e-9);
  double sum = 0;
  for (const auto& row : report.coverage.views) {
    for (const double seconds : row) sum += seconds;
  }
  EXPECT_NEAR(sum, 10, 1e-9);
  EXPECT_NEAR(report.coverage.views[4][8], 1, 1e-9);  // yaw 30 to 45
  EXPECT_EQ(about(report.forecast, "left side").outlook, Outlook::kFair);
  EXPECT_EQ(about(report.forecast, "right side").outlook, Outlook::kPoor);
  EXPECT_NE(about(report.forecast, "right side").text.find("never seen from the right:"), std::string::npos);
}

TEST(TrackReport, MeasuresMouthBlinksAndExpressions) {
  Scene scene;
  for (int t = 20; t < 40; ++t) scene.frames()[t].expression[arkit_index("jawOpen")] = 0.5f;  // 15 mm, 0.8 s
  scene.frames()[60].expression[arkit_index("jawOpen")] = 0.9f;                               // 27 mm, one frame
  for (const int t : {70, 71, 72, 120, 121, 180}) {
    scene.frames()[t].expression[arkit_index("eyeBlinkLeft")] = 1;
    scene.frames()[t].expression[arkit_index("eyeBlinkRight")] = 0.9f;
  }
  for (int t = 200; t < 210; ++t) scene.frames()[t].expression[arkit_index("mouthSmileLeft")] = 0.6f;
  // What was not seen does not count, whatever the motion says.
  for (int t = 240; t < 250; ++t) {
    scene.frames()[t].expression[arkit_index("browInnerUp")] = 1;
    scene.fit.videos[0].stretches[0].error[t] = -1;
  }
  const TrackReport report = scene.report();
  EXPECT_NEAR(report.coverage.seconds, 9.6, 1e-9);
  EXPECT_NEAR(report.coverage.widest_mm, 15, 0.01);
  EXPECT_NEAR(report.coverage.opening[7], 0.8, 1e-9);
  EXPECT_NEAR(report.coverage.opening[13], 0.04, 1e-9);
  EXPECT_EQ(report.coverage.blinks, 3);
  EXPECT_NEAR(report.coverage.reach[arkit_index("mouthSmileLeft")], 0.6, 1e-6);
  EXPECT_NEAR(report.coverage.active[arkit_index("mouthSmileLeft")], 0.4, 1e-9);
  EXPECT_EQ(report.coverage.reach[arkit_index("browInnerUp")], 0);
  EXPECT_EQ(about(report.forecast, "smile").outlook, Outlook::kGood);
  EXPECT_EQ(about(report.forecast, "brows up").outlook, Outlook::kPoor);
  EXPECT_EQ(about(report.forecast, "open mouth").outlook, Outlook::kFair);
  EXPECT_EQ(about(report.forecast, "blinks").outlook, Outlook::kGood);
  // The poorest first.
  EXPECT_TRUE(std::is_sorted(report.forecast.begin(), report.forecast.end(),
                             [](const Forecast& a, const Forecast& b) { return a.outlook > b.outlook; }));
}

TEST(TrackReport, JitterIsThatOfStillParts) {
  Scene still;
  Random random(5);
  constexpr float kSigma = 0.0001f;
  for (MotionFrame& frame : still.frames())
    frame.pose.translation = kSigma * Vec3(random.normal(), random.normal(), random.normal());
  // Differences of independent places: sqrt(2 * 3) sigma.
  EXPECT_NEAR(still.report().videos[0].jitter_mm, std::sqrt(6.0) * 0.1, 0.02);
  EXPECT_EQ(about(still.report().forecast, "steadiness").outlook, Outlook::kFair);
  // A head on its way is not jittering.
  Scene moving;
  for (int t = 0; t < 250; ++t) moving.frames()[t].pose.translation = Vec3(0.002f * static_cast<float>(t), 0, 0);
  EXPECT_EQ(moving.report().videos[0].jitter_mm, -1);
  EXPECT_EQ(moving.report().videos[0].pupil_distance, 80);
  EXPECT_NEAR(moving.report().videos[0].worst_error, 0.01, 1e-6);
}

TEST(TrackReport, RefusesWhatDoesNotBelongTogether) {
  Scene scene;
  scene.fit.videos[0].stretches[0].error.pop_back();
  EXPECT_THROW(scene.report(), Error);
  scene.fit.videos.clear();
  EXPECT_THROW(scene.report(), Error);
}

TEST(Forecast, EveryRuleHasThreeAnswers) {
  // Figures at which everything is poor, fair, and good.
  const auto at = [](int step) {
    const auto of = [&](double poor, double fair, double good) { return step == 0 ? poor : step == 1 ? fair : good; };
    ForecastInput input;
    TrackedCoverage& seen = input.coverage;
    seen.seconds = of(3.9, 30, 200);
    seen.left = seen.right = of(10, 30, 60);
    seen.above = seen.below = of(1, 8, 20);
    seen.widest_mm = of(3, 12, 25);
    seen.reach.fill(of(0.1, 0.3, 0.8));
    seen.blinks = static_cast<int>(of(0, 2, 20));
    seen.gaze_degrees = of(2, 10, 30);
    input.videos = {{"a", 300, seen.seconds, of(0.05, 0.02, 0.01), 0.1, of(0.5, 0.2, 0.05), of(20, 60, 120)}};
    input.appearances = step == 2 ? 2 : 1;
    input.audio_seconds = of(0, 20, 200);
    return make_forecast(input);
  };
  const std::vector<Forecast> poor = at(0), fair = at(1), good = at(2);
  ASSERT_EQ(poor.size(), good.size());
  ASSERT_EQ(poor.size(), 16u);
  for (const Forecast& one : good) {
    EXPECT_EQ(one.outlook, Outlook::kGood) << one.topic;
    EXPECT_TRUE(one.advice.empty());
    const Forecast other = about(poor, one.topic), middle = about(fair, one.topic);
    EXPECT_EQ(other.outlook, one.topic == "light" ? Outlook::kFair : Outlook::kPoor) << one.topic;
    EXPECT_EQ(middle.outlook, Outlook::kFair) << one.topic;
    for (const Forecast* each : {&one, &other, &middle}) EXPECT_FALSE(each->text.empty()) << one.topic;
    EXPECT_FALSE(other.advice.empty()) << one.topic;
  }
  EXPECT_EQ(about(poor, "amount").text, "3.9 s of the face in all: expressions will be limited to the few that occur");
  EXPECT_EQ(about(poor, "open mouth").text, "the mouth is never wide open (3 mm at most): teeth will be guessed");
  EXPECT_NE(about(poor, "smile").text.find("smiles hardly occur"), std::string::npos);
  EXPECT_NE(about(poor, "left side").text.find("never seen from the left beyond 10 degrees"), std::string::npos);
  EXPECT_NE(about(poor, "light").text.find("one light only"), std::string::npos);
  EXPECT_NE(about(good, "amount").text.find("3 min 20 s"), std::string::npos);
}

class ReportPage : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("mien_report_{}", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "images" / "clip");
    capture_.folder = folder_;
    capture_.person = "<me>";
    CaptureCamera camera;
    camera.id = "clip";
    camera.camera = look_at(Vec3(0, 0, 1.08f), Vec3(0, 0, 0), 0.36f, 512, 512);
    capture_.cameras.push_back(camera);
    CaptureSequence sequence;
    sequence.id = "clip";
    sequence.fps = 25;
    sequence.frames = 250;
    sequence.views.push_back({"clip", "images/clip", "", ""});
    capture_.sequences.push_back(sequence);
    std::vector<float>& error = scene_.fit.videos[0].stretches[0].error;
    error[40] = 0.2f;  // best
    error[90] = 5;     // worst
    for (const int t : {40, 90})
      write_image(folder_ / "images" / "clip" / (frame_name(t) + ".jpg"), Image8(512, 512, 3, 90));
    scene_.videos[0].omissions = {{0, 2, "no-face", "nobody is seen"}, {12, 12.5, "<b>", "text & more"}};
    scene_.videos[0].notes = {"letterbox removed"};
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
  Capture capture_;
  Scene scene_;
};

TEST_F(ReportPage, IsWholeAndEscaped) {
  const std::vector<SequenceOrigin> origins = {{"clip", 0, 0, 0}};
  write_track_report(capture_, origins, scene_.videos, scene_.fit);
  const std::string html = read_text(folder_ / "report.html");
  // Names and texts from outside are text.
  EXPECT_NE(html.find("Tracking of &lt;me&gt;"), std::string::npos);
  EXPECT_EQ(html.find("<me>"), std::string::npos);
  EXPECT_EQ(html.find("<b>.mp4"), std::string::npos);
  EXPECT_NE(html.find("text &amp; more"), std::string::npos);
  // Best and worst have a picture, the median has none and is left out. Nothing is fetched from elsewhere.
  EXPECT_NE(html.find("best: 3.62 s, 0.2 px"), std::string::npos) << "frame 40 of a stretch that begins with frame 50";
  EXPECT_NE(html.find("worst: 5.62 s, 5.0 px"), std::string::npos);
  EXPECT_EQ(html.find("median: "), std::string::npos);
  EXPECT_EQ(html.find("http"), std::string::npos);
  // Every tag that is opened is closed.
  for (const char* tag : {"section", "div", "svg", "table", "ul", "li", "figure", "details", "main", "text", "rect"}) {
    const auto count = [&](const std::string& what) {
      std::size_t n = 0;
      for (std::size_t at = html.find(what); at != std::string::npos; at = html.find(what, at + 1)) ++n;
      return n;
    };
    EXPECT_EQ(count(fmt::format("<{}>", tag)) + count(fmt::format("<{} ", tag)), count(fmt::format("</{}>", tag)))
        << tag;
  }
  const Json json = read_json(folder_ / "report.json");
  EXPECT_EQ(json.at("videos").at(0).at("omissions").size(), 2u);
  EXPECT_NEAR(json.at("coverage").at("seconds").get<double>(), 10, 1e-6);
  EXPECT_EQ(json.at("coverage").at("expressions").size(), 52u);
  EXPECT_EQ(json.at("forecast").size(), 16u);
  EXPECT_THROW(write_track_report(capture_, std::vector<SequenceOrigin>{{"other", 0, 0, 0}}, scene_.videos, scene_.fit),
               Error);
  EXPECT_THROW(write_track_report(capture_, std::vector<SequenceOrigin>{{"clip", 0, 1, 0}}, scene_.videos, scene_.fit),
               Error);
}

TEST_F(ReportPage, OverlayPutsDotsWhereThePointsAre) {
  const Stretch& stretch = scene_.videos[0].stretches[0];
  // The window shows 512 pixels of the frame from (384, 104): point (600, 360) is at (216, 256).
  const Image8 drawn = track_report::draw_overlay(Image8(512, 512, 3, 90), capture_.cameras[0].camera, scene_.fit.head,
                                                  scene_.frames()[0], stretch.frames[0], stretch.window);
  const auto is_yellow = [&](int x, int y) { return drawn.at(x, y)[0] > 180 && drawn.at(x, y)[2] < 80; };
  EXPECT_TRUE(is_yellow(216, 256) || is_yellow(215, 255));
  EXPECT_FALSE(is_yellow(222, 256));
  EXPECT_EQ(drawn.at(20, 20)[0], 90);
  // Cut to the face, the point is still on the same place of the picture.
  Image8 picture(512, 512, 3, 90);
  picture.at(216, 300)[0] = 250;
  const track_report::CloseUp close =
      track_report::close_up(picture, capture_.cameras[0].camera, stretch.frames[0], stretch.window);
  EXPECT_LT(close.window.size, 512);
  EXPECT_EQ(close.picture.width, close.camera.width);
  const double zoom = 512 / close.window.size;
  const int x = static_cast<int>((600 - close.window.left) / close.window.size * close.picture.width);
  const int y = static_cast<int>((404.5 - close.window.top) / close.window.size * close.picture.height);
  EXPECT_GT(close.picture.at(x, y)[0], 90);
  EXPECT_NEAR(close.camera.fx / capture_.cameras[0].camera.fx, zoom * close.picture.width / 512, 1e-3);
  // The same picture, stored smaller.
  const Image8 small = track_report::draw_overlay(Image8(256, 256, 1, 90), capture_.cameras[0].camera, scene_.fit.head,
                                                  scene_.frames()[0], stretch.frames[0], stretch.window);
  EXPECT_EQ(small.channels, 3);
  EXPECT_GT(small.at(108, 128)[0], 110);
}

TEST(Html, EscapesAndEncodes) {
  EXPECT_EQ(escape_html("<a href=\"x\">&</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
  const auto encoded = [](std::string_view text) {
    return base64(std::vector<std::uint8_t>(text.begin(), text.end()));
  };
  // RFC 4648, 10.
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace mien
