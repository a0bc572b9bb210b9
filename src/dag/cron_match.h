// Which wall-clock minutes a cron expression names. Zones play no part here.
#pragma once

#include <optional>

#include "dag/zone_periods.h"

namespace slipway::dag {

// The first named minute in [from, limit), seconds rounded up to a whole minute.
[[nodiscard]] std::optional<WallSeconds> first_match(const Cron& cron, WallSeconds from, WallSeconds limit);
// The last named minute in [from, limit).
[[nodiscard]] std::optional<WallSeconds> last_match(const Cron& cron, WallSeconds from, WallSeconds limit);

}  // namespace slipway::dag
