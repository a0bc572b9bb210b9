#include "slipway/dag/template.h"

#include <algorithm>
#include <string_view>

namespace slipway::dag {
namespace {

struct Place {
  int line;
  int column;
};

Place place_of(const Template& text, std::size_t offset) {
  const SourceSpan& span = text.span;
  const std::string_view before = std::string_view(text.text).substr(0, offset);
  if (span.end_line == span.line) {
    const int column = span.column + static_cast<int>(before.size());
    return {span.line, span.end_column > span.column ? std::min(column, span.end_column) : column};
  }
  const auto last_break = before.rfind('\n');
  const auto in_line = last_break == std::string_view::npos ? before.size() : before.size() - last_break - 1;
  const auto breaks = std::count(before.begin(), before.end(), '\n');
  return {span.line + static_cast<int>(breaks), span.column + static_cast<int>(in_line)};
}

}  // namespace

SourceSpan locate(const Template& text, std::size_t begin, std::size_t end) {
  if (!text.span.known() || !text.by_lines) return text.span;
  const Place first = place_of(text, begin);
  const Place last = place_of(text, std::max(begin, end));
  return {first.line, first.column, last.line, last.column};
}

}  // namespace slipway::dag
