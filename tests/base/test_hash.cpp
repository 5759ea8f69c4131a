#include <gtest/gtest.h>

#include <array>

#include "mien/base/hash.h"

namespace mien {
namespace {

TEST(Hash, PublishedValuesOfFnv1a) {  // test vectors of draft-eastlake-fnv
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8ULL);
  const std::array<std::uint8_t, 1> a = {'a'};
  EXPECT_EQ(fnv1a(std::span<const std::uint8_t>(a)), fnv1a("a"));
}

}  // namespace
}  // namespace mien
