// Line by line differences of two texts.
#pragma once

#include <string>
#include <string_view>

namespace slipway {

struct DiffNames {
  std::string before, after;  // for the head: "--- before", "+++ after"
};

// The unified format of diff -u with three lines around each change; empty where the texts are equal. The shortest
// script of changes up to 2,000 of them (Myers, "An O(ND) Difference Algorithm", 1986); beyond, everything between the
// common beginning and end counts as replaced. Time O((n + m) · changes).
[[nodiscard]] std::string unified_diff(std::string_view before, std::string_view after, const DiffNames& names);

}  // namespace slipway
