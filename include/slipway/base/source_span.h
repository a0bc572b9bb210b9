// Where something stands in a text a person wrote.
#pragma once

#include <string>

namespace slipway {

// Lines and columns count from 1, columns in bytes; the end is one past the last byte. A default span (line 0) means
// "nowhere in particular", for problems of a whole file.
struct SourceSpan {
  int line = 0;
  int column = 0;
  int end_line = 0;
  int end_column = 0;

  [[nodiscard]] bool known() const { return line > 0; }
  bool operator==(const SourceSpan&) const = default;
};

// The text and the name under which errors cite it ("dags/nightly.yaml").
struct SourceText {
  std::string name;
  std::string text;
};

}  // namespace slipway
