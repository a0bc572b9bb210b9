// Values to JSON bodies. Pure. Instants are RFC 3339 UTC with microseconds, durations seconds, what does not exist is
// null; a field once published is never renamed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "slipway/dag/dag.h"
#include "slipway/engine/engine.h"
#include "slipway/exec/attempt_folder.h"
#include "slipway/run/run.h"
#include "slipway/store/store.h"

namespace slipway::api {

[[nodiscard]] Value run_value(const store::RunSummary& run);
[[nodiscard]] Value task_value(const run::TaskInstance& instance);
[[nodiscard]] Value attempt_value(const run::Attempt& attempt);
// What an action did, or would do: [{run, task, map_index, state, action}].
[[nodiscard]] Value changes_value(const std::vector<engine::Change>& changes);
// {"run": …, "tasks": […]}; tasks in the order of the file where `dag` is known, else by name.
[[nodiscard]] Value run_body(const run::Run& run, const dag::Dag* dag);
// {"runs": […], "next": id or null}: `next` goes into ?before= for the next page.
[[nodiscard]] Value runs_body(const std::vector<store::RunSummary>& runs, int limit);
// {seq, at, event: {kind, …}}; `event` is as it is stored.
[[nodiscard]] Value event_value(const run::Event& event);
// {"events": [{seq, at, event: {kind, …}}], "next": seq}: `next` goes into ?after=; `event` is as it is stored.
[[nodiscard]] Value events_body(const std::vector<run::Event>& events, std::uint64_t after);
// {"lines": […], "next": offset, "over": …}.
[[nodiscard]] Value log_body(const exec::LogChunk& chunk, const AttemptId& attempt, bool over);

// What became of a backfill so far.
[[nodiscard]] Value backfill_value(const run::Backfill& backfill);
// {"backfills": […], "next": id or null}: `next` goes into ?before= for the next page.
[[nodiscard]] Value backfills_body(const std::vector<run::Backfill>& backfills, int limit);
// {"ticks": [{tick, action, run, state}]}: what a backfill would do.
[[nodiscard]] Value ticks_body(const std::vector<engine::TickChange>& ticks);

[[nodiscard]] Value dag_value(const store::DagRow& row);
// With description, owner, tags and `next`, when it runs by itself next, where `dag` is known.
[[nodiscard]] Value dag_line(const store::DagRow& row, const dag::Dag* dag, Instant now);
// With description, params, tasks and schedules where `dag` is known.
[[nodiscard]] Value dag_body(const store::DagRow& row, const dag::Dag* dag, Instant now);
// {dag, name, kind, expression, timezone, paused, next: […]}: the next `count` ticks, none while paused.
[[nodiscard]] Value schedule_value(const store::DagRow& row, const dag::Schedule& schedule, Instant now, int count);
[[nodiscard]] Value service_value(const store::Service& service);

// {"versions": [{id, dag, file, first_seen, current}]}
[[nodiscard]] Value versions_body(const std::vector<store::DagVersion>& versions, const store::DagRow& row);
// {added, removed: tasks; changed: [{field, before, after}]; text: a unified diff}
[[nodiscard]] Value difference_value(const SourceText& before, const SourceText& after);
// The same with the ids `from` and `to`.
[[nodiscard]] Value version_diff_body(const store::DagVersion& before, const store::DagVersion& after);
// {runs, seconds: pairs; differences: […]; tasks: [{task, map_index, seconds, differences}]}
[[nodiscard]] Value run_diff_body(const run::Run& before, const run::Run& after);

}  // namespace slipway::api
