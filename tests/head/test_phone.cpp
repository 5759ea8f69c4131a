#include <cstdlib>
#include <fstream>

#include "head/head_fixture.h"
#include "mien/head/phone.h"

namespace mien {
namespace {

class Phones : public test::ScratchFolder {
 protected:
  std::filesystem::path file(const std::string& text) {
    std::ofstream(folder_ / "p.json") << text;
    return folder_ / "p.json";
  }
};

TEST_F(Phones, BothFormsAreRead) {
  const PhoneTrack nested = read_phones(file(
      R"({"b":0,"d":1,"t":"hi","w":[{"b":0,"d":0.2,"t":"<sil>","w":[{"b":0,"d":0.2,"t":"SIL"}]},
          {"b":0.2,"d":0.3,"t":"hi","w":[{"b":0.2,"d":0.1,"t":"HH"},{"b":0.3,"d":0.2,"t":"AY1"}]}]})"));
  ASSERT_EQ(nested.size(), 3u);
  EXPECT_EQ(nested[0].name, "SIL");
  EXPECT_EQ(nested[2].name, "AY");
  EXPECT_DOUBLE_EQ(nested[2].end, 0.5);
  write_phones(folder_ / "q.json", nested);
  const PhoneTrack again = read_phones(folder_ / "q.json");
  ASSERT_EQ(again.size(), nested.size());
  for (std::size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(again[i].name, nested[i].name);
    EXPECT_DOUBLE_EQ(again[i].begin, nested[i].begin);
    EXPECT_DOUBLE_EQ(again[i].end, nested[i].end);
  }
}

TEST_F(Phones, BadFilesAreRefused) {
  std::string deep = R"({"b":0,"d":1,"t":"A"})";
  for (int i = 0; i < 40; ++i) deep = R"({"w":[)" + deep + "]}";
  for (const std::string& text :
       {std::string("7"), std::string("{}"), std::string("["), deep, std::string(R"([{"phone":"AA","begin":0}])"),
        std::string(R"([{"phone":"AA","begin":1,"end":0.5}])"), std::string(R"([{"phone":"AA","begin":-1,"end":0.5}])"),
        std::string(R"([{"phone":"AA","begin":0,"end":0.5},{"phone":"B","begin":0.1,"end":0.6}])")}) {
    EXPECT_EQ(error_of([&] { read_phones(file(text)); }).code(), ErrorCode::kBadFile) << text.substr(0, 60);
  }
  EXPECT_EQ(error_of([&] { read_phones(folder_ / "absent"); }).code(), ErrorCode::kNotFound);
}

TEST(PhoneTables, EveryPhoneHasItsNumberAndViseme) {
  for (int i = 0; i < kPhoneCount; ++i) EXPECT_EQ(phone_index(kPhoneNames[i]), i);
  EXPECT_EQ(phone_index("ah0"), phone_index("AH"));
  EXPECT_EQ(phone_index("+NSN+"), 0);
  EXPECT_EQ(phone_viseme(-1), Viseme::kSil);
  // Spot checks against the Oculus lip-sync reference.
  const std::pair<const char*, Viseme> expected[] = {
      {"M", Viseme::kPP},  {"V", Viseme::kFF},  {"DH", Viseme::kTH}, {"T", Viseme::kDD},  {"NG", Viseme::kKk},
      {"SH", Viseme::kCH}, {"Z", Viseme::kSS},  {"L", Viseme::kNn},  {"ER", Viseme::kRR}, {"AA", Viseme::kAa},
      {"EH", Viseme::kE},  {"IY", Viseme::kIh}, {"AO", Viseme::kOh}, {"UW", Viseme::kOu}, {"SIL", Viseme::kSil}};
  for (const auto& [name, viseme] : expected) EXPECT_EQ(phone_viseme(phone_index(name)), viseme) << name;
}

TEST(PhoneTables, SharedAlignmentsAreRead) {
  const char* given = std::getenv("MIEN_SHARED");
  const std::filesystem::path shared =
      given != nullptr ? given : std::filesystem::path(MIEN_SOURCE_DIR) / ".." / "shared";
  const auto path = shared / "data/speech/librivox/austen_0880.phone.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
  const PhoneTrack phones = read_phones(path);
  ASSERT_GT(phones.size(), 20u);
  EXPECT_EQ(phones[1].name, "HH");
  EXPECT_EQ(phones[2].name, "IY");
  EXPECT_NEAR(phones[2].begin, 0.27, 1e-9);
}

}  // namespace
}  // namespace mien
