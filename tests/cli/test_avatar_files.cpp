// Avatar files that are damaged, cut, newer, or lie about their sizes.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "cli/program.h"
#include "cli/sounds.h"

namespace mien::testing_cli {
namespace {

class AvatarFiles : public testing::Test {
 protected:
  void SetUp() override {
    ada_ = read_bytes(std::string(MIEN_SOURCE_DIR) + "/models/ada.mien");
    ASSERT_GT(ada_.size(), 100'000u) << "models/ada.mien is missing";
    std::uint64_t length = 0;
    std::memcpy(&length, ada_.data(), 8);
    header_ = ada_.substr(8, length);
    write_bytes(scratch_ / "in.wav", wav_bytes({}));
  }

  // With another header, whose length is stated truly.
  std::string with_header(const std::string& header) const {
    const std::uint64_t length = header.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    return out + header + ada_.substr(8 + header_.size());
  }

  // Both `inspect` and `speak` must refuse these bytes.
  void refused(const std::string& bytes, const std::vector<std::string>& words) {
    const std::string file = (scratch_ / "bad.mien").string();
    write_bytes(file, bytes);
    const Outcome spoken =
        mien({"speak", (scratch_ / "in.wav").string(), "-q", "--avatar", file, "-o", (scratch_ / "out.mp4").string()});
    expect_refusal(spoken, 3, words);
    EXPECT_LT(spoken.peak_kilobytes, 1'500'000);
    EXPECT_EQ(scratch_.names(), (std::vector<std::string>{"bad.mien", "in.wav"}));
  }

  std::string ada_, header_;
  Scratch scratch_;
};

TEST_F(AvatarFiles, EmptyAndForeign) {
  refused("", {"bad.mien"});
  refused("not an avatar at all, but long enough to look at", {"bad.mien"});
}

TEST_F(AvatarFiles, Truncated) {
  for (const double share : {0.0001, 0.5, 0.999}) {
    refused(ada_.substr(0, static_cast<std::size_t>(share * static_cast<double>(ada_.size()))), {"bad.mien"});
  }
}

TEST_F(AvatarFiles, HostileSizes) {
  std::string bytes = ada_;
  std::memset(bytes.data(), 0xff, 8);  // a header of 2^64 - 1 bytes
  refused(bytes, {"bad.mien", "header"});
  std::string header = header_;
  const std::size_t shape = header.find("\"shape\":[");
  ASSERT_NE(shape, std::string::npos);
  header.insert(shape + 9, "99999999999999,");
  refused(with_header(header), {"bad.mien"});
  header = header_;
  const std::size_t offsets = header.find("\"data_offsets\":[");
  ASSERT_NE(offsets, std::string::npos);
  header.replace(offsets, 16, "\"data_offsets\":[9");
  refused(with_header(header), {"bad.mien"});
}

TEST_F(AvatarFiles, DamagedHeader) {
  std::string header = header_;
  header[header.size() / 2] = '\x01';
  refused(with_header(header), {"bad.mien"});
}

TEST_F(AvatarFiles, Newer) {
  std::string header = header_;
  const std::size_t at = header.find("\\\"version\\\":");
  ASSERT_NE(at, std::string::npos) << header.substr(0, 400);
  header.insert(at + 12, 1, '9');
  refused(with_header(header), {"bad.mien", "version 9", "newer"});
  const Outcome inspected = mien({"inspect", (scratch_ / "bad.mien").string()});
  expect_refusal(inspected, 3, {"version 9"});
}

TEST_F(AvatarFiles, InspectTellsWhatIsInside) {
  const Outcome outcome = mien({"inspect", "ada", "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("mien-avatar"), std::string::npos) << outcome.out;
  expect_refusal(mien({"inspect", (scratch_ / "in.txt").string()}), 3, {"in.txt"});
}

}  // namespace
}  // namespace mien::testing_cli
