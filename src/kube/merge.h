// Fragments of a pod's spec, merged as `kubectl patch` does by default for built-in kinds; pure.
#pragma once

#include "slipway/base/value.h"

namespace slipway::kube {

// Maps by key, null removes; lists whose elements have a name (containers, volumes, env, …) by it, others whole.
void strategic_merge(Value& into, const Value& patch);

}  // namespace slipway::kube
