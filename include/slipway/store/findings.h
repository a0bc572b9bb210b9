// What a check of the store found, as everything that shows it tells it.
#pragma once

#include "slipway/base/value.h"
#include "slipway/store/store.h"

namespace slipway::store {

// {"findings": [{"invariant", "detail"}]} of Store::check(); an empty list says that the database is whole.
[[nodiscard]] Result<Value> check_report(const Store& store);

}  // namespace slipway::store
