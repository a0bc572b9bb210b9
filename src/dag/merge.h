// How `defaults` and a task become one: maps merge key-wise, lists and scalars replace, null removes.
#pragma once

#include <optional>

#include "dag/field_table.h"
#include "slipway/dag/dag.h"
#include "slipway/text/node.h"

namespace slipway::dag {

// The kinds that a map of task fields names: those of run, service, … it writes, in file order. `noop: false` is not
// written. `image` counts where no other does; `args` writes it, too.
[[nodiscard]] std::vector<TaskKind> kinds_written(const text::Node& task);

// `task` over `defaults`, of which fields that do not apply to `kind`, or that name another kind, are left out. No null
// remains.
[[nodiscard]] text::Node merge_defaults(const text::Node* defaults, const text::Node& task, TaskKind kind);

// `over` over `base`, both maps.
[[nodiscard]] text::Node merge_maps(const text::Node& base, const text::Node& over);

}  // namespace slipway::dag
