#include "dag/merge.h"

#include <algorithm>

#include "dag/reader.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

// Null removes: it is gone once it did.
void drop_nulls(Node& map) {
  std::erase_if(map.entries, [](const Entry& entry) { return entry.value.kind == NodeKind::Null; });
}

std::optional<TaskKind> kind_of_key(std::string_view key) { return kTaskKinds.parse(key); }

bool writes_kind(const Entry& entry) {
  return is_written(&entry.value) &&
         (entry.key != "noop" || entry.value.kind != NodeKind::Boolean || entry.value.boolean);
}

}  // namespace

std::vector<TaskKind> kinds_written(const Node& task) {
  std::vector<TaskKind> kinds;
  bool image = false;
  for (const Entry& entry : task.entries) {
    if (!writes_kind(entry)) continue;
    const auto kind = kind_of_key(entry.key);
    image = image || kind == TaskKind::Image || entry.key == "args";
    if (kind && *kind != TaskKind::Image) kinds.push_back(*kind);
  }
  if (kinds.empty() && image) kinds.push_back(TaskKind::Image);
  return kinds;
}

Node merge_maps(const Node& base, const Node& over) {
  Node merged = over;
  for (const Entry& entry : base.entries) {
    const auto own = std::find_if(merged.entries.begin(), merged.entries.end(),
                                  [&](const Entry& candidate) { return candidate.key == entry.key; });
    if (own == merged.entries.end()) {
      merged.entries.push_back(entry);
    } else if (own->value.kind == NodeKind::Map && entry.value.kind == NodeKind::Map) {
      own->value = merge_maps(entry.value, own->value);
    }
  }
  drop_nulls(merged);
  return merged;
}

Node merge_defaults(const Node* defaults, const Node& task, TaskKind kind) {
  Node applicable;
  applicable.kind = NodeKind::Map;
  const Field& fields = *language().child("defaults");
  if (defaults == nullptr) return merge_maps(applicable, task);
  for (const Entry& entry : defaults->entries) {
    const Field* field = fields.child(entry.key);
    const auto named = kind_of_key(entry.key);
    const bool other_kind = named && *named != kind && *named != TaskKind::Image;
    if (field != nullptr && (field->kinds & kind_bit(kind)) != 0 && !other_kind) applicable.entries.push_back(entry);
  }
  return merge_maps(applicable, task);
}

}  // namespace slipway::dag
