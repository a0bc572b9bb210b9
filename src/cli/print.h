// One way to show an API body in every output format.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/session.h"
#include "cli/table.h"

namespace slipway::cli {

// Prints `body` as session.format() asks. `list` names the member that holds the items ("runs"), empty for a single
// object; `name` is the member of an item that `-o name` prints; `table` fills the table for people.
struct Shape {
  std::string list;
  std::string name;
  std::function<Table(const Value& body, bool wide)> table;
};
void print_body(Session& session, const Value& body, const Shape& shape);

// The end of a change that shows nothing for people: `said` as talk, or for programs the body, if the API gave one.
// The exit code; `name` is the member that `-o name` prints.
int print_done(Session& session, const Result<Value>& reply, const std::string& said, const std::string& name = "name");

// A file that was written: its path, or {"file": path}.
void print_file(Session& session, const std::string& file);

// The items of the member `name`; none if there is no such list. Lives as long as `body`.
[[nodiscard]] const Value::Array& list_of(const Value& body, std::string_view name);

// "2026-11-21 02:11:16" in UTC, from RFC 3339; "" for null.
[[nodiscard]] std::string short_time(const Value* instant);
// "1m12s", "4.2s" between two instants of a body; the second null = up to `now`; "" without a start.
[[nodiscard]] std::string elapsed(const Value* from, const Value* to, Instant now);
// Seconds as people read them: "4.2s", "1m12s", "2h03m".
[[nodiscard]] std::string short_duration(double seconds);
// Like plain(), with four significant digits of a decimal number: for tables, not for programs.
[[nodiscard]] std::string rounded(const Value& value);
// A scalar without quotes, anything else as JSON, null as "".
[[nodiscard]] std::string plain(const Value* value);
// YAML that reads back as the same value.
[[nodiscard]] std::string to_yaml(const Value& value);
// A difference of two DAG versions: added and removed tasks, changed fields, then the lines.
void print_difference(Session& session, const Value& difference);

}  // namespace slipway::cli
