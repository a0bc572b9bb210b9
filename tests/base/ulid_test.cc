#include "slipway/base/ulid.h"

#include <gtest/gtest.h>

#include <set>

namespace slipway {
namespace {

Instant at_millis(std::int64_t millis) { return Instant(std::chrono::milliseconds(millis)); }

TEST(Ulid, WritesTheTimeAsTheSpecificationDoes) {
  Rng rng(1);
  // The example of the ULID specification, 2016-07-30T23:54:10.259Z.
  EXPECT_EQ(make_run_id(at_millis(1469922850259), rng).str().substr(0, 10), "01arz3ndek");
  EXPECT_EQ(make_run_id(at_millis(0), rng).str().substr(0, 10), "0000000000");
  EXPECT_EQ(make_run_id(Instant(Duration(1999)), rng).str().substr(0, 10), "0000000001");
}

TEST(Ulid, IsAnIdAndSafeAsAPath) {
  Rng rng(2);
  const RunId id = make_run_id(at_millis(1'700'000'000'000), rng);
  EXPECT_TRUE(is_run_id(id.str()));
  EXPECT_TRUE(is_id(id.str()));
}

TEST(Ulid, KnowsItsForm) {
  EXPECT_TRUE(is_run_id("01arz3ndektsv4rrffq69g5fav"));
  EXPECT_TRUE(is_run_id("7zzzzzzzzzzzzzzzzzzzzzzzzz"));
  for (const char* text : {"", "01arz3ndektsv4rrffq69g5fa", "01arz3ndektsv4rrffq69g5favv", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                           "8zzzzzzzzzzzzzzzzzzzzzzzzz", "01arz3ndektsv4rrffq69g5fai", "01arz3ndektsv4rrffq69g5fa/"})
    EXPECT_FALSE(is_run_id(text)) << text;
}

TEST(Ulid, SortsByCreationWithinAMillisecondAndAcrossClockSteps) {
  Rng rng(3);
  Rng steps(4);
  RunId previous;
  std::int64_t millis = 1'700'000'000'000;
  for (int i = 0; i < 10'000; ++i) {
    millis += static_cast<std::int64_t>(steps.below(3)) - 1;
    const RunId id = make_run_id(at_millis(millis), rng, previous);
    ASSERT_GT(id, previous);
    ASSERT_TRUE(is_run_id(id.str()));
    previous = id;
  }
}

TEST(Ulid, CarriesIntoTheTimeWhereTheRandomPartIsFull) {
  Rng rng(5);
  const RunId full("0000000001zzzzzzzzzzzzzzzz");
  EXPECT_EQ(make_run_id(at_millis(1), rng, full).str(), "00000000020000000000000000");
}

TEST(Ulid, EightyBitsDoNotRepeat) {
  Rng rng(6);
  std::set<RunId> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(make_run_id(at_millis(1'700'000'000'000), rng));
  EXPECT_EQ(ids.size(), 10'000U);
}

}  // namespace
}  // namespace slipway
