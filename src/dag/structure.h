// Checks a tree of nodes against the field table: unknown keys, types, ranges, words. Codes: unknown-key, wrong-type,
// bad-value, missing-field.
#pragma once

#include <string>

#include "dag/field_table.h"
#include "slipway/base/diagnostics.h"
#include "slipway/text/node.h"

namespace slipway::dag {

// Null is accepted everywhere but in lists and for required top-level fields: it stands for "not written".
void check_structure(const text::Node& root, Diagnostics& diagnostics);

// Whether `node` is a well-formed value of this shape; one that failed here was reported and is to be ignored by later
// steps.
[[nodiscard]] bool fits(const text::Node& node, const Shape& shape);
// The first of the field's shapes that `node` fits, or nullptr.
[[nodiscard]] const Shape* fitting(const text::Node& node, const std::vector<Shape>& shapes);

}  // namespace slipway::dag
