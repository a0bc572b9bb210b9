// Is this machine and home fit for the daemon.
#pragma once

#include "cli/session.h"
#include "slipway/store/store.h"

namespace slipway::cli {

// {"checks": [{"what", "state": "ok", "warn" or "bad", "detail"}]}; looks, changes nothing.
[[nodiscard]] Value doctor_report(Session& session);
// {"findings": [{"invariant", "detail"}]}, as GET /db/check tells it.
[[nodiscard]] Result<Value> check_store(const store::Store& store);

}  // namespace slipway::cli
