#include "head/makehuman/wardrobe.h"

#include <algorithm>
#include <map>

#include "head/makehuman/sculptor.h"
#include "head/makehuman/textures.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/geometry/nearest.h"

namespace fs = std::filesystem;

namespace mien::makehuman {
namespace {

struct Item {
  const char* name;
  StyleKind kind;
  const char* file;  // below public/data/proxies, without .json
};
// Only pieces without an attribution clause (the package also has CC BY ones).
constexpr Item kItems[] = {
    {"short01", StyleKind::kHair, "hair/short01/short01"},
    {"short02", StyleKind::kHair, "hair/short02/short02"},
    {"short03", StyleKind::kHair, "hair/short03/short03"},
    {"short04", StyleKind::kHair, "hair/short04/short04"},
    {"bob01", StyleKind::kHair, "hair/bob01/bob01"},
    {"bob02", StyleKind::kHair, "hair/bob02/bob02"},
    {"long01", StyleKind::kHair, "hair/long01/long01"},
    {"ponytail01", StyleKind::kHair, "hair/ponytail01/ponytail01"},
    {"braid01", StyleKind::kHair, "hair/Braid01/Braid01"},
    {"afro01", StyleKind::kHair, "hair/afro01/afro01"},
    {"full", StyleKind::kBeard, "hair/Full_beard/Full_beard"},
    {"moustache", StyleKind::kMoustache, "hair/Moustache/Moustache"},
    {"brows01", StyleKind::kBrows, "eyebrows/eyebrow001/eyebrow001"},
    {"brows02", StyleKind::kBrows, "eyebrows/eyebrow002/eyebrow002"},
    {"brows04", StyleKind::kBrows, "eyebrows/eyebrow004/eyebrow004"},
    {"brows06", StyleKind::kBrows, "eyebrows/eyebrow006/eyebrow006"},
    {"brows08", StyleKind::kBrows, "eyebrows/eyebrow008/eyebrow008"},
    {"brows10", StyleKind::kBrows, "eyebrows/eyebrow010/eyebrow010"},
    {"brows12", StyleKind::kBrows, "eyebrows/eyebrow012/eyebrow012"},
    {"suit", StyleKind::kClothes, "clothes/male_elegantsuit01/male_elegantsuit01"},
    {"shirt", StyleKind::kClothes, "clothes/male_casualsuit02/male_casualsuit02"},
    {"tshirt", StyleKind::kClothes, "clothes/male_casualsuit04/male_casualsuit04"},
    {"blouse", StyleKind::kClothes, "clothes/female_casualsuit01/female_casualsuit01"},
    {"jacket", StyleKind::kClothes, "clothes/female_elegantsuit01/female_elegantsuit01"},
};
constexpr const char* kIrises[] = {"blue",  "bluegreen", "brown", "brownlight", "deepblue",
                                   "green", "grey",      "ice",   "lightblue"};
constexpr std::pair<const char*, const char*> kSkins[] = {
    {"young_caucasian_female", "young_caucasian_female/textures/young_lightskinned_female_diffuse.png"},
    {"young_caucasian_female2", "young_caucasian_female/textures/young_lightskinned_female_diffuse2.png"},
    {"young_caucasian_male", "young_caucasian_male/textures/young_lightskinned_male_diffuse.png"},
    {"young_caucasian_male2", "young_caucasian_male/textures/young_lightskinned_male_diffuse2.png"},
    {"young_asian_female", "young_asian_female/textures/young_lightskinned_female_diffuse3.png"},
    {"young_asian_male", "young_asian_male/textures/young_lightskinned_male_diffuse3.png"},
    {"young_african_female", "young_african_female/textures/young_darkskinned_female_diffuse.png"},
    {"young_african_male", "young_african_male/textures/young_darkskinned_male_diffuse.png"},
    {"middleage_caucasian_female", "middleage_caucasian_female/textures/middleage_lightskinned_female_diffuse.png"},
    {"middleage_caucasian_male", "middleage_caucasian_male/textures/middleage_lightskinned_male_diffuse.png"},
    {"middleage_asian_female", "middleage_asian_female/textures/middleage_lightskinned_female_diffuse2.png"},
    {"middleage_asian_male", "middleage_asian_male/textures/middleage_lightskinned_male_diffuse2.png"},
    {"middleage_african_female", "middleage_african_female/textures/middleage_darkskinned_female_diffuse.png"},
    {"middleage_african_male", "middleage_african_male/textures/middleage_darkskinned_male_diffuse.png"},
    {"old_caucasian_female", "old_caucasian_female/textures/old_lightskinned_female_diffuse.png"},
    {"old_caucasian_male", "old_caucasian_male/textures/old_lightskinned_male_diffuse.png"},
    {"old_asian_female", "old_asian_female/textures/old_lightskinned_female_diffuse2.png"},
    {"old_asian_male", "old_asian_male/textures/old_lightskinned_male_diffuse2.png"},
    {"old_african_female", "old_african_female/textures/old_darkskinned_female_diffuse.png"},
    {"old_african_male", "old_african_male/textures/old_darkskinned_male_diffuse.png"},
};

// The skin alone, to hang things on that sat on parts of the body which are cut away.
struct SkinSurface {
  std::vector<Index3> faces;
  NearestTriangle nearest;
};

std::vector<Index3> skin_faces(const HeadModel& model) {
  std::vector<Index3> faces;
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    if (model.face_part[f] == HeadPart::kSkin) faces.push_back(model.mesh.faces[f]);
  }
  return faces;
}

StyleBinding bind_near(const SkinSurface& skin, const HeadModel& model, const Vec3& at) {
  const NearestHit hit = skin.nearest.query(at);
  StyleBinding binding;
  binding.vertices = skin.faces[static_cast<std::size_t>(hit.face)];
  binding.weights = hit.barycentric;
  Vec3 on_skin = Vec3::Zero();
  for (int k = 0; k < 3; ++k) on_skin += binding.weights[k] * model.mesh.positions[binding.vertices[k]];
  binding.offset = at - on_skin;
  return binding;
}

// Keeps MakeHuman's own fitting where the body is still there, else hangs the vertex on the nearest skin.
StyleBinding bind(const Proxy& proxy, std::size_t i, const Vec3& at, const Assembly& assembly, const SkinSurface& skin,
                  const HeadModel& model) {
  StyleBinding binding;
  binding.weights = proxy.weights[i];
  Vec3 on_skin = Vec3::Zero();
  int some = -1;
  for (int k = 0; k < 3; ++k) {
    const int ours = assembly.from_body[proxy.body[i][k]];
    if (ours < 0 && binding.weights[k] != 0) return bind_near(skin, model, at);
    binding.vertices[k] = ours;
    if (ours >= 0) some = ours;
  }
  for (int k = 0; k < 3; ++k) {
    if (binding.vertices[k] < 0) binding.vertices[k] = some;
    on_skin += binding.weights[k] * model.mesh.positions[binding.vertices[k]];
  }
  if (some < 0) return bind_near(skin, model, at);
  binding.offset = at - on_skin;
  return binding;
}

// Hair hangs from the head; below the mouth it lies more and more on the shoulders.
std::array<float, 2> hair_shares(const HeadModel& model, const Vec3& at) {
  const float mouth = model.mesh.positions[model.contours.lips[model.contours.lips.size() / 2][0]].y();
  const float shoulders = model.joints[static_cast<int>(HeadJoint::kNeck)].y();
  const float down = smooth_step(mouth, shoulders - 0.02f, at.y());
  return {1 - 0.5f * down, 1 - 0.75f * down};
}

std::array<float, 2> skin_shares(const HeadModel& model, const StyleBinding& binding) {
  std::array<float, 2> shares{};
  for (std::size_t k = 0; k < 2; ++k) {
    float sum = 0;
    for (int c = 0; c < 3; ++c) sum += binding.weights[c] * model.skin_weights[binding.vertices[c]][k];
    shares[k] = std::clamp(sum, 0.0f, 1.0f);
  }
  shares[1] = std::min(shares[0], shares[1]);
  return shares;
}

// Vertices near the edge where the body was cut off: garments always hide them.
std::vector<bool> near_cut(const HeadModel& model) {
  constexpr float kNear = 0.03f;  // metres
  std::map<std::pair<int, int>, int> edges;
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const Index3& face = model.mesh.faces[f];
    for (int k = 0; k < 3; ++k) ++edges[std::minmax(face[k], face[(k + 1) % 3])];
  }
  std::vector<Vec3> cut;
  for (const auto& [edge, count] : edges) {
    if (count == 1 && model.region[edge.first] == HeadRegion::kShoulders)
      cut.push_back(model.mesh.positions[edge.first]);
  }
  std::vector<bool> near(model.mesh.positions.size(), false);
  for (int v = 0; v < model.vertex_count(); ++v) {
    if (model.region[v] != HeadRegion::kShoulders) continue;
    near[v] = std::any_of(cut.begin(), cut.end(),
                          [&](const Vec3& p) { return (p - model.mesh.positions[v]).norm() < kNear; });
  }
  return near;
}

