#include "slipway/text/node.h"

#include <algorithm>
#include <cmath>

namespace slipway::text {

const Entry* Node::find_entry(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

const Node* Node::find(std::string_view key) const {
  const Entry* entry = find_entry(key);
  return entry == nullptr ? nullptr : &entry->value;
}

Value to_value(const Node& node) {
  switch (node.kind) {
    case NodeKind::Null: return {};
    case NodeKind::Boolean: return node.boolean;
    case NodeKind::Integer: return node.integer;
    case NodeKind::Number: return std::isfinite(node.number) ? Value(node.number) : Value();
    case NodeKind::Text: return node.scalar;
    case NodeKind::List: {
      Value::Array items;
      for (const Node& item : node.items) items.push_back(to_value(item));
      return items;
    }
    case NodeKind::Map: {
      Value::Object members;
      for (const Entry& entry : node.entries) members.emplace(entry.key, to_value(entry.value));
      return members;
    }
  }
  return {};
}

}  // namespace slipway::text
