// What one decision of the planner costs:  bench_sched
// Prints a JSON object a line: microseconds of CPU per event (a report folded, decided on, and its plan folded), with
// nothing committed and nothing run. docs/benchmarks.md says what the rows mean.
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <string>

#include "slipway/sched/planner.h"

namespace slipway::sched {
namespace {

constexpr Instant kStart{std::chrono::seconds(1'700'000'000)};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

dag::Dag make_dag(const std::string& id, int tasks) {
  dag::Dag dag;
  dag.id = DagId(id);
  for (int i = 0; i < tasks; ++i) {
    dag::Task task;
    task.id = TaskId("t" + std::to_string(i));
    task.kind = dag::TaskKind::Run;
    dag.index[task.id] = i;
    dag.order.push_back(i);
    dag.tasks.push_back(std::move(task));
  }
  dag.downstream.resize(dag.tasks.size());
  dag.enclosed.resize(dag.tasks.size());
  return dag;
}

// The engine's loop without engine: what is launched is remembered, so that it can end.
class Loop {
 public:
  explicit Loop(int slots) { snapshot.slots_total = slots; }

  void add(dag::Dag dag) {
    const DagId id = dag.id;
    run::DagEntry& entry = snapshot.dags[id];
    entry.dag = std::make_shared<const dag::Dag>(std::move(dag));
    for (const auto& schedule : entry.dag->schedules) entry.cursors.try_emplace(schedule.name, now);
    run::dag_changed(snapshot, id, now);
  }
  void create(const DagId& dag) {
    run::RunCreated created;
    created.header.id = RunId(fmt::format("r{:08}", runs++));
    created.header.dag = dag;
    created.header.params = Value::Object{};
    for (const auto& task : snapshot.dags.at(dag).dag->tasks) created.tasks.push_back({task.id, TaskKey::kUnmapped});
    const RunId id = created.header.id;
    emit(id, std::move(created));
  }
  void emit(const RunId& id, run::EventBody body) {
    const auto run = snapshot.runs.find(id);
    const std::uint64_t seq = run == snapshot.runs.end() ? 0 : run->second.state.last_seq;
    run::fold(snapshot, {id, seq + 1, now, std::move(body)});
  }
  void settle() {
    for (Plan plan = decide(snapshot, now); !plan.empty(); plan = decide(snapshot, now)) {
      run::clear_touched(snapshot);
      for (const auto& tick : plan.runs) create(tick.dag);
      for (const auto& move : plan.cursors) {
        snapshot.dags.at(move.dag).cursors[move.schedule] = move.to;
        run::dag_changed(snapshot, move.dag, now);
      }
      for (const auto& move : plan.run_moves) emit(move.run, run::RunMoved{move.to, move.failures, move.cause});
      for (const auto& move : plan.moves) emit(move.run, run::TaskMoved{move.key, move.to, move.reason, move.failure});
      for (const auto& launch : plan.launches) {
        open.push_back({launch.run, launch.key, snapshot.runs.at(launch.run).state.tasks.at(launch.key).attempts + 1});
        emit(launch.run, run::AttemptOpened{open.back(), "none", {}});
      }
    }
  }
  // The oldest open attempt succeeds.
  void end_one() {
    const AttemptId id = open[ended++];
    now += std::chrono::milliseconds(10);
    emit(id.run, run::AttemptStarted{id, run::AttemptState::Running, "1"});
    emit(id.run, run::AttemptEnded{.id = id, .to = run::AttemptState::Succeeded, .task_to = run::TaskState::Success});
    settle();
  }
  void report(const char* name, int events, double seconds) const {
    fmt::print("{{\"bench\": \"{}\", \"events\": {}, \"us_per_event\": {:.1f}, \"ms\": {:.1f}}}\n", name, events,
               seconds / events * 1e6, seconds * 1e3);
  }
  void end_many(const char* name, int events) {
    const double before = cpu_seconds();
    for (int i = 0; i < events; ++i) end_one();
    report(name, events, cpu_seconds() - before);
  }

  run::Snapshot snapshot;
  Instant now = kStart;
  std::vector<AttemptId> open;
  std::size_t ended = 0;
  int runs = 0;
};

void one_tick() {
  constexpr int kDags = 1'000;
  Loop loop(8);
  for (int i = 0; i < kDags; ++i) {
    dag::Dag dag = make_dag("d" + std::to_string(i), 3);
    dag::Schedule schedule;
    schedule.name = "s";
    schedule.kind = dag::ScheduleKind::Every;
    schedule.every = std::chrono::hours(1);
    dag.schedules = {schedule};
    loop.add(std::move(dag));
  }
  loop.now += std::chrono::hours(1);
  const double before = cpu_seconds();
  loop.settle();
  loop.report("sched.tick_1000_dags", kDags, cpu_seconds() - before);
  loop.end_many("sched.event_1000_dags_waiting", 2'000);
}

void many_runs() {
  Loop loop(2'000);
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = "d" + std::to_string(i);
    loop.add(make_dag(id, 10));
    loop.create(DagId(id));
  }
  loop.settle();
  loop.end_many("sched.event_1000_active_runs", 5'000);
}

void many_ready() {
  Loop loop(4);
  loop.add(make_dag("big", 10'000));
  loop.create(DagId("big"));
  const double before = cpu_seconds();
  loop.settle();
  loop.report("sched.start_10000_ready", 10'000, cpu_seconds() - before);
  loop.end_many("sched.event_10000_ready", 2'000);
  const std::size_t at = loop.open.size();
  loop.add(make_dag("small", 5));
  loop.create(DagId("small"));
  loop.settle();
  std::size_t of_small = 0;
  while (of_small < 5) {
    loop.end_one();
    of_small = 0;
    for (std::size_t i = at; i < loop.open.size(); ++i) of_small += loop.open[i].run.str() == "r00000001" ? 1 : 0;
  }
  fmt::print("{{\"bench\": \"sched.small_beside_10000\", \"launches_of_big_meanwhile\": {}}}\n",
             loop.open.size() - at - of_small);
}

}  // namespace
}  // namespace slipway::sched

int main() {
  slipway::sched::one_tick();
  slipway::sched::many_runs();
  slipway::sched::many_ready();
}
