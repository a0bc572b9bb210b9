#include "kube/retry.h"

#include <gtest/gtest.h>

#include "kube/token_bucket.h"

namespace slipway::kube {
namespace {

using namespace std::chrono_literals;

const ObjectPath kPod{kPods, "a", "p"};

struct RetryCase {
  FailureKind kind;
  int get;  // tries again at most
  int create;
  int delete_by_name;  // not repeatable
};

int tries_of(const ApiCall& call, FailureKind kind) {
  Rng rng(1);
  Tries tries;
  Failure failure;
  failure.kind = kind;
  int count = 0;
  while (count < 100 && next_try(call, failure, RetryPolicy(), tries, rng)) ++count;
  return count;
}

TEST(Retry, Table) {
  const RetryCase cases[] = {
      {FailureKind::Unreachable, 5, 5, 5}, {FailureKind::Interrupted, 5, 5, 0},
      {FailureKind::Overloaded, 5, 5, 0},  {FailureKind::TooManyRequests, 10, 10, 10},
      {FailureKind::Conflict, 0, 3, 0},    {FailureKind::Unauthorized, 0, 0, 0},
      {FailureKind::Forbidden, 0, 0, 0},   {FailureKind::QuotaExceeded, 0, 0, 0},
      {FailureKind::NotFound, 0, 0, 0},    {FailureKind::AlreadyExists, 0, 0, 0},
      {FailureKind::Expired, 0, 0, 0},     {FailureKind::Invalid, 0, 0, 0},
      {FailureKind::TooLarge, 0, 0, 0},    {FailureKind::Misconfigured, 0, 0, 0},
      {FailureKind::Unexpected, 0, 0, 0},
  };
  ASSERT_EQ(std::size(cases), kFailureKinds.size());
  const Value pod(Value::Object{{"metadata", Value::Object{{"name", "p"}}}});
  for (const RetryCase& c : cases) {
    EXPECT_EQ(tries_of(get_call(kPod), c.kind), c.get) << kFailureKinds.text(c.kind);
    EXPECT_EQ(tries_of(create_call({kPods, "a", ""}, pod), c.kind), c.create) << kFailureKinds.text(c.kind);
    EXPECT_EQ(tries_of(delete_call(kPod, {}), c.kind), c.delete_by_name) << kFailureKinds.text(c.kind);
  }
  EXPECT_EQ(tries_of(delete_call(kPod, {.uid = "u"}), FailureKind::Interrupted), 5);
}

TEST(Retry, WaitsLongerEachTimeUpToALimit) {
  Rng rng(7);
  Tries tries;
  Failure failure;
  failure.kind = FailureKind::Unreachable;
  const RetryPolicy policy{.transient_max = 8, .first = 100ms, .longest = 1s};
  const Duration least[] = {100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s, 1s};
  for (const Duration expected : least) {
    const auto delay = next_try(get_call(kPod), failure, policy, tries, rng);
    ASSERT_TRUE(delay);
    EXPECT_GE(*delay, expected);
    EXPECT_LT(*delay, expected * 2);
  }
  EXPECT_FALSE(next_try(get_call(kPod), failure, policy, tries, rng));
}

TEST(Retry, DoesWhatTheServerSaysWithinReason) {
  Rng rng(7);
  Failure failure;
  failure.kind = FailureKind::TooManyRequests;
  for (const auto& [told, least] : {std::pair<Duration, Duration>{8s, 8s}, {1h, 2min}, {0s, 250ms}}) {
    Tries tries;
    failure.retry_after = told;
    const auto delay = next_try(get_call(kPod), failure, RetryPolicy(), tries, rng);
    ASSERT_TRUE(delay);
    EXPECT_GE(*delay, least);
    EXPECT_LE(*delay, told.count() == 0 ? least * 2 : least + least / 4);
  }
}

TEST(TokenBucket, LetsABurstThroughAndThenTheRate) {
  MonoInstant now(100s);
  TokenBucket bucket({.per_second = 10, .burst = 3}, now);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(now), 0s);
  EXPECT_EQ(bucket.take(now), 100ms);
  EXPECT_EQ(bucket.take(now), 200ms);
  now += 250ms;
  EXPECT_EQ(bucket.take(now), 50ms);
  now += 10s;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.take(now), 0s) << "no more than the burst was saved up";
  EXPECT_GT(bucket.take(now), 0s);
}

TEST(TokenBucket, YieldsToAServerThatIsTooBusyAndRecovers) {
  MonoInstant now(100s);
  TokenBucket bucket({.per_second = 64, .burst = 100}, now);
  bucket.slow_down(now);
  EXPECT_DOUBLE_EQ(bucket.rate(), 32);
  EXPECT_GT(bucket.take(now), 0s);  // no burst
  bucket.slow_down(now);            // of the same crowd
  EXPECT_DOUBLE_EQ(bucket.rate(), 32);
  for (int i = 0; i < 20; ++i) bucket.slow_down(now += 1s);
  EXPECT_GE(bucket.rate(), 1);
  EXPECT_LT(bucket.rate(), 3);
  (void)bucket.take(now += 60s);
  EXPECT_DOUBLE_EQ(bucket.rate(), 64);
}

}  // namespace
}  // namespace slipway::kube
