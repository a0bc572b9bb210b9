#include "slipway/engine/prune.h"

#include <filesystem>
#include <system_error>

#include "slipway/dag/parse.h"
#include "slipway/exec/attempt_folder.h"

namespace slipway::engine {
namespace {

store::PruneRule rule_of(const DagId& dag, const Retention& retention, Instant now) {
  store::PruneRule rule{dag, {}, {}};
  if (retention.runs > 0) rule.keep = retention.runs;
  if (retention.age > Duration(0)) rule.ended_before = now - retention.age;
  return rule;
}

// What the DAG's newest version says, over what the server's config says. Most say nothing and are not parsed for it.
Result<Retention> retention_of(store::Reader& reader, const store::DagRow& row, Retention server) {
  if (row.version.empty()) return server;
  SLIPWAY_TRY_ASSIGN(const store::DagVersion version, reader.get_version(row.version));
  if (version.text.find("retention") == std::string::npos) return server;
  const auto parsed = dag::parse({version.file, version.text}, version.files);
  if (!parsed.value) return server;
  const Retention& own = parsed.value->retention;
  return Retention{own.runs > 0 ? own.runs : server.runs, own.age > Duration(0) ? own.age : server.age};
}

Result<std::vector<store::PruneRule>> rules_of(const PrunePlace& place, const PruneWish& wish) {
  SLIPWAY_TRY_ASSIGN(const auto reader, place.store.read());
  SLIPWAY_TRY_ASSIGN(const auto rows, reader->list_dags());
  std::vector<store::PruneRule> rules;
  bool found = false;
  for (const store::DagRow& row : rows) {
    if (wish.dag && row.id != *wish.dag) continue;
    found = true;
    store::PruneRule rule{row.id, {}, wish.keep};
    if (wish.older_than) rule.ended_before = place.now - *wish.older_than;
    if (!wish.keep && !wish.older_than) {
      SLIPWAY_TRY_ASSIGN(const Retention retention, retention_of(*reader, row, place.retention));
      rule = rule_of(row.id, retention, place.now);
    }
    if (rule.keep || rule.ended_before) rules.push_back(std::move(rule));
  }
  if (wish.dag && !found) return Error{ErrorCode::NotFound, "there is no DAG `" + wish.dag->str() + "`", {}};
  return rules;
}

// One more than the limit, so that the caller knows whether there are more.
Result<std::vector<RunId>> find_runs(const store::Store& store, const std::vector<store::PruneRule>& rules, int limit) {
  std::vector<RunId> runs;
  for (const store::PruneRule& rule : rules) {
    SLIPWAY_TRY_ASSIGN(const auto reader, store.read());
    SLIPWAY_TRY_ASSIGN(const auto found, reader->prunable(rule, limit + 1 - static_cast<int>(runs.size())));
    runs.insert(runs.end(), found.begin(), found.end());
    if (static_cast<int>(runs.size()) > limit) break;
  }
  return runs;
}

Result<void> remove_files(const std::string& home, const RunId& run) {
  for (const auto& folder : exec::folders_of(home, run)) {
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    if (error) return errno_error("cannot remove " + folder.string(), error.value());
  }
  return {};
}

// Files before rows: while the run is named as condemned, what is left of it can be found.
Result<std::vector<RunId>> erase_condemned(const PrunePlace& place, const PruneSteps& steps) {
  SLIPWAY_TRY_ASSIGN(const auto reader, place.store.read());
  SLIPWAY_TRY_ASSIGN(auto condemned, reader->condemned());
  for (const RunId& run : condemned) {
    SLIPWAY_TRY(remove_files(place.home, run));
    for (bool more = true; more;) {
      SLIPWAY_TRY_ASSIGN(more, steps.erase(run));
    }
  }
  return condemned;
}

}  // namespace

Result<Pruned> prune(const PrunePlace& place, const PruneWish& wish, int limit, const PruneSteps& steps) {
  SLIPWAY_TRY_ASSIGN(const auto rules, rules_of(place, wish));
  SLIPWAY_TRY_ASSIGN(auto runs, find_runs(place.store, rules, limit));
  const bool more = static_cast<int>(runs.size()) > limit;
  if (more) runs.resize(static_cast<std::size_t>(limit));
  if (wish.dry_run) return Pruned{std::move(runs), more};
  if (!runs.empty()) SLIPWAY_TRY(steps.condemn(runs));
  SLIPWAY_TRY_ASSIGN(runs, erase_condemned(place, steps));
  const bool again = more && !runs.empty();
  return Pruned{std::move(runs), again};
}

}  // namespace slipway::engine
