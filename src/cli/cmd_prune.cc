// db prune: removes runs that are over, through the daemon while one runs.
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/config.h"
#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/process.h"
#include "cli/retention.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/engine/prune.h"
#include "slipway/store/home.h"
#include "slipway/store/sqlite_store.h"

namespace slipway::cli {
namespace {

struct PruneOptions {
  std::string dag, older_than;
  int keep = -1;
  bool dry_run = false;
};

Result<engine::PruneWish> wish_from(const PruneOptions& options) {
  engine::PruneWish wish;
  if (!options.dag.empty()) wish.dag = DagId(options.dag);
  if (!options.older_than.empty()) {
    SLIPWAY_TRY_ASSIGN(wish.older_than, parse_duration(options.older_than));
  }
  if (options.keep >= 0) wish.keep = options.keep;
  wish.dry_run = options.dry_run;
  return wish;
}

Value request_from(const PruneOptions& options) {
  Value body{Value::Object{{"dry_run", options.dry_run}}};
  if (!options.dag.empty()) body["dag"] = options.dag;
  if (!options.older_than.empty()) body["older_than"] = options.older_than;
  if (options.keep >= 0) body["keep"] = options.keep;
  return body;
}

// The daemon removes some runs a request.
Result<std::vector<std::string>> prune_through_daemon(Session& session, const PruneOptions& options) {
  std::vector<std::string> runs;
  for (bool more = true; more;) {
    SLIPWAY_TRY_ASSIGN(const auto reply, session.call("POST", "/db/prune", request_from(options)));
    for (const Value& run : reply.find("runs")->as_array()) runs.push_back(run.as_string());
    more = reply.find("more")->as_bool() && !options.dry_run;
  }
  return runs;
}

Result<std::vector<std::string>> prune_here(const Session& session, const PruneOptions& options) {
  constexpr int kRuns = 1'000;
  SLIPWAY_TRY_ASSIGN(const auto wish, wish_from(options));
  SLIPWAY_TRY_ASSIGN(const auto config, Config::load(session.env));
  SLIPWAY_TRY_ASSIGN(const auto retention, retention_from(config));
  SLIPWAY_TRY_ASSIGN(const auto lock, store::HomeLock::acquire(session.home()));
  SLIPWAY_TRY_ASSIGN(const auto store, store::open_sqlite(session.home() + "/slipway.db"));
  const engine::PruneSteps steps{[&](const std::vector<RunId>& runs) { return store->condemn(runs); },
                                 [&](const RunId& run) { return store->erase(run); }};
  std::vector<std::string> runs;
  for (bool more = true; more;) {
    const engine::PrunePlace place{*store, session.home(), retention, SystemClock().now()};
    SLIPWAY_TRY_ASSIGN(const auto pruned, engine::prune(place, wish, kRuns, steps));
    for (const RunId& run : pruned.runs) runs.push_back(run.str());
    more = pruned.more && !wish.dry_run;
  }
  return runs;
}

int prune(Session& session, const PruneOptions& options) {
  const auto runs =
      running_daemon(session.home()) ? prune_through_daemon(session, options) : prune_here(session, options);
  if (!runs) return session.fail(runs.error());
  Value::Array list;
  for (const std::string& run : *runs) list.push_back(Value::Object{{"id", run}});
  const std::size_t count = list.size();
  print_body(session, Value::Object{{"runs", std::move(list)}},
             {"runs", "id", [](const Value& value, bool) {
                Table table({"RUN"});
                for (const Value& item : value.find("runs")->as_array()) table.add({item.get_string("id")});
                return table;
              }});
  if (!session.globals.quiet)
    session.err << count << (count == 1 ? " run" : " runs") << (options.dry_run ? " would be removed\n" : " removed\n");
  return kOk;
}

}  // namespace

Handler setup_db_prune(CLI::App& app) {
  auto options = std::make_shared<PruneOptions>();
  app.add_option("--dag", options->dag, "only runs of this DAG");
  app.add_option("--older-than", options->older_than,
                 "those that ended longer ago, as in 30d, whatever the retention says");
  app.add_option("--keep", options->keep, "all but so many of each DAG, whatever the retention says")
      ->check(CLI::Range(0, 1'000'000));
  app.add_flag("--dry-run", options->dry_run, "only show what would go, at most 1000");
  return [options](Session& session) { return prune(session, *options); };
}

}  // namespace slipway::cli
