#include "kube/retry.h"

#include <algorithm>

namespace slipway::kube {
namespace {

// Doubled each time, then up to twice as long by chance, so that many clients do not come back together.
Duration backoff(const RetryPolicy& policy, int tried, Rng& rng) {
  Duration delay = policy.first;
  for (int i = 1; i < tried && delay < policy.longest; ++i) delay *= 2;
  delay = std::min(delay, policy.longest);
  return delay + std::chrono::duration_cast<Duration>(delay * rng.unit());
}

Duration told_or_backoff(const RetryPolicy& policy, const Failure& failure, int tried, Rng& rng) {
  if (!failure.retry_after || failure.retry_after->count() == 0) return backoff(policy, tried, rng);
  const Duration told = std::min(*failure.retry_after, policy.retry_after_longest);
  return told + std::chrono::duration_cast<Duration>(told * (rng.unit() / 4));
}

}  // namespace

std::optional<Duration> next_try(const ApiCall& call, const Failure& failure, const RetryPolicy& policy, Tries& tries,
                                 Rng& rng) {
  switch (failure.kind) {
    case FailureKind::Interrupted:
    case FailureKind::Overloaded:
      if (!call.repeatable) return std::nullopt;
      [[fallthrough]];
    case FailureKind::Unreachable:
      if (++tries.transient > policy.transient_max) return std::nullopt;
      return told_or_backoff(policy, failure, tries.transient, rng);
    case FailureKind::TooManyRequests:
      if (++tries.throttled > policy.throttled_max) return std::nullopt;
      return told_or_backoff(policy, failure, tries.throttled, rng);
    case FailureKind::Conflict:
      // A create has no version to conflict with: it is the quota's own object that changed meanwhile.
      if (call.verb != Verb::Create || ++tries.conflict > policy.conflict_max) return std::nullopt;
      return backoff(policy, tries.conflict, rng);
    case FailureKind::Unauthorized:
    case FailureKind::Forbidden:
    case FailureKind::QuotaExceeded:
    case FailureKind::NotFound:
    case FailureKind::AlreadyExists:
    case FailureKind::Expired:
    case FailureKind::Invalid:
    case FailureKind::TooLarge:
    case FailureKind::Misconfigured:
    case FailureKind::Unexpected: break;
  }
  return std::nullopt;
}

}  // namespace slipway::kube
