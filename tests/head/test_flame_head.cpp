// FLAME as a head, and what is done with files that are no FLAME.
#include <algorithm>
#include <cmath>

#include "head/outside/number_table.h"
#include "head/outside_fixture.h"
#include "mien/head/measures.h"
#include "mien/head/outside_builders.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
using outside::read_number_table;

class FlameHead : public test::ScratchFolder {
 protected:
  static constexpr int kShapes = 300, kExpressions = 4;
  fs::path model() const { return folder_ / "generic_model.pkl"; }
  fs::path embedding() const { return folder_ / "mediapipe_landmark_embedding.npz"; }
  static const Vec3* expression(const HeadModel& head, const char* name) {
    return head.expression.data() + static_cast<std::size_t>(arkit_index(name)) * head.mesh.positions.size();
  }

  // The default head's front as FLAME: its smile, brows and pout as expression components, the jaw by skinning.
  void write_flame(const HeadModel& head) {
    const test::Disguise body(head, [&](int f) {
      const HeadPart part = head.face_part[f];
      const HeadRegion region = head.region[head.mesh.faces[f][0]];
      return part == HeadPart::kEyeLeft || part == HeadPart::kEyeRight ||
             (part == HeadPart::kSkin && region != HeadRegion::kShoulders && region != HeadRegion::kMouthInside &&
              region != HeadRegion::kScalp && region != HeadRegion::kEars);
    });
    const auto n = static_cast<std::int32_t>(body.kept.size());
    std::vector<double> positions, weights, corrections(static_cast<std::size_t>(n) * 3 * 36, 0.0);
    std::vector<std::uint32_t> faces;
    for (const Index3& face : body.faces) {
      for (const int v : face) faces.push_back(static_cast<std::uint32_t>(v));
    }
    const std::vector<float> jaw = outside::jaw_share_of(expression(head, "jawOpen"), head.vertex_count());
    std::vector<std::array<double, 5>> share(static_cast<std::size_t>(n));
    for (std::int32_t v = 0; v < n; ++v) share[v] = {0, 1.0 - jaw[body.kept[v]], jaw[body.kept[v]], 0, 0};
    std::array<std::set<int>, 2> eyes;
    for (std::size_t f = 0; f < body.faces.size(); ++f) {
      if (body.parts[f] == HeadPart::kSkin) continue;
      const bool is_left = body.parts[f] == HeadPart::kEyeLeft;
      for (const int v : body.faces[f]) {
        share[v] = {0, 0, 0, is_left ? 1.0 : 0.0, is_left ? 0.0 : 1.0};
        eyes[is_left ? 0 : 1].insert(v);
      }
    }
    for (std::int32_t v = 0; v < n; ++v) {
      const Vec3 p = body.place(head.mesh.positions[body.kept[v]]);
      for (int k = 0; k < 3; ++k) positions.push_back(p[k]);
      weights.insert(weights.end(), share[v].begin(), share[v].end());
    }
    // Columns of the regressor, compressed: eyes as the mean of their vertices, the other joints by one vertex each.
    std::vector<double> data;
    std::vector<std::int32_t> rows, starts = {0};
    const int jaw_vertex = body.nearest(head, Vec3(0, -0.03f, 0.02f));
    for (std::int32_t v = 0; v < n; ++v) {
      const auto add = [&](std::int32_t joint, double value) {
        rows.push_back(joint);
        data.push_back(value);
      };
      if (v < 2) add(v, 1.0);
      if (v == jaw_vertex) add(2, 1.0);
      for (std::int32_t eye = 0; eye < 2; ++eye) {
        if (eyes[eye].contains(v)) add(3 + eye, 1.0 / static_cast<double>(eyes[eye].size()));
      }
      starts.push_back(static_cast<std::int32_t>(rows.size()));
    }
    std::vector<float> shapes(static_cast<std::size_t>(n) * 3 * (kShapes + kExpressions), 0.0f);
    const auto fill = [&](int column, const Vec3* field, float scale) {
      for (std::int32_t v = 0; v < n; ++v) {
        for (int k = 0; k < 3; ++k)
          shapes[(static_cast<std::size_t>(v) * 3 + k) * (kShapes + kExpressions) + column] =
              scale * field[body.kept[v]][k];
      }
    };
    fill(0, head.identity.data(), 1);
    fill(kShapes, expression(head, "mouthSmileLeft"), 0.5f);
    fill(kShapes + 1, expression(head, "mouthSmileRight"), -0.5f);
    fill(kShapes + 2, expression(head, "browInnerUp"), 1);
    fill(kShapes + 3, expression(head, "mouthPucker"), 1);
    test::PickleWriter out;
    out.op("}(").text("v_template").chumpy({n, 3}, positions, "f8");
    out.text("f").array({static_cast<std::int32_t>(body.faces.size()), 3}, faces, "u4");
    out.text("shapedirs").chumpy({n, 3, kShapes + kExpressions}, shapes, "f4");
    out.text("posedirs").array({n, 3, 36}, corrections, "f8");
    out.text("weights").array({n, 5}, weights, "f8");
    out.text("bs_type").text("lrotmin").text("bs_style").text("lbs");
    out.text("J_regressor").name("copy_reg", "_reconstructor").name("scipy.sparse.csc", "csc_matrix");
    out.name("__builtin__", "object").op("N\x87R}(").text("_shape").integer(5).integer(n).op("\x86").text("data");
    out.array({static_cast<std::int32_t>(data.size())}, data, "f8").text("indices");
    out.array({static_cast<std::int32_t>(rows.size())}, rows, "i4").text("indptr");
    out.array({static_cast<std::int32_t>(starts.size())}, starts, "i4").op("ub").op("u");
    test::write_text(model(), out.done());
    // Every landmark of the face that lies on a face that was kept, but those along the rim.
    std::map<int, std::int64_t> face_to;
    for (std::size_t f = 0; f < body.face_from.size(); ++f) face_to[body.face_from[f]] = static_cast<std::int64_t>(f);
    std::vector<std::int64_t> numbers, on;
    std::vector<double> barycentric;
    for (const int i :
         {1,  4,   5,  6,   168, 197, 33, 133, 159, 145, 263, 362, 386, 374, 61,  291, 0,  17,  13, 14,
          37, 267, 84, 314, 78,  308, 81, 311, 178, 402, 70,  105, 107, 300, 334, 336, 98, 327, 2,  152}) {
      const auto found = face_to.find(head.landmarks[i].face);
      if (found == face_to.end()) continue;
      numbers.push_back(i);
      on.push_back(found->second);
      for (int k = 0; k < 3; ++k) barycentric.push_back(head.landmarks[i].barycentric[k]);
    }
    const auto count = static_cast<std::int64_t>(on.size());
    test::write_text(embedding(), test::npz({{"lmk_face_idx", test::npy({count}, on, "<i8")},
                                             {"lmk_b_coords", test::npy({count, 3}, barycentric, "<f8")},
                                             {"landmark_indices", test::npy({count}, numbers, "<i8")}}));
  }
};

