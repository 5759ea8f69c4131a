// Sentences for the actor to say: thousands for training, a fixed list for tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mien {

// `count` different sentences, phonetically varied: grammar templates over word lists that cover all 39 phones, mixed
// with questions, exclamations, numbers and short replies. The same count and seed give the same list; a longer list
// starts with the shorter one. None is in test_sentences(). Throws kBadArgument for a count below 0 or above 200,000.
std::vector<std::string> corpus_sentences(int count, std::uint64_t seed);

// Held-out sentences, never in corpus_sentences(): the first lists of the "Harvard sentences" (IEEE Recommended
// Practice for Speech Quality Measurements, 1969; phonetically balanced lists of ten).
const std::vector<std::string>& test_sentences();

}  // namespace mien
