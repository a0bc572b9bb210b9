// Rows of run, task_instance, attempt and event: saving, loading, listing, folding.
#pragma once

#include <optional>
#include <vector>

#include "slipway/run/run.h"
#include "slipway/store/store.h"
#include "store/sqlite.h"

namespace slipway::store {

// Conflict where a unique rule refuses it (same tick or idempotency key).
[[nodiscard]] Result<void> insert_run(Connection& connection, const run::Run& run);
// The columns that change; the header never does.
[[nodiscard]] Result<void> update_run(Connection& connection, const run::Run& run);
// Insert or replace.
[[nodiscard]] Result<void> save_instance(Connection& connection, const RunId& run, const run::TaskInstance& instance);
[[nodiscard]] Result<void> save_attempt(Connection& connection, const run::Attempt& attempt);
[[nodiscard]] Result<void> insert_event(Connection& connection, const run::Event& event);

// From rows; NotFound.
[[nodiscard]] Result<run::Run> load_run(Connection& connection, const RunId& id);
[[nodiscard]] Result<std::vector<RunSummary>> list_runs(Connection& connection, const RunFilter& filter);
[[nodiscard]] Result<std::vector<run::Event>> load_events(Connection& connection, const RunId& id,
                                                          std::uint64_t after_seq, int limit);
// From events; Corrupt, naming the event, if they do not follow from each other.
[[nodiscard]] Result<run::Run> fold_run(Connection& connection, const RunId& id);
// From rows where they and the numbers of the events agree, else from events: what a start goes on with.
[[nodiscard]] Result<run::Run> restore_run(Connection& connection, const RunId& id);

[[nodiscard]] Result<std::optional<RunId>> find_by_key(Connection& connection, const DagId& dag,
                                                       const std::string& key);
// Of the newest run before `before` in which the task succeeded, or null.
[[nodiscard]] Result<Value> previous_outputs(Connection& connection, const DagId& dag, const TaskKey& task,
                                             const RunId& before);
// Oldest first.
[[nodiscard]] Result<std::optional<RunId>> find_before(Connection& connection, const DagId& dag,
                                                       const std::string& schedule, Instant logical_date);
[[nodiscard]] Result<std::vector<RunId>> open_run_ids(Connection& connection);
[[nodiscard]] Result<std::vector<RunId>> run_ids_after(Connection& connection, const RunId& after, int limit);

}  // namespace slipway::store