// Head faces that lie under a garment with all of their vertices.
std::vector<int> covered_faces(const HeadModel& model, const std::vector<Vec3>& cloth,
                               const std::vector<Index3>& faces) {
  constexpr float kReach = 0.03f;
  // The garment's rim: skin next to it may show.
  std::map<std::pair<int, int>, int> edges;
  for (const Index3& f : faces) {
    for (int k = 0; k < 3; ++k) ++edges[std::minmax(f[k], f[(k + 1) % 3])];
  }
  std::vector<bool> on_rim(cloth.size(), false);
  for (const auto& [edge, count] : edges) {
    if (count == 1) on_rim[edge.first] = on_rim[edge.second] = true;
  }
  const NearestTriangle nearest(cloth, faces);
  const std::vector<Vec3> normals = vertex_normals(model.mesh.positions, model.mesh.faces);
  std::vector<bool> covered = near_cut(model);
  for (int v = 0; v < model.vertex_count(); ++v) {
    const HeadRegion region = model.region[v];
    if (covered[v] || (region != HeadRegion::kShoulders && region != HeadRegion::kNeck)) continue;
    const NearestHit hit = nearest.query(model.mesh.positions[v], kReach);
    if (hit.face < 0) continue;
    float inside = 0;
    for (int k = 0; k < 3; ++k) inside += on_rim[faces[hit.face][k]] ? 0.0f : hit.barycentric[k];
    const Vec3 to_cloth = hit.point - model.mesh.positions[v];
    covered[v] = inside > 0.05f && (hit.distance < 0.004f || to_cloth.dot(normals[v]) > 0.3f * hit.distance);
  }
  std::vector<int> out;
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const Index3& face = model.mesh.faces[f];
    if (covered[face[0]] && covered[face[1]] && covered[face[2]]) out.push_back(f);
  }
  return out;
}

