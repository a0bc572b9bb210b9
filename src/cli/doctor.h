// Is this machine and home fit for the daemon.
#pragma once

#include "cli/session.h"

namespace slipway::cli {

// {"checks": [{"what", "state": "ok", "warn" or "bad", "detail"}]}; looks, changes nothing. `deep` also reads the whole
// database and times the disk.
[[nodiscard]] Value doctor_report(Session& session, bool deep);
// What `db check` tells: through the daemon while one runs on the home, else from the file.
[[nodiscard]] Result<Value> check_database(Session& session);

}  // namespace slipway::cli
