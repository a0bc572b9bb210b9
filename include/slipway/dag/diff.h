// What changed between two versions of a DAG file, by field. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/base/value.h"

namespace slipway::dag {

// A field as it is written: "tasks.train.timeout", "schedule.cron". Absent = not written there. Lists are one value.
struct FieldChange {
  std::string path;
  std::optional<Value> before, after;
};

struct Difference {
  std::vector<std::string> added, removed;  // tasks, sorted
  std::vector<FieldChange> changed;         // of tasks in both, and of everything else; sorted by path

  [[nodiscard]] bool empty() const { return added.empty() && removed.empty() && changed.empty(); }
};

// Order, comments and layout do not count. A text that is no YAML map counts as one without fields.
[[nodiscard]] Difference compare(const SourceText& before, const SourceText& after);

}  // namespace slipway::dag
