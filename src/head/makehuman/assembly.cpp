#include "head/makehuman/assembly.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "head/makehuman/rings.h"

namespace mien::makehuman {
namespace {

// Cuts, in metres on the base person (eyes at y = 0.736, shoulder joints at x = +-0.17): below the frame of any
// portrait.
constexpr float kLowestSkin = 0.43f;
constexpr float kWidestSkin = 0.26f;
// The teeth sit a little high and far back behind the lips, and the tongue fills the mouth: as drawn they look
// toothless.
const Vec3 kTeethShift(0, -0.0026f, 0.0010f);
const Vec3 kTongueShift(0, -0.0045f, -0.0010f);

void add_quad(Assembly& out, const std::array<int, 4>& v, const std::array<int, 4>& uv, HeadPart part) {
  out.faces.emplace_back(v[0], v[1], v[2]);
  out.faces.emplace_back(v[0], v[2], v[3]);
  out.face_uv.emplace_back(uv[0], uv[1], uv[2]);
  out.face_uv.emplace_back(uv[0], uv[2], uv[3]);
  out.face_part.insert(out.face_part.end(), 2, part);
}

void add_skin(Assembly& out, const Source& source, const std::vector<Vec3>& body) {
  out.from_body.assign(body.size(), -1);
  std::map<int, int> uv_index;
  const std::vector<int> sockets = trace_face_rings(source).sockets;  // behind the eyeballs: never seen
  for (const Quad& quad : source.group("body")) {
    const bool keep = std::all_of(quad.vertex.begin(), quad.vertex.end(), [&](int v) {
      return body[v].y() > kLowestSkin && std::abs(body[v].x()) < kWidestSkin &&
             !std::binary_search(sockets.begin(), sockets.end(), v);
    });
    if (!keep) continue;
    std::array<int, 4> v{}, uv{};
    for (int k = 0; k < 4; ++k) {
      int& ours = out.from_body[quad.vertex[k]];
      if (ours < 0) {
        ours = static_cast<int>(out.elements.size());
        out.elements.push_back({Index3::Constant(quad.vertex[k]), Vec3(1, 0, 0), Vec3::Zero()});
        out.vertex_part.push_back(HeadPart::kSkin);
      }
      v[k] = ours;
      const auto [place, is_new] = uv_index.try_emplace(quad.uv[k], static_cast<int>(out.uv.size()));
      if (is_new) out.uv.push_back(source.uv()[quad.uv[k]]);
      uv[k] = place->second;
    }
    add_quad(out, v, uv, HeadPart::kSkin);
  }
}

// Connected pieces of a proxy: a number for each quad.
std::vector<int> pieces(const Proxy& proxy) {
  std::vector<int> root(proxy.body.size());
  std::iota(root.begin(), root.end(), 0);
  const auto find = [&](int v) {
    while (root[v] != v) v = root[v] = root[root[v]];
    return v;
  };
  for (const Quad& quad : proxy.quads) {
    for (int k = 1; k < 4; ++k) root[find(quad.vertex[k])] = find(quad.vertex[0]);
  }
  std::vector<int> piece;
  for (const Quad& quad : proxy.quads) piece.push_back(find(quad.vertex[0]));
  return piece;
}

Vec3 centre_of(const Quad& quad, const std::vector<Vec3>& positions) {
  Vec3 sum = Vec3::Zero();
  for (const int v : quad.vertex) sum += positions[v];
  return 0.25f * sum;
}

std::vector<Vec3> positions_of(const Proxy& proxy, const std::vector<Vec3>& body) {
  std::vector<Vec3> out(proxy.offsets);
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (int k = 0; k < 3; ++k) out[i] += proxy.weights[i][k] * body[proxy.body[i][k]];
  }
  return out;
}

bool is_upper_jaw(const Proxy& teeth, const std::vector<int>& upper_helper, int v) {
  return std::binary_search(upper_helper.begin(), upper_helper.end(), teeth.body[static_cast<std::size_t>(v)][0]);
}

// Upper and lower gums hang together at the back: those faces would be torn by the opening jaw.
void part_jaws(Proxy& teeth, const Source& source) {
  const std::vector<int> upper = source.group_vertices("helper-upper-teeth");
  std::erase_if(teeth.quads, [&](const Quad& quad) {
    const bool first = is_upper_jaw(teeth, upper, quad.vertex[0]);
    return std::any_of(quad.vertex.begin(), quad.vertex.end(),
                       [&](int v) { return is_upper_jaw(teeth, upper, v) != first; });
  });
}

// Gums are the two large pieces of the teeth mesh; every tooth is a small piece of its own. Upper and lower are told
// apart by the helper they hang on: the first reference of a vertex lies in one of the two groups.
std::vector<HeadPart> label_teeth(const Proxy& teeth, const Source& source) {
  const std::vector<int> piece = pieces(teeth);
  std::map<int, int> size;
  for (const int p : piece) ++size[p];
  const std::vector<int> upper = source.group_vertices("helper-upper-teeth");
  constexpr int kLargestTooth = 200;  // quads
  std::vector<HeadPart> part;
  for (std::size_t q = 0; q < teeth.quads.size(); ++q) {
    const bool is_upper = std::binary_search(upper.begin(), upper.end(), teeth.body[teeth.quads[q].vertex[0]][0]);
    part.push_back(size[piece[q]] > kLargestTooth ? HeadPart::kGums
                   : is_upper                     ? HeadPart::kTeethUpper
                                                  : HeadPart::kTeethLower);
  }
  return part;
}

std::vector<HeadPart> label_sides(const Proxy& eyes, const std::vector<Vec3>& body) {
  const std::vector<Vec3> positions = positions_of(eyes, body);
  std::vector<HeadPart> part;
  for (const Quad& quad : eyes.quads)
    part.push_back(centre_of(quad, positions).x() > 0 ? HeadPart::kEyeLeft : HeadPart::kEyeRight);
  return part;
}

}  // namespace

