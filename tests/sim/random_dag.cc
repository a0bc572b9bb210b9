#include "sim/random_dag.h"

#include <algorithm>
#include <set>

#include "slipway/dag/parse.h"

namespace slipway::sim {
namespace {

std::string seconds(std::uint64_t n) { return std::to_string(n) + "s"; }

dag::TriggerRule random_rule(Rng& rng) {
  if (rng.chance(0.5)) return dag::TriggerRule::AllSuccess;
  // The last row cannot be written.
  return dag::kTriggerRules.rows()[rng.below(dag::kTriggerRules.size() - 1)].value;
}

// A condition over what is upstream, a variable that the scenario sets, or the retries so far.
std::string random_when(Rng& rng, const SimDag& dag, const SimTask& task) {
  for (const std::string& need : task.needs)
    if (dag.tasks.at(need).has_output && !dag.tasks.at(need).mapped && rng.chance(0.7))
      return "${{ default(tasks." + need + ".outputs.n, 3) > " + std::to_string(rng.below(8)) + " }}";
  if (rng.chance(0.5)) return "${{ default(vars.GATE, 1) == 1 }}";
  return "${{ run.trigger != 'api' }}";
}

std::string retry_of(Rng& rng, SimTask& task) {
  task.retry_limit = static_cast<int>(rng.below(4));
  task.has_lost_after = rng.chance(0.5);
  std::string text = "retry: {limit: " + std::to_string(task.retry_limit) + ", delay: " + seconds(1 + rng.below(40));
  if (rng.chance(0.3)) text += ", timeouts: true";
  if (rng.chance(0.3)) text += ", infra_limit: " + std::to_string(rng.below(3));
  if (task.has_lost_after) text += ", lost_after: " + seconds(30 + rng.below(200));
  return text + "}";
}

// Often the default pool and one slot.
std::string pool_of(Rng& rng, const SimFrame& frame, SimTask& task) {
  if (rng.chance(0.6)) return {};
  if (!frame.pools.empty() && rng.chance(0.7)) task.pool = frame.pools[rng.below(frame.pools.size())];
  const int most = task.pool == "default" ? frame.slots_max : kPoolSlotsMax;
  task.slots = 1 + static_cast<int>(rng.below(static_cast<std::uint64_t>(most)));
  return ", pool: " + task.pool + ", slots: " + std::to_string(task.slots);
}

std::string fan_out_of(Rng& rng, SimTask& task) {
  task.mapped = true;
  task.stops = rng.chance(0.3);
  std::string text = rng.chance(0.3) ? ", for_each: \"${{ default(vars.LIST, [1, 2]) }}\"" : ", for_each: [";
  if (text.back() == '[') {
    for (std::uint64_t i = rng.below(6); i > 0; --i) text += std::to_string(i) + (i > 1 ? ", " : "");
    text += "]";
  }
  if (rng.chance(0.4)) task.max_parallel = 1 + static_cast<int>(rng.below(2));
  if (task.max_parallel > 0) text += ", max_parallel: " + std::to_string(task.max_parallel);
  return text + (task.stops ? ", on_failure: stop" : "");
}

std::string command_of(Rng& rng, const SimDag& dag, SimTask& task) {
  task.service = task.role == dag::TaskRole::Body && rng.chance(0.03);
  std::string text = task.service ? "service: {name: " + dag.id + "-" + task.id + ", run: [serve], port: 8000}"
                                  : std::string("run: 'true'");
  text += ", " + retry_of(rng, task);
  task.has_timeout = rng.chance(0.4);
  if (task.has_timeout) text += ", timeout: " + seconds(5 + rng.below(90));
  if (!task.service && rng.chance(0.2)) text += ", exit_codes: {skip: [99], fail: [2]}";
  if (!task.service) {
    task.has_output = rng.chance(0.4);
    if (task.has_output) text += ", outputs: {n: integer}";
    if (task.has_output && rng.chance(0.3)) text += ", check: {n: {min: 1}}";
    if (task.has_output && rng.chance(0.2)) text += ", set_vars: {LAST: \"${{ outputs.n }}\"}";
    if (rng.chance(0.1)) text += ", produces: \"s3://lake/x\"";
    if (rng.chance(0.1)) text += ", cache: {}";
  }
  if (!task.service && task.role == dag::TaskRole::Body && rng.chance(0.15)) text += fan_out_of(rng, task);
  for (const std::string& need : task.needs) {
    if (!dag.tasks.at(need).has_output || rng.chance(0.5)) continue;
    const std::string outputs = "tasks." + need + ".outputs";
    const std::string value = dag.tasks.at(need).mapped ? "len(" + outputs + ")" : "default(" + outputs + ".n, 0) + 1";
    return text + ", env: {N: \"${{ " + value + " }}\"" + (task.mapped ? ", I: \"${{ item }}\"" : "") + "}";
  }
  return text;
}

// Everything below `from`, by way of tasks that `enter` lets through.
template <class Enter>
std::set<std::string> below(const SimDag& dag, const std::string& from, Enter enter) {
  std::set<std::string> found;
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [id, task] : dag.tasks)
      for (const std::string& need : task.needs)
        if ((need == from || found.count(need) != 0) && enter(task) && found.insert(id).second) grown = true;
  }
  return found;
}

