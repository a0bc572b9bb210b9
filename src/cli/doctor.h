// Is this machine and home fit for the daemon.
#pragma once

#include "cli/session.h"

namespace slipway::cli {

// {"checks": [{"what", "state": "ok", "warn" or "bad", "detail"}]}; looks, changes nothing.
[[nodiscard]] Value doctor_report(Session& session);

}  // namespace slipway::cli