std::vector<Vec3> Assembly::positions(const std::vector<Vec3>& body) const {
  std::vector<Vec3> out = displacements(body);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += elements[i].offset;
  return out;
}

std::vector<Vec3> Assembly::displacements(const std::vector<Vec3>& body) const {
  std::vector<Vec3> out(elements.size(), Vec3::Zero());
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (int k = 0; k < 3; ++k) out[i] += elements[i].weights[k] * body[elements[i].body[k]];
  }
  return out;
}

std::vector<int> Assembly::vertices_of(HeadPart part) const {
  std::vector<int> out;
  for (std::size_t v = 0; v < vertex_part.size(); ++v) {
    if (vertex_part[v] == part) out.push_back(static_cast<int>(v));
  }
  return out;
}

void Assembly::add(const Proxy& proxy, const std::vector<HeadPart>& quad_part) {
  const int first_vertex = static_cast<int>(elements.size());
  const int first_uv = static_cast<int>(uv.size());
  for (std::size_t i = 0; i < proxy.body.size(); ++i)
    elements.push_back({proxy.body[i], proxy.weights[i], proxy.offsets[i]});
  vertex_part.resize(elements.size(), quad_part.front());
  uv.insert(uv.end(), proxy.uv.begin(), proxy.uv.end());
  for (std::size_t q = 0; q < proxy.quads.size(); ++q) {
    Quad quad = proxy.quads[q];
    for (int k = 0; k < 4; ++k) {
      quad.vertex[k] += first_vertex;
      quad.uv[k] += first_uv;
      vertex_part[quad.vertex[k]] = quad_part[q];
    }
    add_quad(*this, quad.vertex, quad.uv, quad_part[q]);
  }
}

Assembly assemble(const Source& source, const std::vector<Vec3>& body) {
  Assembly out;
  add_skin(out, source, body);
  const std::filesystem::path proxies = source.folder() / "public/data/proxies";
  const int n = source.vertex_count();
  const Proxy eyes = read_proxy(proxies / "eyes/HighPolyEyes/HighPolyEyes.json", n);
  out.add(eyes, label_sides(eyes, body));
  Proxy teeth = read_proxy(proxies / "teeth/Teeth_Base/Teeth_Base.json", n);
  part_jaws(teeth, source);
  for (Vec3& offset : teeth.offsets) offset += kTeethShift;
  out.add(teeth, label_teeth(teeth, source));
  Proxy tongue = read_proxy(proxies / "tongue/tongue01/tongue01.json", n);
  for (Vec3& offset : tongue.offsets) offset += kTongueShift;
  out.add(tongue, std::vector<HeadPart>(tongue.quads.size(), HeadPart::kTongue));
  const auto add_whole = [&](const char* file, HeadPart part) {
    const Proxy proxy = read_proxy(proxies / file, n);
    out.add(proxy, std::vector<HeadPart>(proxy.quads.size(), part));
  };
  add_whole("eyelashes/eyelashes02/eyelashes02.json", HeadPart::kLashes);
  add_whole("eyebrows/eyebrow001/eyebrow001.json", HeadPart::kBrows);
  return out;
}

}  // namespace mien::makehuman
