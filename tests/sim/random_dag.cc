#include "sim/random_dag.h"

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
    if (dag.tasks.at(need).has_output && rng.chance(0.7))
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

std::string command_of(Rng& rng, const SimDag& dag, SimTask& task) {
  task.service = rng.chance(0.03);
  std::string text = task.service ? "service: {name: " + dag.id + "-" + task.id + ", run: [serve], port: 8000}"
                                  : std::string("run: 'true'");
  text += ", " + retry_of(rng, task);
  task.has_timeout = rng.chance(0.4);
  if (task.has_timeout) text += ", timeout: " + seconds(5 + rng.below(90));
  if (rng.chance(0.2)) text += ", exit_codes: {skip: [99], fail: [2]}";
  if (!task.service) {
    task.has_output = rng.chance(0.4);
    if (task.has_output) text += ", outputs: {n: integer}";
    if (task.has_output && rng.chance(0.3)) text += ", check: {n: {min: 1}}";
  }
  for (const std::string& need : task.needs) {
    if (!dag.tasks.at(need).has_output || rng.chance(0.5)) continue;
    return text + ", env: {N: \"${{ default(tasks." + need + ".outputs.n, 0) + 1 }}\"}";
  }
  return text;
}

}  // namespace

SimDag random_dag(Rng& rng, const SimFrame& frame) {
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
    if (!task.needs.empty()) task.rule = random_rule(rng);
    task.noop = rng.chance(0.1);
    text += "  " + task.id + ": {" + (task.noop ? "noop: true" : command_of(rng, dag, task));
    if (!task.noop && !task.service) text += pool_of(rng, frame, task);
    std::string needs;
    for (const std::string& need : task.needs) needs += (needs.empty() ? "" : ", ") + need;
    if (!needs.empty()) text += ", needs: [" + needs + "]";
    if (task.rule != dag::TriggerRule::AllSuccess)
      text += ", trigger_rule: " + std::string(dag::kTriggerRules.text(task.rule));
    task.has_when = rng.chance(0.15);
    if (task.has_when) text += ", when: \"" + random_when(rng, dag, task) + "\"";
    if (rng.chance(0.1)) text += ", continue_on_error: true";
    if (rng.chance(0.2)) text += ", priority: " + std::to_string(rng.below(5));
    text += "}\n";
    dag.tasks[task.id] = task;
  }
  return dag;
}

}  // namespace slipway::sim
