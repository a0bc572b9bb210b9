// YAML text -> Dag, with every problem found, each at its place. Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/dag/dag.h"

namespace slipway::dag {

// Parses, applies defaults, validates. A Dag comes back unless a diagnostic is an error; warnings come beside it.
// `beside` holds the files that companion_names() names.
[[nodiscard]] ParseResult<Dag> parse(const SourceText& source, const Companions& beside = {});

// The files that a DAG takes in (params_from, manifests), relative to its own; empty if the text cannot be read or
// names none. A name that leads out of the DAG's folder is left out.
[[nodiscard]] std::vector<std::string> companion_names(const SourceText& source);

// The version of a DAG: the hash of its text, and of what it takes in.
[[nodiscard]] VersionId version_of(const SourceText& source, const Companions& beside);

// True for a file that is a Kubernetes manifest (top-level apiVersion and kind), which a DAG folder may hold beside
// DAGs.
[[nodiscard]] bool is_manifest(const SourceText& source);

// What `run.NAME` may name; every one is text, or null where it does not apply. Instants are RFC 3339 in the schedule's
// zone; `ds` is the logical date's day (2024-11-01), `ts` its instant. on_failure and on_success also know `result`
// (success or failed) and `failures`, a list of texts.
inline constexpr std::array<std::string_view, 11> kRunNames{
    "id",           "trigger", "schedule", "logical_date", "scheduled_at", "interval_start",
    "interval_end", "ds",      "ts",       "ds_nodash",    "ts_nodash"};

// Defaults, types and limits of `params` applied to what a caller gave (an object). Every problem at once;
// the value is the complete object of parameters.
[[nodiscard]] ParseResult<Value> resolve_params(const Dag& dag, const Value& given);
// The same for one "key=value" from a command line: the text is read by the parameter's type.
[[nodiscard]] Result<Value> parse_param(const Dag& dag, const std::string& name, const std::string& text);

// JSON Schema (draft-07) of the language, made from the field table.
[[nodiscard]] Value json_schema();

struct FieldDoc {
  std::string path;  // "tasks.*.retry.limit"
  std::string type;
  std::string default_text;
  std::string applies_to;
  std::string status;  // "supported", or "kubernetes" (the local executor does not use it)
  std::string doc;
};
// Rows of the field table at or below `path` ("tasks.*.retry", empty = all), in table order.
[[nodiscard]] std::vector<FieldDoc> explain(const std::string& path);

// The same rows as the table of docs/dag-format.md.
[[nodiscard]] std::string explain_markdown();

// The DAG drawn in text, one task a line with its upstream, in topological layers.
[[nodiscard]] std::string draw_ascii(const Dag& dag);
// Graphviz source.
[[nodiscard]] std::string draw_dot(const Dag& dag);

}  // namespace slipway::dag
