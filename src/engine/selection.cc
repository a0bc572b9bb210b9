#include "engine/selection.h"

#include <algorithm>
#include <set>

namespace slipway::engine {
namespace {

using run::ActiveRun;
using run::TaskInstance;
using run::TaskState;

using Marks = std::vector<bool>;  // by index into dag->tasks

std::size_t at(int index) { return static_cast<std::size_t>(index); }

bool has_open_attempt(const ActiveRun& run, const TaskKey& key) {
  const run::Attempt* last = run.state.last_attempt(key);
  return last != nullptr && !run::is_terminal(last->state);
}

bool has_run(const ActiveRun& run, const TaskInstance& instance) {
  const run::Attempt* last = run.state.last_attempt(instance.key);
  return last != nullptr && last->generation == instance.generation;
}

// It has a state because of its upstream tasks only, which may be another one by now.
bool is_undecided(const ActiveRun& run, const TaskInstance& instance) {
  if (instance.marked || has_run(run, instance)) return false;
  return instance.state == TaskState::Scheduled || instance.state == TaskState::Waiting ||
         instance.state == TaskState::Skipped || ended_badly(instance.state);
}

template <class Visit>
void each_instance(const ActiveRun& run, int task, Visit visit) {
  const TaskId& id = run.dag->tasks[at(task)].id;
  for (auto it = run.state.tasks.lower_bound({id, TaskKey::kUnmapped});
       it != run.state.tasks.end() && it->first.task == id; ++it)
    visit(it->second);
}

void mark_downstream(const dag::Dag& dag, Marks& marks) {
  for (const int index : dag.order)
    if (marks[at(index)])
      for (const int below : dag.downstream_of(index)) marks[at(below)] = true;
}

void mark_upstream(const dag::Dag& dag, Marks& marks) {
  for (auto it = dag.order.rbegin(); it != dag.order.rend(); ++it)
    if (marks[at(*it)])
      for (const TaskId& need : dag.tasks[at(*it)].needs) marks[at(dag.index_of(need))] = true;
}

bool names(const std::vector<TaskKey>& keys, const TaskKey& key) {
  return std::any_of(keys.begin(), keys.end(), [&](const TaskKey& k) {
    return k.task == key.task && (k.map_index == TaskKey::kUnmapped || k.map_index == key.map_index);
  });
}

Change change_of(const ActiveRun& run, const TaskInstance& instance) {
  const Action action = has_open_attempt(run, instance.key) ? Action::Stop : Action::Reset;
  return {run.state.header.id, instance.key, instance.state, action};
}

bool is_open_for_change(const TaskInstance& instance) {
  return instance.state != TaskState::None && instance.state != TaskState::Removed && !instance.clearing;
}

// A mapped task that has expanded and has no attempt under way can be decided on anew, with a new list.
bool can_expand_anew(const ActiveRun& run, int task) {
  const TaskId& id = run.dag->tasks[at(task)].id;
  bool any = false;
  for (const auto& [key, instance] : run.state.mapped(id)) {
    if (has_open_attempt(run, key)) return false;
    any = any || instance.state != TaskState::Removed;
  }
  return any;
}

// The whole task: its placeholder where that can expand again, else each of its instances.
void add_whole(const ActiveRun& run, int task, std::vector<Change>& changes) {
  const TaskKey placeholder{run.dag->tasks[at(task)].id, TaskKey::kUnmapped};
  if (can_expand_anew(run, task))
    return changes.push_back({run.state.header.id, placeholder, TaskState::Removed, Action::Reset});
  each_instance(run, task, [&](const TaskInstance& instance) {
    if (is_open_for_change(instance)) changes.push_back(change_of(run, instance));
  });
}

bool has_begun(const ActiveRun& run, const TaskId& task) {
  const auto instance = run.state.tasks.find({task, TaskKey::kUnmapped});
  return instance != run.state.tasks.end() && instance->second.state != TaskState::None;
}

bool needs_any(const dag::Task& task, const std::vector<TaskId>& setups) {
  const auto in = [&](const std::vector<TaskId>& ids) {
    return std::any_of(ids.begin(), ids.end(),
                       [&](const TaskId& id) { return std::count(setups.begin(), setups.end(), id) != 0; });
  };
  return in(task.needs) || in(task.enclosing_setups);
}

// What a marked task needs was torn down: its setups and their teardown go along. So do the setups of a teardown that
// is `below` a marked task: it takes down only what was set up again.
void mark_setups(const ActiveRun& run, const Marks& below, Marks& marks) {
  const dag::Dag& dag = *run.dag;
  for (bool more = true; more;) {
    more = false;
    for (std::size_t t = 0; t < dag.tasks.size(); ++t) {
      const dag::Task& teardown = dag.tasks[t];
      if (teardown.role != dag::TaskRole::Teardown || !has_begun(run, teardown.id)) continue;
      const std::vector<TaskId>& setups = teardown.setups;
      bool wanted = below[t];
      for (std::size_t i = 0; i < dag.tasks.size() && !wanted; ++i)
        wanted = marks[i] && i != t &&
                 (needs_any(dag.tasks[i], setups) || std::count(setups.begin(), setups.end(), dag.tasks[i].id) != 0);
      if (!wanted) continue;
      const auto mark = [&](int index) {
        more = more || !marks[at(index)];
        marks[at(index)] = true;
      };
      mark(static_cast<int>(t));
      for (const TaskId& setup : teardown.setups) mark(dag.index_of(setup));
    }
  }
}

bool is_hook(const dag::Task& task) {
  return task.role == dag::TaskRole::OnFailure || task.role == dag::TaskRole::OnSuccess;
}

// Whether the run will fail or succeed is open again, so the tasks that wait for that are too.
void add_hooks(const ActiveRun& run, const std::set<TaskKey>& taken, std::vector<Change>& changes) {
  for (const dag::Task& task : run.dag->tasks) {
    if (!is_hook(task)) continue;
    const auto instance = run.state.tasks.find({task.id, TaskKey::kUnmapped});
    if (instance != run.state.tasks.end() && is_open_for_change(instance->second) && taken.count(instance->first) == 0)
      changes.push_back({run.state.header.id, instance->first, instance->second.state, Action::Decide});
  }
}

// Its instances, or the placeholder of those, if none of them has run.
void add_if_undecided(const ActiveRun& run, int task, const std::set<TaskKey>& taken, std::vector<Change>& changes) {
  const TaskId& id = run.dag->tasks[at(task)].id;
  bool all = true, any = false;
  each_instance(run, task, [&](const TaskInstance& instance) {
    if (instance.state == TaskState::Removed) return;
    any = true;
    all = all && taken.count(instance.key) == 0 && !instance.clearing && is_undecided(run, instance);
  });
  const TaskKey placeholder{id, TaskKey::kUnmapped};
  if (!any || !all || taken.count(placeholder) != 0) return;
  changes.push_back({run.state.header.id, placeholder, run.state.tasks.at(placeholder).state, Action::Decide});
}

void add_undecided(const ActiveRun& run, std::vector<Change>& changes) {
  std::vector<TaskKey> keys;
  for (const Change& change : changes) keys.push_back(change.key);
  std::vector<Change> more = undecided_below(run, keys);
  changes.insert(changes.end(), more.begin(), more.end());
}

}  // namespace

bool ended_badly(TaskState state) {
  return state == TaskState::Failed || state == TaskState::UpstreamFailed || state == TaskState::Cancelled;
}

Result<void> check_keys(const ActiveRun& run, const std::vector<TaskKey>& keys) {
  for (const TaskKey& key : keys) {
    if (run.state.tasks.count(key) != 0 || (key.map_index == TaskKey::kUnmapped && run.task(key.task) != nullptr))
      continue;
    std::vector<std::string> known;
    for (const auto& [other, instance] : run.state.tasks) known.push_back(other.str());
    const auto near = nearest(key.str(), known);
    return Error{ErrorCode::NotFound, "run " + run.state.header.id.str() + " has no task `" + key.str() + "`",
                 near ? "did you mean `" + *near + "`?" : ""};
  }
  return {};
}

std::vector<Change> select(const ActiveRun& run, const ClearRun& command) {
  const dag::Dag& dag = *run.dag;
  Marks named(dag.tasks.size(), false);
  for (const TaskKey& key : command.tasks)
    if (const int index = dag.index_of(key.task); index >= 0) named[at(index)] = true;
  Marks above = named, below = named;
  if (command.upstream) mark_upstream(dag, above);
  if (command.downstream) mark_downstream(dag, below);
  Marks all(dag.tasks.size(), command.tasks.empty());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = all[i] || above[i] || below[i];
  for (std::size_t i = 0; i < all.size(); ++i) below[i] = below[i] && !named[i];
  if (!command.failed_only) mark_setups(run, below, all);
  std::vector<Change> changes;
  for (const int index : dag.order) {
    if (!all[at(index)]) continue;
    const bool whole = !named[at(index)] || names(command.tasks, {dag.tasks[at(index)].id, TaskKey::kUnmapped});
    if (whole && !command.failed_only) {
      add_whole(run, index, changes);
      continue;
    }
    each_instance(run, index, [&](const TaskInstance& instance) {
      if (!is_open_for_change(instance) || (!whole && !names(command.tasks, instance.key))) return;
      if (!command.failed_only || ended_badly(instance.state)) changes.push_back(change_of(run, instance));
    });
  }
  if (!changes.empty()) add_undecided(run, changes);
  return changes;
}

std::vector<Change> select_failed(const ActiveRun& run, const std::vector<TaskKey>& keys) {
  const dag::Dag& dag = *run.dag;
  const auto is_meant = [&](const TaskInstance& instance) {
    return ended_badly(instance.state) && (keys.empty() || names(keys, instance.key));
  };
  Marks failed(dag.tasks.size(), false), below(dag.tasks.size(), false);
  for (const auto& [key, instance] : run.state.tasks)
    if (is_meant(instance)) failed[at(dag.index.at(key.task))] = true;
  for (const int index : dag.order)
    if (failed[at(index)] || below[at(index)])
      for (const int under : dag.downstream_of(index)) below[at(under)] = true;
  Marks all = failed;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = all[i] || below[i];
  mark_setups(run, below, all);
  std::vector<Change> changes;
  for (const int index : dag.order) {
    if (!all[at(index)]) continue;
    const bool whole = below[at(index)] || !failed[at(index)];
    if (whole && can_expand_anew(run, index)) {
      add_whole(run, index, changes);
      continue;
    }
    each_instance(run, index, [&](const TaskInstance& instance) {
      if (run::is_terminal(instance.state) && is_open_for_change(instance) && (whole || is_meant(instance)))
        changes.push_back(change_of(run, instance));
    });
  }
  if (!changes.empty()) add_undecided(run, changes);
  return changes;
}

std::vector<Change> undecided_below(const ActiveRun& run, const std::vector<TaskKey>& keys) {
  const std::set<TaskKey> taken(keys.begin(), keys.end());
  Marks marks(run.dag->tasks.size(), false);
  for (const TaskKey& key : keys)
    if (const int index = run.dag->index_of(key.task); index >= 0)
      for (const int below : run.dag->downstream_of(index)) marks[at(below)] = true;
  std::vector<Change> changes;
  for (const int index : run.dag->order) {
    if (!marks[at(index)]) continue;
    const std::size_t before = changes.size();
    add_if_undecided(run, index, taken, changes);
    if (changes.size() == before) continue;
    for (const int below : run.dag->downstream_of(index)) marks[at(below)] = true;
  }
  add_hooks(run, taken, changes);
  return changes;
}

std::vector<Change> undecided(const ActiveRun& run) {
  std::vector<Change> changes;
  for (const int index : run.dag->order)
    if (!is_hook(run.dag->tasks[at(index)])) add_if_undecided(run, index, {}, changes);
  add_hooks(run, {}, changes);
  return changes;
}

}  // namespace slipway::engine