TEST_F(FlameHead, ComesBackWithExpressionsMadeOfItsOwn) {
  MIEN_REQUIRE_HEAD(head);
  write_flame(head);
  const OutsideHead built = build_flame_head({model(), embedding(), 1}, head);
  const HeadModel& flame = built.model;
  EXPECT_EQ(flame.id, "flame-1");
  EXPECT_LT((0.5f * (flame.joints[2] + flame.joints[3]) - Vec3(0, 0, 0.08f)).norm(), 1e-4f);
  ASSERT_EQ(flame.landmarks.size(), 478u);
  ASSERT_EQ(flame.expression_count(), kArkitCount);
  EXPECT_EQ(flame.identity_count(), 1);
  const auto is_in = [](const std::vector<std::string>& list, const char* name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  EXPECT_EQ(built.missing, std::vector<std::string>{"tongueOut"});
  // What its components span is made of them; what they do not is carried over and said.
  for (const char* name : {"mouthSmileLeft", "mouthSmileRight", "browInnerUp", "mouthPucker", "jawOpen"})
    EXPECT_FALSE(is_in(built.carried, name)) << name;
  for (const char* name : {"eyeBlinkLeft", "noseSneerRight", "cheekPuff"})
    EXPECT_TRUE(is_in(built.carried, name)) << name;
  // The smile has the size of the default head's (on a head larger by a twentieth), on its own side.
  for (const auto& [name, landmark] :
       {std::pair{"mouthSmileLeft", 291}, {"mouthSmileRight", 61}, {"browInnerUp", 107}}) {
    const auto move = [&, n = name, l = landmark](const HeadModel& model) {
      const Vec3* field = expression(model, n);
      return outside::surface_point(model, model.landmarks[l], std::vector<Vec3>(field, field + model.vertex_count()));
    };
    EXPECT_LT((move(flame) - 1.05f * move(head)).norm(), 0.25f * move(head).norm()) << name;
  }
  std::vector<Vec3> vertices;
  std::vector<float> weights(kArkitCount, 0.0f);
  weights[arkit_index("eyeBlinkLeft")] = 1;
  flame.deform(weights.data(), kArkitCount, nullptr, vertices);
  EXPECT_LT(lid_opening_left_mm(flame, vertices), 0.5f);
  EXPECT_GT(lid_opening_right_mm(flame, vertices), 7.0f);
  weights.assign(kArkitCount, 0.0f);
  weights[arkit_index("jawOpen")] = 1;
  flame.deform(weights.data(), kArkitCount, nullptr, vertices);
  EXPECT_GT(mouth_opening_mm(flame, vertices), 12.0f);
  save_head(built, folder_ / "flame.safetensors");
  EXPECT_EQ(HeadModel::load(folder_ / "flame.safetensors").vertex_count(), flame.vertex_count());
}

TEST_F(FlameHead, WhatIsNotThereIsNamed) {
  MIEN_REQUIRE_HEAD(head);
  write_flame(head);
  EXPECT_EQ(error_of([&] { build_flame_head({model(), {}}, head); }).code(), ErrorCode::kBadArgument);
  EXPECT_EQ(error_of([&] {
              build_flame_head({folder_ / "none.pkl", embedding()}, head);
            }).code(),
            ErrorCode::kNotFound);
  // The landmarks given as the model.
  const Error error = error_of([&] { build_flame_head({embedding(), embedding()}, head); });
  EXPECT_NE(std::string(error.what()).find("no array \"v_template\"; it has landmark_indices, lmk_b_coords"),
            std::string::npos)
      << error.what();
  test::PickleWriter body;  // SMPL: another shape space
  body.op("}(").text("v_template").array({1, 3}, std::vector<double>{0, 0, 0}, "f8").op("u");
  test::write_text(model(), body.done());
  EXPECT_EQ(error_of([&] { build_flame_head({model(), embedding()}, head); }).code(), ErrorCode::kBadFile);
}

TEST_F(FlameHead, PicklesAreReadAndNeverRun) {
  const auto table_of = [&](const std::string& bytes) {
    test::write_text(model(), bytes);
    return read_number_table(model());
  };
  const auto refusal = [&](const std::string& bytes) {
    test::write_text(model(), bytes);
    return std::string(error_of([&] { read_number_table(model()); }).what());
  };
  const std::vector<double> numbers = {1, 2, 3, 4, 5, 6};
  test::PickleWriter good;
  good.op("}(").text("a").array({2, 3}, numbers, "f8").text("b").chumpy({3, 2}, numbers, "f8").op("u");
  const auto table = table_of(good.done());
  EXPECT_EQ(table.at("a").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(table.at("b").values, numbers);
  // The classic attack, in three ways.
  const std::string mark = (folder_ / "was_run").string();
  EXPECT_NE(refusal("cos\nsystem\n(S'touch " + mark + "'\ntR.").find("os.system"), std::string::npos);
  EXPECT_NE(refusal("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.").find("os.system"), std::string::npos);
  EXPECT_NE(refusal("(ios\nsystem\n.").find("0x69"), std::string::npos);
  EXPECT_NE(refusal("\x80\x02"
                    "cbuiltins\neval\nU\x01"
                    "1\x85R.")
                .find("builtins.eval"),
            std::string::npos);
  EXPECT_NE(refusal("\x80\x02"
                    "cnumpy.testing\nruntests\n)R.")
                .find("numpy.testing"),
            std::string::npos);
  EXPECT_NE(refusal("Ppersistent\n.").find("0x50"), std::string::npos);
  EXPECT_FALSE(fs::exists(mark));
  // Every prefix of a good file, and sizes that are lies.
  const std::string whole = good.done();
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(refusal(whole.substr(0, size)).empty()) << size;
  for (const std::int32_t rows : {1, 3, -1, 1 << 30}) {
    test::PickleWriter lie;
    lie.op("}").text("a").array({rows, 3}, numbers, "f8").op("s");
    EXPECT_FALSE(refusal(lie.done()).empty()) << rows;
  }
  EXPECT_NE(refusal("\x80\x02T\xff\xff\xff\x7f"
                    "abc.")
                .find("but the file ends"),
            std::string::npos);
  EXPECT_FALSE(refusal("\x80\x02"
                       "00.")
                   .empty());  // an empty stack
  EXPECT_FALSE(refusal("\x80\x02]q\x01h\x01"
                       "ah\x02.")
                   .empty());  // a list in itself, a memo that is not there
  EXPECT_FALSE(refusal(std::string("\x80\x02") + std::string(2'000'000, 'N') + ".").empty());
  EXPECT_FALSE(refusal("this is text\n").empty());
  // Random damage: an Error or a table, nothing else.
  Random random(3);
  for (int round = 0; round < 400; ++round) {
    std::string bytes = whole;
    for (int k = 0; k < 3; ++k)
      bytes[random.below(static_cast<int>(bytes.size()))] = static_cast<char>(random.below(256));
    try {
      table_of(bytes);
    } catch (const Error&) {
    }
  }
}

TEST_F(FlameHead, NumPyFilesAreCheckedAgainstTheirSize) {
  const std::string array = test::npy({2, 2}, std::vector<double>{1, 2, 3, 4}, "<f8");
  const std::string archive = test::npz({{"a", array}, {"b", test::npy({1}, std::vector<std::int64_t>{7}, "<i8")}});
  test::write_text(model(), archive);
  const auto table = read_number_table(model());
  EXPECT_EQ(table.at("a").values, (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(table.at("b").values, std::vector<double>{7});
  // Columns first, as Fortran has it.
  std::string columns = array;
  columns.replace(columns.find("False"), 5, "True ");
  test::write_text(model(), columns);
  EXPECT_EQ(read_number_table(model()).at("array").values, (std::vector<double>{1, 3, 2, 4}));
  for (std::size_t size = 4; size < archive.size(); ++size) {
    test::write_text(model(), archive.substr(0, size));
    EXPECT_THROW(read_number_table(model()), Error) << size;
  }
  std::string lie = array;
  lie.replace(lie.find("(2,2,)"), 6, "(9,2,)");
  test::write_text(model(), lie);
  EXPECT_EQ(error_of([&] { read_number_table(model()); }).code(), ErrorCode::kBadFile);
  Random random(5);
  for (int round = 0; round < 400; ++round) {
    std::string bytes = archive;
    for (int k = 0; k < 3; ++k)
      bytes[random.below(static_cast<int>(bytes.size()))] = static_cast<char>(random.below(256));
    test::write_text(model(), bytes);
    try {
      read_number_table(model());
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace mien