bool contains(const std::vector<std::string>& list, const std::string& id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

// What the sentences of docs/engine.md say of teardowns, read slowly: first what they wait for, then what they enclose.
void imply(SimDag& dag) {
  const auto any = [](const SimTask&) { return true; };
  std::set<std::string> alone;
  for (auto& [id, task] : dag.tasks) {
    if (task.needs.empty() && task.role == dag::TaskRole::Teardown) alone.insert(id);
    for (const std::string& setup : task.setups)
      if (!contains(task.needs, setup)) task.needs.push_back(setup);
  }
  const SimDag written = dag;
  for (const std::string& id : alone) {
    SimTask& task = dag.tasks.at(id);
    const auto after = below(written, id, any);
    for (const std::string& setup : task.setups) {
      for (const std::string& other : below(written, setup, [&](const SimTask& t) {
             return t.role != dag::TaskRole::Teardown && after.count(t.id) == 0;
           }))
        if (!contains(task.needs, other)) task.needs.push_back(other);
    }
  }
  for (const auto& [id, teardown] : dag.tasks)
    for (const std::string& setup : teardown.setups)
      for (const std::string& inside : below(dag, setup, any)) {
        SimTask& task = dag.tasks.at(inside);
        const bool before = below(dag, inside, any).count(id) != 0;
        if (before && task.role == dag::TaskRole::Body && !contains(task.needs, setup) &&
            !contains(task.enclosing, setup))
          task.enclosing.push_back(setup);
      }
}

std::string last_of(Rng& rng, SimDag& dag, dag::TaskRole role) {
  if (!rng.chance(0.25)) return {};
  SimTask task;
  task.id = dag::kTaskRoles.text(role);
  task.role = role;
  std::string text =
      task.id + ": {" + command_of(rng, dag, task) + ", env: {WHY: \"${{ join(run.failures, ' ') }}\"}}\n";
  dag.tasks[task.id] = task;
  return text;
}

std::string groups_of(Rng& rng, SimDag& dag) {
  std::string text;
  for (std::uint64_t n = rng.below(3); n > 0; --n) {
    SimGroup group;
    group.max_parallel = 1 + static_cast<int>(rng.below(3));
    std::string names;
    for (const auto& [id, task] : dag.tasks)
      if (task.id.front() == 't' && rng.chance(0.4)) group.tasks.push_back(id);
    if (group.tasks.empty()) continue;
    for (const std::string& id : group.tasks) names += (names.empty() ? "" : ", ") + id;
    text += "  g" + std::to_string(n) + ": {tasks: [" + names +
            "], max_parallel: " + std::to_string(group.max_parallel) + "}\n";
    dag.groups.push_back(std::move(group));
  }
  return text.empty() ? text : "groups:\n" + text;
}

// What waits holds no slot, is never launched, and ends by itself sooner or later.
std::string waiting_of(Rng& rng, const SimFrame& frame, SimTask& task) {
  const std::string limit = ", timeout: " + seconds(5 + rng.below(120));
  switch (rng.below(6)) {
    case 0: return "wait: {for: " + seconds(1 + rng.below(90)) + "}";
    case 1: return "wait: {until: \"${{ add_time(run.logical_date, '" + seconds(1 + rng.below(300)) + "') }}\"}";
    case 2: return "wait: {file: \"/there/" + std::to_string(rng.below(20)) + "\"}" + (rng.chance(0.5) ? limit : "");
    case 3: return "wait: {dataset: \"s3://lake/x\"}" + limit;
    case 4: return "approve: {message: go on}" + std::string(rng.chance(0.5) ? limit : "");
    default: break;
  }
  return "dag: " + frame.starts + (rng.chance(0.3) ? limit : "") + (rng.chance(0.3) ? fan_out_of(rng, task) : "");
}

SimDag any_dag(Rng& rng, const SimFrame& frame) {
  SimDag dag;
  dag.id = frame.id;
  dag.max_active_runs = frame.max_active_runs;
  dag.max_active_tasks = frame.max_active_tasks;
  dag.has_timeout = rng.chance(0.2);
  std::string& text = dag.text;
  text = "dag: " + dag.id + "\nmax_active_runs: " + std::to_string(dag.max_active_runs) + "\n" + frame.schedule;
  if (dag.max_active_tasks > 0) text += "max_active_tasks: " + std::to_string(dag.max_active_tasks) + "\n";
  if (dag.has_timeout) text += "timeout: " + seconds(60 + rng.below(600)) + "\n";
  if (rng.chance(0.2)) text += "run_result: leaves\n";
  if (rng.chance(0.4)) text += "priority_class: " + std::string(dag::kPriorityClasses.rows()[rng.below(3)].text) + "\n";
  if (rng.chance(0.4)) text += "weight: " + std::to_string(1 + rng.below(5)) + "\n";
  text += "tasks:\n";
  const std::uint64_t count = 3 + rng.below(28);
  const double density = 0.05 + 0.3 * rng.unit();
  for (std::uint64_t i = 0; i < count; ++i) {
    SimTask task;
    task.id = "t" + std::to_string(i);
    for (std::uint64_t j = i > 8 ? i - 8 : 0; j < i; ++j)
      if (rng.chance(density)) task.needs.push_back("t" + std::to_string(j));
    if (const std::string setup = i == 0 ? "" : "t" + std::to_string(rng.below(i));
        rng.chance(0.1) && !setup.empty() && dag.tasks.at(setup).role == dag::TaskRole::Body) {
      task.role = dag::TaskRole::Teardown;
      task.setups = {setup};
      if (rng.chance(0.6)) task.needs.clear();
    }
    const bool teardown = task.role == dag::TaskRole::Teardown;
    task.rule = teardown ? dag::TriggerRule::AllDoneSetupSuccess : task.rule;
    if (!task.needs.empty() && !teardown) task.rule = random_rule(rng);
    task.noop = !teardown && rng.chance(0.1);
    task.waits = !teardown && !task.noop && rng.chance(0.12);
    text += "  " + task.id + ": {";
    text += task.noop ? "noop: true" : task.waits ? waiting_of(rng, frame, task) : command_of(rng, dag, task);
    if (!task.noop && !task.service && !task.waits) text += pool_of(rng, frame, task);
    std::string needs;
    for (const std::string& need : task.needs) needs += (needs.empty() ? "" : ", ") + need;
    if (!needs.empty()) text += ", needs: [" + needs + "]";
    if (teardown)
      text += ", teardown_for: " + task.setups.front();
    else if (task.rule != dag::TriggerRule::AllSuccess)
      text += ", trigger_rule: " + std::string(dag::kTriggerRules.text(task.rule));
    task.has_when = rng.chance(0.15);
    if (task.has_when) text += ", when: \"" + random_when(rng, dag, task) + "\"";
    if (rng.chance(0.1)) text += ", continue_on_error: true";
    task.depends_on_past = rng.chance(0.05);
    if (task.depends_on_past) text += ", depends_on_past: true";
    if (rng.chance(0.2)) text += ", priority: " + std::to_string(rng.below(5));
    text += "}\n";
    dag.tasks[task.id] = task;
  }
  text += groups_of(rng, dag);
  imply(dag);
  for (const dag::TaskRole role : {dag::TaskRole::OnFailure, dag::TaskRole::OnSuccess}) text += last_of(rng, dag, role);
  return dag;
}

// Teardowns without needs wait for all that their setups lead to; drawn at random, two may wait for each other.
bool goes_in_circles(const SimDag& dag) {
  const auto diagnostics = dag::parse({"dag.yaml", dag.text}).diagnostics;
  return std::any_of(diagnostics.items().begin(), diagnostics.items().end(),
                     [](const Diagnostic& item) { return item.code == "cycle"; });
}

}  // namespace

SimDag random_dag(Rng& rng, const SimFrame& frame) {
  SimDag dag = any_dag(rng, frame);
  while (goes_in_circles(dag)) dag = any_dag(rng, frame);
  dag.every = frame.every;
  return dag;
}

}  // namespace slipway::sim