// Garments reach to the feet: what hangs on the part of the body that we keep stays, and a little more, so that they
// cover its lower edge.
void crop_quads(std::vector<Quad>& quads, const std::vector<Vec3>& positions, const HeadModel& model) {
  constexpr float kBelow = 0.09f, kBeside = 0.05f;  // metres
  float lowest = 0, widest = 0;
  for (const Vec3& p : model.mesh.positions) {
    lowest = std::min(lowest, p.y());
    widest = std::max(widest, std::abs(p.x()));
  }
  std::erase_if(quads, [&](const Quad& quad) {
    return std::any_of(quad.vertex.begin(), quad.vertex.end(), [&](int v) {
      return positions[v].y() < lowest - kBelow || std::abs(positions[v].x()) > widest + kBeside;
    });
  });
}

HeadStyle make_style(const Item& item, const Source& source, const std::vector<Vec3>& body, const Vec3& origin,
                     const Assembly& assembly, const SkinSurface& skin, const HeadModel& model) {
  const fs::path path = source.folder() / "public/data/proxies" / (std::string(item.file) + ".json");
  const Proxy proxy = read_proxy(path, source.vertex_count());
  std::vector<Vec3> positions(proxy.body.size(), -origin);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    positions[i] += proxy.offsets[i];
    for (int k = 0; k < 3; ++k) positions[i] += proxy.weights[i][k] * body[proxy.body[i][k]];
  }
  std::vector<Quad> quads = proxy.quads;
  if (item.kind == StyleKind::kClothes) crop_quads(quads, positions, model);

  HeadStyle style;
  style.name = item.name;
  style.kind = item.kind;
  std::map<int, int> vertex_index, uv_index;
  std::vector<Vec3> kept;
  for (const Quad& quad : quads) {
    std::array<int, 4> v{}, uv{};
    for (int k = 0; k < 4; ++k) {
      const auto [place, is_new] = vertex_index.try_emplace(quad.vertex[k], static_cast<int>(style.binding.size()));
      if (is_new) {
        const auto i = static_cast<std::size_t>(quad.vertex[k]);
        StyleBinding binding = bind(proxy, i, positions[i], assembly, skin, model);
        binding.skin_weights =
            item.kind == StyleKind::kHair ? hair_shares(model, positions[i]) : skin_shares(model, binding);
        style.binding.push_back(binding);
        kept.push_back(positions[i]);
      }
      v[k] = place->second;
      const auto [uv_place, is_new_uv] = uv_index.try_emplace(quad.uv[k], static_cast<int>(style.uv.size()));
      if (is_new_uv) style.uv.push_back(proxy.uv[static_cast<std::size_t>(quad.uv[k])]);
      uv[k] = uv_place->second;
    }
    style.faces.emplace_back(v[0], v[1], v[2]);
    style.faces.emplace_back(v[0], v[2], v[3]);
    style.face_uv.emplace_back(uv[0], uv[1], uv[2]);
    style.face_uv.emplace_back(uv[0], uv[2], uv[3]);
  }
  const auto materials = get_field<Json>(read_json(path), "materials", path.string());
  const auto texture = get_field<std::string>(materials.at(0), "mapDiffuse", path.string());
  TextureOptions options;
  if (item.kind == StyleKind::kBrows) options.size = 256;
  style.texture = pack_texture(path.parent_path() / texture, item.name, options);
  if (item.kind == StyleKind::kClothes) style.hidden_faces = covered_faces(model, kept, style.faces);
  return style;
}

}  // namespace

