// Byte offsets of a text as lines and columns, and the ends of YAML values, which yaml-cpp does not tell.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "slipway/base/source_span.h"

namespace slipway::text {

// A half-open range of bytes.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Refers to the text it was made from, which must outlive it.
class Places {
 public:
  explicit Places(std::string_view text);

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] SourceSpan span(Range range) const;
  // Where the line that holds `offset` begins; its text without the line break.
  [[nodiscard]] std::size_t line_start(std::size_t offset) const;
  [[nodiscard]] std::string_view line_at(std::size_t offset) const;

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

// A scalar as it stands in the file.
struct ScalarPlace {
  Range whole;              // quotes or block header included
  std::size_t content = 0;  // where the text begins; of a block the line below its header
  std::size_t indent = 0;   // of a block: the columns in front of each of its lines
};

// The place of the scalar that begins at or, behind an anchor or tag, after `offset`; `value` is its text as the parser
// read it.
[[nodiscard]] ScalarPlace place_scalar(std::string_view text, std::size_t offset, std::string_view value, bool plain);

// Whether `text`, which begins with a quote, ends with the one that closes it.
[[nodiscard]] bool is_closed_quote(std::string_view text);

// The offset behind the `closer` of a flow collection whose last child ended at `offset`; `offset` if there is none.
[[nodiscard]] std::size_t behind_closer(std::string_view text, std::size_t offset, char closer);

}  // namespace slipway::text
