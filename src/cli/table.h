// Aligned columns for people: the first is the name, two spaces between, no borders.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/display_width.h"

namespace slipway::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header);
  // As many cells as the header has; an empty cell is shown as "-".
  void add(std::vector<std::string> row);
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// At most `width` columns, with "…" (or "..." in ASCII) where something was cut.
[[nodiscard]] std::string cut(std::string_view text, std::size_t width, bool ascii);

}  // namespace slipway::cli
