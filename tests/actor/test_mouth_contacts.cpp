#include <gtest/gtest.h>

#include "actor/synthetic_head.h"
#include "mien/actor/mouth_contacts.h"
#include "mien/base/error.h"
#include "mien/head/measures.h"

namespace mien {
namespace {

std::array<float, kPhoneCount> says(const char* phone, float probability) {
  std::array<float, kPhoneCount> p;
  p.fill((1 - probability) / (kPhoneCount - 1));
  p[phone_index(phone)] = probability;
  return p;
}

struct Mouth {
  float gap, teeth;
};
Mouth measure(const HeadModel& head, const std::vector<float>& expression) {
  std::vector<Vec3> vertices;
  head.deform(expression.data(), head.expression_count(), nullptr, vertices);
  return {mouth_opening_mm(head, vertices), lower_lip_to_teeth_mm(head, vertices)};
}

// A network's rough frame: open, rounded, smiling.
std::vector<float> rough(const HeadModel& head) {
  std::vector<float> w(head.expression_count(), 0.0f);
  w[arkit_index("jawOpen")] = 0.15f;
  w[arkit_index("mouthSmileLeft")] = 0.7f;
  w[arkit_index("mouthUpperUpRight")] = 0.3f;
  w[arkit_index("mouthFunnel")] = 0.2f;
  return w;
}

class MouthContactsTest : public testing::Test {
 protected:
  std::vector<HeadModel> heads() {
    std::vector<HeadModel> all = {test::synthetic_head()};
    if (auto real = test::real_head()) all.push_back(std::move(*real));
    return all;
  }
};

TEST_F(MouthContactsTest, SureLabialsCloseAndSureLabiodentalsTouch) {
  for (const HeadModel& head : heads()) {
    for (const char* phone : {"P", "B", "M", "F", "V"}) {
      MouthContacts contacts(head);
      std::vector<float> w = rough(head);
      ASSERT_GT(measure(head, w).gap, 2);
      contacts.apply(says(phone, 0.9f), 1 / 30.0, 1, w);
      for (const float v : w) EXPECT_TRUE(v >= 0 && v <= 1);
      if (phone[0] == 'F' || phone[0] == 'V') {
        EXPECT_LT(measure(head, w).teeth, 1.0f) << head.id << phone;
      } else {
        EXPECT_LT(measure(head, w).gap, 0.5f) << head.id << phone;
      }
    }
  }
}

TEST_F(MouthContactsTest, VowelsAndDoubtChangeNothing) {
  const HeadModel head = test::synthetic_head();
  MouthContacts contacts(head);
  std::vector<float> w = rough(head);
  contacts.apply(says("AA", 0.8f), 1 / 30.0, 1, w);
  EXPECT_EQ(w, rough(head));
  contacts.apply(says("M", 0.15f), 1 / 30.0, 1, w);  // 0.24 with P B F V, which have their share of the rest
  EXPECT_EQ(w, rough(head));
}

TEST_F(MouthContactsTest, GainOpensVowelsNotClosures) {
  const HeadModel head = test::synthetic_head();
  MouthContacts contacts(head);
  std::vector<float> w = rough(head), m = rough(head);
  const float before = measure(head, w).gap;
  contacts.apply(says("AA", 0.8f), 1 / 30.0, 1.5f, w);
  EXPECT_NEAR(measure(head, w).gap, 1.5f * before, 0.2f * before);
  contacts.apply(says("M", 0.9f), 1 / 30.0, 1.5f, m);
  EXPECT_LT(measure(head, m).gap, 0.5f);
}

TEST_F(MouthContactsTest, PausesSettleGently) {
  const HeadModel head = test::synthetic_head();
  MouthContacts contacts(head);
  float last = measure(head, rough(head)).gap;
  for (int i = 0; i < 15; ++i) {
    std::vector<float> w = rough(head);
    contacts.apply(says("SIL", 0.98f), 1 / 30.0, 1, w);
    const float gap = measure(head, w).gap;
    EXPECT_LE(gap, last + 0.01f);
    if (i < 2) {
      EXPECT_GT(gap, 0.5f) << "does not snap shut";
    }
    last = gap;
  }
  EXPECT_LT(last, 0.3f);
}

TEST_F(MouthContactsTest, RefusesOtherHeads) {
  EXPECT_THROW(MouthContacts(HeadModel{}), Error);
}

}  // namespace
}  // namespace mien
