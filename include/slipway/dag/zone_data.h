// The operating system's zone data, which its packages replace while a daemon runs.
#pragma once

#include <string>

namespace slipway::dag {

// Differs after zone data were replaced, else stays the same; empty where there are none. Costs two stat(2). Zones that
// were loaded keep the data they have: what was parsed before must be parsed again.
[[nodiscard]] std::string zone_data_stamp();

}  // namespace slipway::dag
