// Versions of a DAG's file, and what changed between them.
#include <algorithm>

#include "api/bodies.h"
#include "api/handlers.h"
#include "slipway/base/sha256.h"
#include "slipway/dag/parse.h"

namespace slipway::api {
namespace {

constexpr int kVersionsMax = 1'000;

// A full id, a unique prefix of one, or "current".
Result<store::DagVersion> find_version(const std::vector<store::DagVersion>& versions, const store::DagRow& row,
                                       const std::string& text) {
  const std::string wanted = text == "current" ? row.version.str() : text;
  std::vector<const store::DagVersion*> found;
  for (const auto& version : versions)
    if (version.id.str().rfind(wanted, 0) == 0) found.push_back(&version);
  if (found.size() == 1) return *found.front();
  return Error{found.empty() ? ErrorCode::NotFound : ErrorCode::Conflict,
               "DAG `" + row.id.str() + "` has " + (found.empty() ? "no version " : "several versions ") + text,
               "slipway dag versions " + row.id.str()};
}

std::string rendered(const Diagnostics& diagnostics, const SourceText& source) {
  std::string text;
  for (const Diagnostic& item : diagnostics.items())
    if (item.severity == Severity::Error) text += (text.empty() ? "" : "\n") + render(item, source);
  return text;
}

// Every schedule of the new version and the ones that would be gone, each with what becomes of it.
Value planned_schedules(const store::DagRow& row, const dag::Dag* before, const dag::Dag& after, Instant now) {
  constexpr int kTicks = 3;
  Value::Array list;
  const auto add = [&](const dag::Schedule& schedule, const char* change, int ticks) {
    Value value = schedule_value(row, schedule, now, ticks);
    value["change"] = change;
    list.push_back(std::move(value));
  };
  const auto find = [](const dag::Dag* dag, const std::string& name) -> const dag::Schedule* {
    if (dag == nullptr) return nullptr;
    const auto found = std::find_if(dag->schedules.begin(), dag->schedules.end(),
                                    [&](const dag::Schedule& schedule) { return schedule.name == name; });
    return found == dag->schedules.end() ? nullptr : &*found;
  };
  const auto rule = [&](const dag::Schedule& schedule) {
    Value value = schedule_value(row, schedule, now, 0);
    return value;
  };
  for (const dag::Schedule& schedule : after.schedules) {
    const dag::Schedule* old = find(before, schedule.name);
    add(schedule, old == nullptr ? "new" : rule(*old) == rule(schedule) ? "kept" : "changed", kTicks);
  }
  if (before != nullptr)
    for (const dag::Schedule& schedule : before->schedules)
      if (find(&after, schedule.name) == nullptr) add(schedule, "gone", 0);
  return list;
}

// Whoever sends a text alone means to compare tasks and schedules: then what it takes in plays no part.
Result<dag::Companions> files_of(const Value& body, const SourceText& source) {
  dag::Companions files;
  const Value* const given = body.find("files");
  for (const std::string& name : dag::companion_names(source))
    if (given == nullptr || !given->is_object()) files.emplace(name, "{}");
  if (given == nullptr || !given->is_object()) return files;
  for (const auto& [name, text] : given->as_object()) {
    if (!text.is_string()) return Error{ErrorCode::InvalidArgument, "`files." + name + "` is no text", {}};
    files.emplace(name, text.as_string());
  }
  return files;
}

}  // namespace

// What activating a file would change. Nothing is stored.
Result<http::Response> plan_dag(const Call& call) {
  const SourceText source{call.body.get_string("file", "plan.yaml"), call.body.get_string("text")};
  SLIPWAY_TRY_ASSIGN(const dag::Companions beside, files_of(call.body, source));
  const auto parsed = dag::parse(source, beside);
  if (!parsed.value) return Error{ErrorCode::InvalidArgument, rendered(parsed.diagnostics, source), {}};
  const dag::Dag& after = *parsed.value;
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto rows, reader->list_dags());
  const auto known = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.id == after.id; });
  store::DagRow row{.id = after.id, .paused = after.paused_on_create, .file = source.name};
  std::shared_ptr<const dag::Dag> before;
  SourceText old{"nothing", ""};
  if (known != rows.end() && !known->version.empty()) {
    row = *known;
    before = call.dags.get(*reader, row.version);
    SLIPWAY_TRY_ASSIGN(const auto version, reader->get_version(row.version));
    old = {version.file + "@" + version.id.str().substr(0, 12), version.text};
  }
  Value body = difference_value(old, source);
  const bool same = row.version == dag::version_of(source, beside) && row.present;
  body["dag"] = after.id.str();
  body["change"] = before == nullptr ? "create" : same ? "none" : "update";
  body["schedules"] = planned_schedules(row, before.get(), after, call.backend.clock.now());
  return reply(body);
}

Result<http::Response> list_versions(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto row, find_dag(call, *reader));
  SLIPWAY_TRY_ASSIGN(const auto versions, reader->list_versions(row.id, kVersionsMax));
  return reply(versions_body(versions, row));
}

// Without names: the current version against the one before it.
Result<http::Response> diff_versions(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto row, find_dag(call, *reader));
  SLIPWAY_TRY_ASSIGN(const auto versions, reader->list_versions(row.id, kVersionsMax));
  std::string from = call.query("from"), to = call.query("to");
  if (to.empty()) to = "current";
  SLIPWAY_TRY_ASSIGN(const auto after, find_version(versions, row, to));
  if (from.empty()) {
    for (std::size_t i = 0; i + 1 < versions.size(); ++i)
      if (versions[i].id == after.id) from = versions[i + 1].id.str();
    if (from.empty())
      return Error{ErrorCode::NotFound, "version " + after.id.str().substr(0, 12) + " is the first of the DAG", {}};
  }
  SLIPWAY_TRY_ASSIGN(const auto before, find_version(versions, row, from));
  return reply(version_diff_body(before, after));
}

}  // namespace slipway::api
