#include "mien/base/rank_group.h"

#include <algorithm>
#include <array>
#include <bit>

#include "mien/base/error.h"

namespace mien {
namespace {

// Numbers go as floats, which are exact up to 24 bits.
constexpr int kPieces = 4;
constexpr int kPieceBits = 16;

std::array<float, kPieces> in_pieces(std::uint64_t value) {
  std::array<float, kPieces> out = {};
  for (int i = 0; i < kPieces; ++i) out[i] = static_cast<float>((value >> (kPieceBits * i)) & 0xffff);
  return out;
}

std::uint64_t from_pieces(const std::array<float, kPieces>& pieces) {
  std::uint64_t out = 0;
  for (int i = 0; i < kPieces; ++i) out |= static_cast<std::uint64_t>(pieces[i]) << (kPieceBits * i);
  return out;
}

std::uint64_t share_number(const RankGroup& ranks, std::uint64_t value) {
  std::array<float, kPieces> pieces = in_pieces(value);
  ranks.share(std::span<float>(pieces));
  return from_pieces(pieces);
}

}  // namespace

void RankGroup::average(std::span<float> values) const {
  if (several() && !values.empty()) average_values(values);
}

void RankGroup::average(const std::vector<std::span<float>>& arrays) const {
  if (!several()) return;
  std::vector<float> all;
  for (const std::span<float> values : arrays) all.insert(all.end(), values.begin(), values.end());
  average(std::span<float>(all));
  auto from = all.begin();
  for (const std::span<float> values : arrays) {
    std::copy_n(from, values.size(), values.begin());
    from += static_cast<std::ptrdiff_t>(values.size());
  }
}

void RankGroup::share(std::span<float> values) const {
  if (several() && !values.empty()) share_values(values);
}

double RankGroup::average(double value) const {
  if (!several()) return value;
  float one = static_cast<float>(value);
  average(std::span<float>(&one, 1));
  return one;
}

double RankGroup::share(double value) const {
  if (!several()) return value;
  return std::bit_cast<double>(share_number(*this, std::bit_cast<std::uint64_t>(value)));
}

void RankGroup::share(std::vector<float>& values) const {
  if (!several()) return;
  values.resize(share_number(*this, values.size()));
  share(std::span<float>(values));
}

void RankGroup::share(std::vector<std::int32_t>& values) const {
  if (!several()) return;
  std::vector<float> halves;  // each number in two pieces, so that no float has a meaning of its own
  for (const std::int32_t value : values) {
    const auto bits = static_cast<std::uint32_t>(value);
    halves.push_back(static_cast<float>(bits & 0xffff));
    halves.push_back(static_cast<float>(bits >> kPieceBits));
  }
  share(halves);
  values.resize(halves.size() / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto low = static_cast<std::uint32_t>(halves[2 * i]), high = static_cast<std::uint32_t>(halves[2 * i + 1]);
    values[i] = static_cast<std::int32_t>(low | high << kPieceBits);
  }
}

void RankGroup::must_agree(std::uint64_t value, const std::string& what, const std::string& mend) const {
  if (!several()) return;
  const bool same = share_number(*this, value) == value;
  if (!all(same)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("rank {} of {}: {}{}", rank, size, what, same ? " elsewhere" : ""),
                mend);
  }
}

}  // namespace mien
