// Recorded faces as training data: .npy tracks, their column names and the table to ARKit's weights.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "speech/corpus/face_track.h"
#include "speech/corpus/npy.h"
#include "speech/random_model.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFile;

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// Version 1 as NumPy writes it.
std::string npy(const std::string& dictionary, const std::string& data) {
  std::string header = dictionary;
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string out = "\x93NUMPY";
  out += '\1';
  out += '\0';
  out += static_cast<char>(header.size() & 255);
  out += static_cast<char>(header.size() >> 8);
  return out + header + data;
}

template <typename T>
std::string bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

// The one line of the complaint; "" when there is none.
std::string complaint(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    EXPECT_NE(error.code(), ErrorCode::kInternal) << text;
    EXPECT_FALSE(error.mend().empty()) << text;
    return text;
  }
  return "";
}

TEST(Npy, ReadsBothSizesAndPython2) {
  const TemporaryFile file("a.npy");
  write(file.path(),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 3L), }", bytes<double>({1, 2, 3, 4, 5, -6.5})));
  NpyMatrix m = read_npy(file.path());
  EXPECT_EQ(m.rows, 2);
  EXPECT_EQ(m.columns, 3);
  EXPECT_EQ(m.values, (std::vector<float>{1, 2, 3, 4, 5, -6.5f}));
  write(file.path(), npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", bytes<float>({7, 8, 9})));
  m = read_npy(file.path());
  EXPECT_EQ(m.rows, 3);
  EXPECT_EQ(m.values, (std::vector<float>{7, 8, 9}));
  write(file.path(), npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 116), }", ""));
  EXPECT_EQ(read_npy(file.path()).values.size(), 0u);
}

TEST(Npy, HostileFilesAreRefusedInOneLine) {
  const TemporaryFile file("hostile.npy");
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  const std::string two = bytes<float>({1, 2});
  const auto refused = [&](const std::string& content, const std::string& word) {
    write(file.path(), content);
    const std::string text = complaint([&] { read_npy(file.path()); });
    EXPECT_NE(text.find(file.path().string()), std::string::npos) << text;
    EXPECT_NE(text.find(word), std::string::npos) << "wanted \"" << word << "\": " << text;
  };
  EXPECT_EQ(complaint([&] { write(file.path(), npy(good, two)), read_npy(file.path()); }), "");
  refused("", "no .npy");
  refused("not numpy at all", "no .npy");
  refused(npy(good, two).substr(0, 30), "header");
  refused(npy(good, two) + "x", "bytes");
  refused(npy(good, two.substr(0, 7)), "bytes");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }", two), "9999999999");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999, 2), }", two), "sizes");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }", two), "sizes");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", two), "dimensions");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': 2, }", two), "tuple");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2", two), "tuple");
  refused(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2), }", two), ">f4");
  refused(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2), }", two), "|O");
  refused(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", two), "C order");
  refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 2), }", two), "descr");
  refused(npy("{'fortran_order': False, 'shape': (1, 2), }", two), "descr");
  refused(npy("{'descr'", two), "descr");
  refused(npy(good, bytes<float>({1, std::numeric_limits<float>::quiet_NaN()})), "row 0, column 1");
  refused(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }", bytes<double>({1e300})), "finite");
  std::string version = npy(good, two);
  version[6] = 9;
  refused(version, "version 9");
  EXPECT_NE(complaint([] { read_npy("/nonexistent/a.npy"); }), "");
}

TEST(Npy, DamageNeverDoesMoreThanThrow) {
  const TemporaryFile file("fuzz.npy");
  const std::string good =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", bytes<float>({1, 2, 3, 4}));
  Random random(11);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    std::string damaged = good;
    for (int k = 0; k < 3; ++k) {
      damaged[random.below(static_cast<std::uint32_t>(damaged.size()))] = static_cast<char>(random.below(256));
    }
    if (i % 3 == 0) damaged.resize(random.below(static_cast<std::uint32_t>(damaged.size())));
    write(file.path(), damaged);
    refused += !complaint([&] { read_npy(file.path()); }).empty();
  }
  EXPECT_GT(refused, 150);
}

