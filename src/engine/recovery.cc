// State at start, and what became of the attempts that were open: settled by looking, never by guessing.
#include <algorithm>

#include "engine/core.h"
#include "engine/render.h"
#include "slipway/base/failpoint.h"
#include "slipway/base/ulid.h"
#include "slipway/dag/parse.h"

namespace slipway::engine {

Result<void> Core::recover() {
  begin();
  SLIPWAY_TRY_ASSIGN(store::Recovered recovered, store_.recover(suspects_));
  if (recovered.vars.is_object()) snapshot_.vars = std::move(recovered.vars);
  snapshot_.datasets = std::move(recovered.datasets);
  for (store::Service& service : recovered.services) services_[service.name] = std::move(service);
  if (carrier_ != nullptr)
    for (run::Notice& notice : recovered.notices) carrier_->deliver(std::move(notice));
  for (const store::DagRow& row : recovered.dags) restore_dag(row, recovered.versions);
  for (const auto& [name, pool] : recovered.pools) run::set_pool(snapshot_, name, pool, now_);
  run::restore_shares(snapshot_, recovered.shares, now_);
  for (const store::BrokenRun& broken : recovered.broken) {
    quarantined_.insert(broken.id);
    log_.error("run is quarantined", {{"run", broken.id.str()}, {"error", broken.error.message}});
  }
  for (run::Backfill& backfill : recovered.backfills) {
    const std::string id = backfill.id;
    snapshot_.backfills[id].state = std::move(backfill);
  }
  for (run::Run& run : recovered.runs) restore_run(std::move(run), recovered.versions);
  for (auto& [id, run] : snapshot_.runs) {
    work_on_run(id);
    remember_past(run);
  }
  work_on({});
  SLIPWAY_TRY_ASSIGN(const auto reader, store_.read());
  store::RunFilter newest;
  newest.limit = 1;
  SLIPWAY_TRY_ASSIGN(const auto last, reader->list_runs(newest));
  if (!last.empty() && is_run_id(last.front().header.id.str())) last_run_id_ = last.front().header.id;
  log_.info("state recovered", {{"runs", std::to_string(snapshot_.runs.size())},
                                {"dags", std::to_string(snapshot_.dags.size())},
                                {"epoch", std::to_string(recovered.boot_epoch)}});
  follow_stored_clock(recovered.clock);
  reach(Failpoint::EngineAdopt);
  settle_open_attempts();
  resume_waits();
  work_on({});
  reach(Failpoint::EngineRecovered);
  return {};
}

void Core::restore_dag(const store::DagRow& row, const std::map<VersionId, store::DagVersion>& versions) {
  rows_[row.id] = row;
  const auto version = versions.find(row.version);
  if (version == versions.end()) return;
  const std::string file = suspect_file(row.file, row.version.str());
  for (const std::string& subject : {suspect_dag(row.id.str()), file})
    if (is_set_aside(subject)) return leave_dag(row.id, subject);
  work_on(file);
  auto parsed = dag::parse({version->second.file, version->second.text}, version->second.files);
  if (!parsed.value) {
    log_.error("DAG version cannot be read any more", {{"dag", row.id.str()}, {"version", row.version.str()}});
    return;
  }
  run::DagEntry& entry = snapshot_.dags[row.id];
  entry.dag = placed(*std::move(parsed.value));
  entry.version = row.version;
  entry.folder = folder_of(row.file);
  entry.paused = row.paused;
  entry.present = row.present;
  entry.cursors = row.cursors;
  entry.seen = row.seen;
  run::dag_changed(snapshot_, row.id, now_);
  versions_[row.version] = entry.dag;
}

// Its runs are left alone, too. The error is what makes the folder's next reading look at the file again.
void Core::leave_dag(const DagId& id, const std::string& subject) {
  log_.error("quarantined", {{"subject", subject}, {"error", set_aside_error().message}});
  rows_[id].error = set_aside_text(subject);
  save(rows_[id]);
}

void Core::restore_run(run::Run run, const std::map<VersionId, store::DagVersion>& versions) {
  const RunId id = run.header.id;
  work_on_run(id);
  std::shared_ptr<const dag::Dag> dag = versions_[run.header.version].lock();
  const auto version = versions.find(run.header.version);
  if (!dag && version != versions.end()) {
    auto parsed = dag::parse({version->second.file, version->second.text}, version->second.files);
    if (parsed.value) dag = placed(*std::move(parsed.value));
  }
  const auto entry = snapshot_.dags.find(run.header.dag);
  const bool complete =
      dag && entry != snapshot_.dags.end() && std::all_of(run.tasks.begin(), run.tasks.end(), [&](const auto& task) {
        return task.second.state == run::TaskState::Removed || dag->index.count(task.first.task) != 0;
      });
  if (!complete) {
    quarantined_.insert(id);
    log_.error("run is quarantined: its DAG version cannot be read", {{"run", id.str()}});
    return;
  }
  versions_[run.header.version] = dag;
  run::insert_run(snapshot_, run::activate(std::move(run), std::move(dag)), now_);
}

// An attempt of which only the intent is known is launched again, with what was recorded then: the executor knows
// whether it had it already. All others, and those whose secrets are gone, it is asked to look for.
void Core::settle_open_attempts() {
  std::vector<exec::OpenAttempt> adopted;
  std::vector<exec::LaunchSpec> launches;
  for (const auto& [run_id, run] : snapshot_.runs) {
    work_on_run(run_id);
    for (const AttemptId& id : run.open_attempts) {
      const run::Attempt& attempt = run.state.attempts.at(id);
      const dag::Task& task = *run.task(id.key.task);
      const std::string executor = executor_of(attempt.rendered);
      if (!executor_.has(executor)) {
        log_.error("an attempt is open on an executor that is not set up; nothing is known of it",
                   {{"attempt", id.str()}, {"executor", executor}});
        continue;
      }
      if (attempt.state == run::AttemptState::Intent && attempt.rendered.find("argv") != nullptr) {
        const RenderInput input{options_, snapshot_, run, task, id};
        auto secrets = executor.empty() ? render_secrets(input, secrets_) : Result<Secrets>(Secrets{});
        if (secrets) {
          launches.push_back(to_spec(input, attempt.rendered, *std::move(secrets)));
          continue;
        }
      }
      adopted.push_back({id, attempt.identity, attempt.stop_cause != run::FailureClass::None, task.grace,
                         task.kind == dag::TaskKind::Service, run::local_slots_of(task), run.dag->id, executor});
    }
  }
  if (!adopted.empty()) executor_.adopt(adopted);
  if (!launches.empty()) executor_.launch_all(std::move(launches));
}

}  // namespace slipway::engine
