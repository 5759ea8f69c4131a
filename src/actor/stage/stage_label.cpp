// Which part of the person each pixel shows: known here, guessed by trackers.
#include <algorithm>
#include <array>

#include "actor/stage/stage_impl.h"
#include "mien/base/parallel.h"

namespace mien {

using namespace stage;

namespace {

constexpr std::uint8_t kHead = 1, kNeck = 2, kTorso = 3;  // as captures store them

// The part of a face of the head, by most of its corners.
std::uint8_t part_of(const HeadModel& head, const Index3& face) {
  int neck = 0, shoulders = 0;
  for (int k = 0; k < 3; ++k) {
    neck += head.region[static_cast<std::size_t>(face[k])] == HeadRegion::kNeck ? 1 : 0;
    shoulders += head.region[static_cast<std::size_t>(face[k])] == HeadRegion::kShoulders ? 1 : 0;
  }
  return shoulders >= 2 ? kTorso : neck + shoulders >= 2 ? kNeck : kHead;
}

}  // namespace

void Stage::Impl::find_parts() {
  solid_part.clear();
  for (const SceneFace& info : scene.solid_info) {
    if (info.head_face >= 0)
      solid_part.push_back(part_of(person, person.mesh.faces[static_cast<std::size_t>(info.head_face)]));
    else
      solid_part.push_back(info.material == Material::kCloth ? kTorso : kHead);
  }
}

Image8 Stage::Impl::label(const RasterBuffer& seen, const std::vector<float>& front, const Image8& matte) const {
  const int ss = options.supersample;
  Image8 out(matte.width, matte.height, 1);
  parallel_for(matte.height, 8, [&](std::int64_t row) {
    const int y = static_cast<int>(row);
    for (int x = 0; x < matte.width; ++x) {
      if (*matte.at(x, y) == 0) continue;
      std::array<float, 4> shares{};
      for (int k = 0; k < ss * ss; ++k) {
        const std::size_t i = seen.index(x * ss + k % ss, y * ss + k / ss);
        shares[kHead] += front[i];  // hair, brows, lashes and lenses
        if (seen.face[i] >= 0) shares[solid_part[static_cast<std::size_t>(seen.face[i])]] += 1 - front[i];
      }
      *out.at(x, y) = static_cast<std::uint8_t>(std::max_element(shares.begin() + 1, shares.end()) - shares.begin());
    }
  });
  return out;
}

}  // namespace mien
