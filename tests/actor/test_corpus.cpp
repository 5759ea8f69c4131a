#include <gtest/gtest.h>

#include <set>

#include "mien/actor/corpus.h"
#include "mien/actor/voice.h"
#include "mien/base/error.h"

namespace mien {
namespace {

TEST(Corpus, DifferentSentencesWithoutTheTestList) {
  const auto sentences = corpus_sentences(5000, 7);
  ASSERT_EQ(sentences.size(), 5000u);
  const std::set<std::string> set(sentences.begin(), sentences.end());
  EXPECT_EQ(set.size(), sentences.size());
  ASSERT_GE(test_sentences().size(), 50u);
  for (const std::string& s : test_sentences()) EXPECT_FALSE(set.contains(s));
  for (const std::string& s : sentences) {
    EXPECT_EQ(s.find('$'), std::string::npos) << s;
    EXPECT_LT(s.size(), 160u) << s;
  }
}

TEST(Corpus, SeededAndExtendable) {
  const auto a = corpus_sentences(300, 1);
  const auto longer = corpus_sentences(400, 1);
  EXPECT_TRUE(std::equal(a.begin(), a.end(), longer.begin()));
  EXPECT_NE(a, corpus_sentences(300, 2));
  EXPECT_TRUE(corpus_sentences(0, 1).empty());
  EXPECT_THROW(corpus_sentences(-1, 1), Error);
}

TEST(Corpus, CoversAllPhones) {
  if (!has_voices()) GTEST_SKIP() << "this build has no flite";
  std::set<std::string> phones;
  for (const std::string& s : corpus_sentences(45, 1)) {
    for (const Phone& p : speak_text(s).phones) phones.insert(p.name);
  }
  for (const char* name : kPhoneNames) EXPECT_TRUE(phones.contains(name)) << name;
}

}  // namespace
}  // namespace mien
