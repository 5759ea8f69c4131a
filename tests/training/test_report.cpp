// The page of a training: what the log says stands in it, whatever the log is like, and nothing comes from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/media/image.h"
#include "mien/training/training_report.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class TrainingReport : public ::testing::Test {
 protected:
  TrainingReport() { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path log(const std::string& text) const {
    std::ofstream(folder_ / "log") << text;
    return folder_ / "log";
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_report_{}", ::getpid());
};

TEST_F(TrainingReport, LogsAreReadAsTheyAre) {
  const TrainingCurves curves =
      read_training_log(log("{\"step\":50,\"stage\":\"canonical\",\"l1\":0.5,\"seconds\":10}\n"
                            "broken {\n\n[1]\n{\"l1\":3}\n"
                            "{\"step\":100,\"stage\":\"dynamic\",\"l1\":0.4,\"note\":\"x\",\"seconds\":20}\n"
                            "{\"step\":150,\"stage\":\"dynamic\",\"l1\":0.9,\"seconds\":30}\n"
                            // Stopped, and begun again from step 100.
                            "{\"step\":120,\"stage\":\"dynamic\",\"l1\":0.3,\"psnr\":20,\"seconds\":4}\n"));
  ASSERT_EQ(curves.curves.size(), 2u);
  EXPECT_EQ(curves.curves[0].first, "l1");
  const auto& l1 = curves.curves[0].second;
  ASSERT_EQ(l1.size(), 3u);
  EXPECT_EQ(l1[2].step, 120);
  EXPECT_EQ(l1[2].value, 0.3);
  EXPECT_EQ(curves.curves[1].second.size(), 1u);
  EXPECT_EQ(curves.seconds, 34);
  ASSERT_EQ(curves.stages.size(), 2u);
  EXPECT_EQ(curves.stages[1], (std::pair<std::string, double>("dynamic", 100)));
  EXPECT_TRUE(read_training_log(folder_ / "absent").curves.empty());
}

TEST_F(TrainingReport, PageHoldsEverything) {
  std::string lines;
  for (int i = 1; i <= 2000; ++i)
    lines += fmt::format("{{\"step\":{},\"stage\":\"dynamic\",\"l1\":{},\"flat\":1}}\n", 50 * i, 1.0 / i);
  write_image(folder_ / "preview.png", Image8(8, 8, 3, 77));
  TrainingReportPage page;
  page.title = "me & <you>.mien";
  page.state = "finished";
  page.log = log(lines);
  page.preview = folder_ / "preview.png";
  page.figures = {{"L1", "0.0123"}};
  page.options = {{"--steps", "6000"}};
  page.hardware = {{"GPU", "none"}};
  write_training_report(folder_ / "report.html", page);
  const std::string html = read_text(folder_ / "report.html");
  for (const char* word : {"me &amp; &lt;you&gt;.mien", "finished", "0.0123", "--steps", "6000", "none", "l1: 0.0005",
                           "flat: 1", "step 100000", "data:image/png;base64,iVBORw0KGgo"})
    EXPECT_THAT(html, HasSubstr(word));
  for (const char* word : {"http", "<script", "nan", "inf\"", "<you>"}) EXPECT_THAT(html, Not(HasSubstr(word)));
  // Every point lies in the picture.
  const std::regex curve("points=\"([^\"]*)\"");
  int curves = 0;
  for (std::sregex_iterator it(html.begin(), html.end(), curve), end; it != end; ++it, ++curves) {
    std::istringstream points((*it)[1]);
    int count = 0;
    char comma = 0;
    for (double x = 0, y = 0; points >> x >> comma >> y; ++count) {
      EXPECT_TRUE(x >= 64 && x <= 628 && y >= 14 && y <= 190) << x << " " << y;
    }
    EXPECT_GT(count, 100);
    EXPECT_LE(count, 600);
  }
  EXPECT_EQ(curves, 2);
}

TEST_F(TrainingReport, NothingToShow) {
  write_training_report(folder_ / "report.html", {});
  EXPECT_THAT(read_text(folder_ / "report.html"), HasSubstr("</html>"));
  EXPECT_THROW(write_training_report(folder_ / "absent" / "report.html", {}), Error);
}

// RFC 4648, section 10, by way of the page: pictures of any length.
TEST_F(TrainingReport, PicturesOfAnyLength) {
  for (const auto& [bytes, text] : std::vector<std::pair<std::string, std::string>>{
           {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}}) {
    write_file(folder_ / "p.png", bytes.data(), bytes.size());
    TrainingReportPage page;
    page.preview = folder_ / "p.png";
    write_training_report(folder_ / "report.html", page);
    EXPECT_THAT(read_text(folder_ / "report.html"), HasSubstr("base64," + text + "\""));
  }
}

}  // namespace
}  // namespace mien
