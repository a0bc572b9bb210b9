// What the tests of this layer share.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "slipway/dag/parse.h"

namespace slipway::dag::test {

inline std::string rendered(const Diagnostics& diagnostics, const SourceText& source) {
  std::string out;
  for (const auto& diagnostic : diagnostics.items()) out += render(diagnostic, source) + "\n";
  return out;
}

// The DAG of a text that is expected to be valid.
inline Dag parse_ok(const std::string& text) {
  const SourceText source{"t.yaml", text};
  auto result = parse(source);
  if (!result.value) ADD_FAILURE() << rendered(result.diagnostics, source);
  return result.value.value_or(Dag{});
}

// The codes of a text's diagnostics, in file order, separated by spaces.
inline std::string codes(const std::string& text) {
  const auto result = parse({"t.yaml", text});
  std::string out;
  for (const auto& diagnostic : result.diagnostics.items()) out += (out.empty() ? "" : " ") + diagnostic.code;
  return out;
}

}  // namespace slipway::dag::test
