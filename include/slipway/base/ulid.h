// Run ids: ULIDs, 48 bits of milliseconds since the epoch and 80 random bits, as 26 characters of Crockford base32.
#pragma once

#include <string_view>

#include "slipway/base/ids.h"
#include "slipway/base/rng.h"
#include "slipway/base/time.h"

namespace slipway {

// Sorts behind every id of an earlier millisecond, and always behind `previous` (the id made before, also one of an
// earlier process; may be empty), however many are made in a millisecond and wherever the clock stepped. `at` is not
// before 1970.
[[nodiscard]] RunId make_run_id(Instant at, Rng& rng, const RunId& previous = {});

// Whether `text` has the form of a run id.
[[nodiscard]] bool is_run_id(std::string_view text);

}  // namespace slipway
