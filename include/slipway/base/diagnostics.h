// Problems found in text that people wrote: all of them at once, each with its place and its cure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/source_span.h"
#include "slipway/base/value.h"

namespace slipway {

enum class Severity : unsigned char { Error, Warning };

struct Diagnostic {
  Severity severity = Severity::Error;
  std::string code;     // stable, kebab-case: "unknown-task"
  std::string message;  // lower case, no full stop, names in `backquotes`
  std::string help;     // the cure; may be empty
  SourceSpan span;
};

class Diagnostics {
 public:
  void error(std::string code, SourceSpan span, std::string message, std::string help = {});
  void warning(std::string code, SourceSpan span, std::string message, std::string help = {});
  void append(Diagnostics other);

  [[nodiscard]] bool has_errors() const;
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] std::size_t size() const { return items_.size(); }
  // In file order once sort() was called; in order of discovery before.
  [[nodiscard]] const std::vector<Diagnostic>& items() const { return items_; }
  void sort();

 private:
  std::vector<Diagnostic> items_;
};

// A parse never throws: it gives a T unless a diagnostic is an error, and warnings beside it.
template <class T>
struct ParseResult {
  std::optional<T> value;
  Diagnostics diagnostics;
};

// One diagnostic as people read it:
//   dags/nightly.yaml:14:12: error[unknown-task]: `needs` names `prepair`, which is no task of this DAG
//      14 |     needs: prepair
//         |            ^^^^^^^ help: did you mean `prepare` (line 9)?
// No trailing line break. Long lines are cut around the span.
[[nodiscard]] std::string render(const Diagnostic& diagnostic, const SourceText& source);

// {"file","line","column","end_line","end_column","severity","code","message","help"}
[[nodiscard]] Value to_value(const Diagnostic& diagnostic, std::string_view file);

// The candidate nearest to `word` by edit distance (at most a third of its length, at least 1), if any.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace slipway
