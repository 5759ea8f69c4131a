#include <set>

#include "head/head_fixture.h"
#include "mien/head/head_assets.h"
#include "mien/head/head_sheet.h"

namespace mien {
namespace {

using Wardrobe = test::ScratchFolder;

HeadAssets toy_assets() {
  HeadAssets assets;
  assets.skins = {{"pale", {1, 2, 3}, {}}};
  assets.irises = {{"blue", {4}, {5, 6}}};
  assets.teeth = {"teeth", {7}, {}};
  assets.tongue = {"tongue", {8}, {}};
  assets.lashes = {"lashes", {9}, {10}};
  assets.brows = {"brows", {11}, {12}};
  HeadStyle style;
  style.name = "bob";
  style.binding = {{Index3(0, 1, 2), Vec3(0.2f, 0.3f, 0.5f), Vec3(0, 0.01f, 0), {1, 1}},
                   {Index3(25, 26, 27), Vec3(1.5f, -0.5f, 0), Vec3(0, 0, 0.02f), {0.5f, 0.25f}},
                   {Index3(3, 3, 3), Vec3(1, 0, 0), Vec3::Zero(), {0, 0}}};
  style.faces = {Index3(0, 1, 2)};
  style.uv = {Vec2(0, 0), Vec2(0.5f, 1)};
  style.face_uv = {Index3(0, 1, 1)};
  style.texture = {"bob", {13, 14}, {15}};
  style.hidden_faces = {2, 5};
  assets.styles = {style};
  return assets;
}

void save(const HeadModel& model, const HeadAssets& assets, const std::filesystem::path& path) {
  SafetensorsWriter writer;
  model.save(writer, "");
  assets.save(writer);
  writer.write(path);
}

TEST_F(Wardrobe, RoundTripAndNames) {
  const HeadModel model = test::toy_head();
  save(model, toy_assets(), folder_ / "w");
  const HeadAssets again = HeadAssets::load(folder_ / "w", model);
  EXPECT_EQ(again.skin("pale").colour, (std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_EQ(again.iris("blue").alpha, (std::vector<std::uint8_t>{5, 6}));
  const HeadStyle& style = again.style(StyleKind::kHair, "bob");
  EXPECT_EQ(style.binding.size(), 3u);
  EXPECT_EQ(style.binding[1].vertices, Index3(25, 26, 27));
  EXPECT_EQ(style.hidden_faces, (std::vector<int>{2, 5}));
  EXPECT_EQ(style.texture.alpha, std::vector<std::uint8_t>{15});
  const Error error = error_of([&] { again.style(StyleKind::kHair, "mohawk"); });
  EXPECT_EQ(error.code(), ErrorCode::kBadArgument);
  EXPECT_NE(std::string(error.what()).find("bob"), std::string::npos);
}

TEST_F(Wardrobe, NonsenseIsRefused) {
  const HeadModel model = test::toy_head();
  const auto refused = [&](const auto& spoil) {
    HeadAssets assets = toy_assets();
    spoil(assets.styles[0]);
    save(model, assets, folder_ / "w");
    EXPECT_EQ(error_of([&] { HeadAssets::load(folder_ / "w", model); }).code(), ErrorCode::kBadFile);
  };
  refused([](HeadStyle& s) { s.binding[0].vertices[2] = 40; });
  refused([](HeadStyle& s) { s.binding[0].weights[2] = NAN; });
  refused([](HeadStyle& s) { s.faces[0][0] = 3; });
  refused([](HeadStyle& s) { s.face_uv[0][0] = 2; });
  refused([](HeadStyle& s) { s.hidden_faces[0] = 30; });
}

TEST(WardrobePose, StylesMoveAsTheirBindingSays) {
  const HeadModel model = test::toy_head();
  const HeadStyle style = toy_assets().styles[0];
  std::vector<Vec3> out;
  evaluate_style(model, style, model.mesh.positions, HeadPose(), out);
  const auto& p = model.mesh.positions;
  EXPECT_LT((out[0] - (0.2f * p[0] + 0.3f * p[1] + 0.5f * p[2] + Vec3(0, 0.01f, 0))).norm(), 1e-6f);
  EXPECT_LT((out[1] - (1.5f * p[25] - 0.5f * p[26] + Vec3(0, 0, 0.02f))).norm(), 1e-6f);
  HeadPose pose;
  pose.neck = Quat(Eigen::AngleAxisf(0.5f, Vec3::UnitY()));
  std::vector<Vec3> moved;
  evaluate_style(model, style, model.mesh.positions, pose, moved);
  const Vec3& neck = model.joints[0];
  EXPECT_LT((moved[0] - (pose.neck * (out[0] - neck) + neck)).norm(), 1e-6f);  // follows whole
  EXPECT_LT((moved[2] - out[2]).norm(), 1e-6f);                                // stays
}

TEST(BuiltWardrobe, HasEverythingAndItsPicturesDecode) {
  MIEN_REQUIRE_HEAD(head);
  const HeadAssets assets = HeadAssets::load(find_head_asset(), head);
  EXPECT_GE(assets.skins.size(), 18u);
  EXPECT_GE(assets.irises.size(), 6u);
  EXPECT_GE(assets.style_names(StyleKind::kHair).size(), 8u);
  for (const StyleKind kind : {StyleKind::kBeard, StyleKind::kMoustache, StyleKind::kBrows, StyleKind::kClothes})
    EXPECT_FALSE(assets.style_names(kind).empty());
  for (const HeadTexture* texture : {&assets.skins[0], &assets.irises[0], &assets.teeth, &assets.tongue, &assets.lashes,
                                     &assets.styles[0].texture}) {
    const Image8 colour = decode_image(texture->colour.data(), texture->colour.size(), texture->name);
    EXPECT_EQ(colour.channels, 3) << texture->name;
    if (!texture->alpha.empty()) {
      EXPECT_EQ(decode_image(texture->alpha.data(), texture->alpha.size(), texture->name).channels, 1);
    }
  }
  // Bindings reproduce shapes near the head: hair around the skull, garments around the shoulders.
  std::vector<Vec3> out;
  for (const HeadStyle& style : assets.styles) {
    evaluate_style(head, style, head.mesh.positions, HeadPose(), out);
    for (const Vec3& p : out) ASSERT_LT(p.norm(), 0.75f) << style.name;
    if (style.kind == StyleKind::kClothes) {
      EXPECT_GT(style.hidden_faces.size(), 200u) << style.name;
    }
  }
}

TEST(Sheet, DrawsWhatIsAskedFor) {
  MIEN_REQUIRE_HEAD(head);
  const HeadAssets assets = HeadAssets::load(find_head_asset(), head);
  HeadSheetOptions options;
  options.only = "jawOpen";
  options.zoom = "mouth";
  options.size = 96;
  const Image8 sheet = draw_head_sheet(head, assets, options);
  std::set<std::array<std::uint8_t, 3>> colours;
  for (int y = 0; y < sheet.height; ++y) {
    for (int x = 0; x < sheet.width; ++x) colours.insert({sheet.at(x, y)[0], sheet.at(x, y)[1], sheet.at(x, y)[2]});
  }
  EXPECT_GT(colours.size(), 300u);  // a shaded face, not an empty sheet
  options.only = "nothingLikeThat";
  EXPECT_THROW(draw_head_sheet(head, assets, options), Error);
}

}  // namespace
}  // namespace mien
