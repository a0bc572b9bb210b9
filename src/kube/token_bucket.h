// A client-side rate limit that yields when the server says it is too much.
#pragma once

#include <algorithm>

#include "slipway/base/time.h"
#include "slipway/kube/client.h"

namespace slipway::kube {

class TokenBucket {
 public:
  TokenBucket(RateLimit limit, MonoInstant now)
      : limit_(limit), rate_(limit.per_second), tokens_(limit.burst), at_(now) {}

  // Takes one token and says how long to wait until it is there. Takers are served in the order of their calls.
  [[nodiscard]] Duration take(MonoInstant now) {
    refill(now);
    tokens_ -= 1;
    if (tokens_ >= 0) return Duration(0);
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(-tokens_ / rate_));
  }

  // The server said 429: half the rate, and no burst. At most once a second, since replies come in crowds.
  void slow_down(MonoInstant now) {
    refill(now);
    if (slowed_ && now < *slowed_ + std::chrono::seconds(1)) return;
    slowed_ = now;
    rate_ = std::max(rate_ / 2, limit_.per_second / kSlowest);
    tokens_ = std::min(tokens_, 0.0);
  }

  [[nodiscard]] double rate() const { return rate_; }

 private:
  static constexpr double kSlowest = 64;          // of the limit
  static constexpr double kRecoverySeconds = 60;  // from nothing to the whole limit

  void refill(MonoInstant now) {
    const double seconds = std::max(0.0, std::chrono::duration<double>(now - at_).count());
    at_ = std::max(at_, now);
    tokens_ = std::min(limit_.burst, tokens_ + seconds * rate_);
    rate_ = std::min(limit_.per_second, rate_ + limit_.per_second * seconds / kRecoverySeconds);
  }

  RateLimit limit_;
  double rate_;
  double tokens_;
  MonoInstant at_;
  std::optional<MonoInstant> slowed_;
};

}  // namespace slipway::kube
