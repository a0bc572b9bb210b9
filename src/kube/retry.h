// When a call is sent again; pure.
#pragma once

#include <optional>

#include "slipway/base/rng.h"
#include "slipway/kube/client.h"

namespace slipway::kube {

// Tries that one call has used up, by their reason.
struct Tries {
  int transient = 0;
  int throttled = 0;
  int conflict = 0;
};

// How long to wait before the next try, or nothing: the failure is handed up. 401 is not asked here.
[[nodiscard]] std::optional<Duration> next_try(const ApiCall& call, const Failure& failure, const RetryPolicy& policy,
                                               Tries& tries, Rng& rng);

}  // namespace slipway::kube
