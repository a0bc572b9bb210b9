// Text that may hold ${{ expressions }}.
#pragma once

#include <string>

#include "slipway/base/source_span.h"

namespace slipway::dag {

struct Template {
  std::string text;
  SourceSpan span;  // of the text's first byte in the file, so that errors inside an expression can be placed

  [[nodiscard]] bool has_expression() const { return text.find("${{") != std::string::npos; }
  bool operator==(const Template& other) const { return text == other.text; }
};

}  // namespace slipway::dag
