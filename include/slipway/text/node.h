// YAML 1.2 text as typed nodes, each with its place in the file. Scalars follow the core schema: `yes`, `on` and
// `12:30` are text, a quoted scalar is always text. Pure; the parser behind it is yaml-cpp's event interface.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/base/enum_table.h"
#include "slipway/base/source_span.h"
#include "slipway/base/value.h"

namespace slipway::text {

enum class NodeKind : unsigned char { Null, Boolean, Integer, Number, Text, List, Map };
inline constexpr EnumTable<NodeKind, 7> kNodeKinds{{{
    {NodeKind::Null, "null", "nothing, `null` or `~`"},
    {NodeKind::Boolean, "a boolean", "true or false"},
    {NodeKind::Integer, "an integer", "a whole number that fits 64 bits, also 0x1F and 0o17"},
    {NodeKind::Number, "a number", "a decimal number, or an integer beyond 64 bits"},
    {NodeKind::Text, "text", "anything quoted, and any other word"},
    {NodeKind::List, "a list", "items, in order"},
    {NodeKind::Map, "a map", "keys with values, in file order"},
}}};

struct Entry;

// A value of the file. What an alias stands for is a copy that keeps the places of the anchored text.
struct Node {
  NodeKind kind = NodeKind::Null;
  SourceSpan
      span;  // the whole value, quotes and brackets included; empty and right behind the key where nothing is written
  SourceSpan content;    // of a scalar: where its text begins, behind the quote or on the first line of a block
  bool by_lines = true;  // of a scalar: its lines are those of the file; false where they were folded
  std::string scalar;    // of a scalar: the text; of a plain one exactly as written ("1.10", "0x1F")
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;  // also set for an integer
  std::vector<Node> items;
  std::vector<Entry> entries;

  [[nodiscard]] bool is_scalar() const { return kind < NodeKind::List; }
  // The value at `key`, or nullptr if there is none or this is no map. O(entries).
  [[nodiscard]] const Node* find(std::string_view key) const;
  [[nodiscard]] const Entry* find_entry(std::string_view key) const;
};

// Keys are text, whatever they look like; no map holds a key twice.
struct Entry {
  std::string key;
  SourceSpan key_span;
  Node value;
};

struct YamlLimits {
  std::size_t bytes_max = 1U << 20U;
  int depth_max = 64;
  int nodes_max = 250'000;  // values, those that aliases stand for included
  int anchors_max = 100;
};

// One document; an empty file is a null node. Codes: yaml-syntax, yaml-encoding, yaml-limit, yaml-feature (tags, merge
// keys, several documents), duplicate-key. A syntax error ends the reading, so at most one is reported.
[[nodiscard]] ParseResult<Node> parse_yaml(const SourceText& source, const YamlLimits& limits = {});

// The node as JSON. Non-finite numbers become null, as JSON has none.
[[nodiscard]] Value to_value(const Node& node);

}  // namespace slipway::text
