// Any text is read as a DAG or refused with problems, each at a place inside the text, and each can be shown.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "slipway/base/assert.h"
#include "slipway/dag/layout.h"
#include "slipway/dag/parse.h"
#include "slipway/text/format.h"

namespace {

// How many bytes each line has. What follows the last line break is a line, too, also if it is empty.
std::vector<int> line_sizes(const std::string& text) {
  std::vector<int> sizes{0};
  for (const char c : text) {
    if (c == '\n')
      sizes.push_back(0);
    else
      ++sizes.back();
  }
  return sizes;
}

bool inside(int line, int column, const std::vector<int>& sizes) {
  return line >= 1 && line <= static_cast<int>(sizes.size()) && column >= 1 &&
         column <= sizes[static_cast<std::size_t>(line - 1)] + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const SourceText source{"f.yaml", std::string(reinterpret_cast<const char*>(data), size)};
  const auto sizes = line_sizes(source.text);
  // It compares what it says by itself; here it must only come to an end.
  static_cast<void>(text::format_yaml(source));
  const auto names = dag::companion_names(source);
  dag::Companions beside;
  for (const std::string& name : names) beside.emplace(name, "a: 1\nb: {c: x}\n");
  const auto parsed = dag::parse(source, beside);
  SLIPWAY_ASSERT(parsed.value.has_value() != parsed.diagnostics.has_errors());
  for (const Diagnostic& problem : parsed.diagnostics.items()) {
    SLIPWAY_ASSERT(!problem.code.empty() && !problem.message.empty());
    SLIPWAY_ASSERT(!render(problem, source).empty());
    const SourceSpan& at = problem.span;
    if (!at.known()) continue;
    SLIPWAY_ASSERT(inside(at.line, at.column, sizes) && inside(at.end_line, at.end_column, sizes));
    SLIPWAY_ASSERT(std::pair(at.line, at.column) <= std::pair(at.end_line, at.end_column));
  }
  if (!parsed.value) return 0;
  SLIPWAY_ASSERT(parsed.value->tasks.empty() || !dag::draw_ascii(*parsed.value).empty());
  SLIPWAY_ASSERT(!dag::draw_svg(*parsed.value).empty());
  static_cast<void>(dag::resolve_params(*parsed.value, Value::Object{}));
  return 0;
}
