// A YAML file in one form: two columns a level, list items below their key, one space behind `-` and `:`, no space
// inside brackets, one empty line at most, no trailing space, line breaks of Unix. Columns of values that authors lined
// up stay lined up, lines that they broke stay broken, and nothing is put into another order.
#pragma once

#include <string>

#include "slipway/base/diagnostics.h"

namespace slipway::text {

// Only white space differs from `source`, never inside comments or text that counts it; the same document is read from
// both, and formatting the result again changes nothing. Both are checked on every call. Codes: those of parse_yaml;
// yaml-format where a file cannot be brought into the form that way.
[[nodiscard]] ParseResult<std::string> format_yaml(const SourceText& source);

}  // namespace slipway::text
