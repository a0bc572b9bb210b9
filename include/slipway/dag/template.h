// Text that may hold ${{ expressions }}.
#pragma once

#include <cstddef>
#include <string>

#include "slipway/base/source_span.h"

namespace slipway::dag {

struct Template {
  std::string text;
  // Where the text stands in the file, quotes and block header left out. Line k of the text is line span.line + k of
  // the file and begins in column span.column, as in a block `|`; a span that ends on its first line holds every part
  // of the text on that line. Behind escapes places are near, not exact.
  SourceSpan span;
  bool by_lines = true;  // false: the lines were folded, and the whole is all that can be pointed at

  [[nodiscard]] bool has_expression() const { return text.find("${{") != std::string::npos; }
  bool operator==(const Template& other) const { return text == other.text; }
};

// Where the bytes [begin, end) of the text stand in the file.
[[nodiscard]] SourceSpan locate(const Template& text, std::size_t begin, std::size_t end);

}  // namespace slipway::dag