class FaceTracks : public ::testing::Test {
 protected:
  FaceTracks() : track_("track.npy"), columns_("columns.txt"), map_("map.csv") {
    write(track_.path(), npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
                             bytes<float>({0.1f, 0.2f, 0.5f, -1.0f, -0.5f, 3.0f})));
    write(columns_.path(), "left\nright\nopen\r\n");
    write(map_.path(), "arkit,columns\nmouthPucker,left right\njawOpen,open\n");
  }
  FaceTrack read() const { return read_face_track(track_.path(), columns_.path(), map_.path()); }
  void refused(const std::string& where, const std::string& word) const {
    const std::string text = complaint([&] { read(); });
    EXPECT_NE(text.find(where), std::string::npos) << text;
    EXPECT_NE(text.find(word), std::string::npos) << text;
  }
  TemporaryFile track_, columns_, map_;
};

TEST_F(FaceTracks, LargestColumnWithinRange) {
  const FaceTrack track = read();
  EXPECT_EQ(track.names, (std::vector<std::string>{"mouthPucker", "jawOpen"}));
  EXPECT_EQ(track.frames(), 2);
  EXPECT_EQ(track.values, (std::vector<float>{0.2f, 0.5f, 0, 1}));
}

TEST_F(FaceTracks, HostileTablesAreRefusedInOneLine) {
  const std::string map = map_.path().string();
  write(map_.path(), "arkit,columns\nmouthPucker left\n");
  refused(map + ":2", "comma");
  write(map_.path(), "arkit,columns\nmouthSmirk,left\n");
  refused(map + ":2", "mouthSmirk");
  write(map_.path(), "arkit,columns\njawOpen,open\njawOpen,left\n");
  refused(map + ":3", "twice");
  write(map_.path(), "arkit,columns\njawOpen,wide\n");
  refused(map + ":2", "wide");
  write(map_.path(), "arkit,columns\njawOpen,\n");
  refused(map + ":2", "no columns");
  write(map_.path(), "arkit,columns\n");
  refused(map, "mapped");
  write(map_.path(), std::string("arkit,columns\n\x1b[31m\0evil,open\n", 30));
  refused(map + ":2", "ARKit");
  write(map_.path(), "arkit,columns\njawOpen,open\n");
  write(columns_.path(), "left\nright\n\nopen\n");
  refused(columns_.path().string() + ":3", "name");
  write(columns_.path(), "left\nleft\nopen\n");
  refused(columns_.path().string() + ":2", "twice");
  write(columns_.path(), "left\nright\nopen\nmore\n");
  refused(track_.path().string(), "3 columns");
}

TEST(FaceGood, OnlyTheMouthMoves) {
  const char* shared = std::getenv("MIEN_SHARED");
  const fs::path folder = fs::path(shared != nullptr ? shared : MIEN_SOURCE_DIR "/../shared") / "data/speech/facegood";
  if (!fs::exists(folder)) GTEST_SKIP() << "no recordings at " << folder;
  std::vector<FaceTrack> tracks;
  for (int i = 1; i <= 4; ++i) {
    tracks.push_back(read_face_track(folder / fmt::format("bs_value_1114_2_0{}.npy", i), folder / "columns.txt",
                                     folder / "arkit_map.csv"));
  }
  EXPECT_EQ(tracks[0].frames(), 3295);
  EXPECT_EQ(tracks[3].frames(), 3377);
  const std::vector<std::string> known = moving_names(tracks);
  std::cout << fmt::format("  known: {}\n", fmt::join(known, " "));
  const auto knows = [&](const char* name) { return std::find(known.begin(), known.end(), name) != known.end(); };
  for (const char* name :
       {"jawOpen", "mouthFunnel", "mouthPucker", "mouthPressLeft", "mouthRollLower", "mouthUpperUpLeft"})
    EXPECT_TRUE(knows(name)) << name;
  for (const char* name : {"eyeBlinkLeft", "browInnerUp", "jawLeft", "cheekPuff"}) EXPECT_FALSE(knows(name)) << name;
}

}  // namespace
}  // namespace mien