HeadAssets make_wardrobe(const Source& source, const std::vector<Vec3>& body, const Vec3& origin,
                         const Assembly& assembly, const HeadModel& model) {
  HeadAssets assets;
  const fs::path data = source.folder() / "public/data";
  TextureOptions opaque;
  opaque.keep_alpha = false;
  opaque.quality = 88;
  for (const auto& [name, file] : kSkins) assets.skins.push_back(pack_texture(data / "skins" / file, name, opaque));
  for (const char* name : kIrises) {
    assets.irises.push_back(pack_texture(data / fmt::format("proxies/eyes/HighPolyEyes/textures/{}_eye.png", name),
                                         name, TextureOptions{}));
  }
  assets.teeth = pack_texture(data / "proxies/teeth/Teeth_Base/textures/teeth.png", "teeth", opaque);
  assets.tongue = pack_texture(data / "proxies/tongue/tongue01/textures/tongue01_diffuse.png", "tongue", opaque);
  assets.lashes =
      pack_texture(data / "proxies/eyelashes/eyelashes02/textures/eyelashes02.png", "lashes", TextureOptions{});
  assets.brows = pack_texture(data / "proxies/eyebrows/eyebrow001/textures/eyebrow001.png", "brows", TextureOptions{});
  const std::vector<Index3> faces = skin_faces(model);
  const SkinSurface skin{faces, NearestTriangle(model.mesh.positions, faces)};
  for (const Item& item : kItems)
    assets.styles.push_back(make_style(item, source, body, origin, assembly, skin, model));
  return assets;
}

}  // namespace mien::makehuman
