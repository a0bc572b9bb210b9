// What yaml-cpp's parser complains about, said so that a person can act on it.
#pragma once

#include <optional>
#include <string_view>

#include "slipway/base/diagnostics.h"
#include "text/places.h"

namespace slipway::text {

// Where the parser stood when it gave up.
struct ParserState {
  std::size_t at = 0;                 // the byte it points to
  std::size_t read_until = 0;         // the end of the last value it understood
  std::optional<std::size_t> opened;  // the innermost `{` or `[` that is still open
};

// `complaint` is the parser's own text.
[[nodiscard]] Diagnostic explain_syntax_error(std::string_view complaint, ParserState state, const Places& places);

[[nodiscard]] Diagnostic unclosed_quote(std::size_t at, const Places& places);

// Bytes that no YAML text may hold: broken UTF-8 and control characters.
void check_encoding(const Places& places, Diagnostics& diagnostics);

}  // namespace slipway::text
