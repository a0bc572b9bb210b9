// What a plain scalar means by the core schema of YAML 1.2, section 10.3.
#pragma once

#include <string_view>

#include "slipway/text/node.h"

namespace slipway::text {

// Sets the kind and value of `node` from its plain text.
void resolve_plain(Node& node);

}  // namespace slipway::text
