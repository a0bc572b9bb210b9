#include "slipway/base/ids.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(IsId, TakesTheAlphabetOnly) {
  for (const char* good : {"a", "mlops-dag", "a.b_c", "0x"}) EXPECT_TRUE(is_id(good)) << good;
  for (const char* bad : {"", "-a", "a-", "A", "a/b", "..", "a b", "é"}) EXPECT_FALSE(is_id(bad)) << bad;
  EXPECT_TRUE(is_id(std::string(100, 'a')));
  EXPECT_FALSE(is_id(std::string(101, 'a')));
}

TEST(AttemptId, RoundTrips) {
  for (const char* text : {"01jd/finetune/1", "01jd/a-1[0]/12", "01jd/a-1[31]/2"}) {
    const auto id = AttemptId::parse(text);
    ASSERT_TRUE(id) << text;
    EXPECT_EQ(id->str(), text);
  }
}

TEST(AttemptId, HidesNoPath) {
  for (const char* text : {"", "a", "a/b", "a/b/0", "a/b/01", "a/b/-1", "../b/1", "a/../1", "a/b/1/2", "a/b[]/1",
                           "a/b[01]/1", "a/b[-1]/1", "a/[1]/1", "a/b[1/1", "a//1", "a/b/"})
    EXPECT_FALSE(AttemptId::parse(text)) << text;
}

}  // namespace
}  // namespace slipway
