// What a success brings beside its outputs: variables, datasets, results to be taken over later.
#include <algorithm>

#include "engine/core.h"
#include "engine/render.h"

namespace slipway::engine {
namespace {

using run::FailureClass;
using run::TaskState;

// "env.LR, key": the parts that are not alike.
std::string difference(const Value& before, const Value& now) {
  std::string names;
  const auto note = [&](const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
  for (const auto& [name, hash] : now.as_object())
    if (const Value* other = before.find(name); other == nullptr || !(*other == hash)) note(name);
  for (const auto& [name, hash] : before.as_object())
    if (now.find(name) == nullptr) note(name);
  return names;
}

}  // namespace

// Ends the instance with the outputs of an earlier success, if there is one of the same key; otherwise notes in `shown`
// why not. Whoever opens another generation wants the work done again.
bool Core::take_cached(const RenderInput& input, Value& shown) {
  const Value* cache = shown.find("cache");
  const std::string key = cache == nullptr ? std::string() : cache->get_string("key");
  if (key.empty()) return false;
  const auto miss = [&](std::string why) {
    shown["cache"]["missed"] = std::move(why);
    return false;
  };
  const run::TaskInstance& instance = input.run.state.tasks.at(input.id.key);
  if (instance.generation > 1) return miss("the task was asked to run again");
  const auto found = store_.find_cached(key, input.run.dag->id, input.id.key);
  if (!found) return miss("the earlier results cannot be read: " + found.error().message);
  if (!*found) return miss("the task has not succeeded with `cache` before");
  const store::CacheEntry& entry = **found;
  if (entry.key != key)
    return miss("differs from " + entry.attempt.str() + " in " + difference(entry.parts, *cache->find("parts")));
  sched::Observation seen;
  seen.at = now_;
  seen.exit_code = 0;
  seen.outputs = entry.outputs;
  run::Attempt stand_in;
  stand_in.id = input.id;
  if (sched::judge(input.task, instance, stand_in, seen, run::RunState::Running, now_).task_to != TaskState::Success)
    return miss("the outputs of " + entry.attempt.str() + " do not pass the checks of now");
  auto vars = render_vars(input, entry.outputs, shown);
  if (!vars) return miss(vars.error().message);
  emit(input.id.run, run::TaskMoved{input.id.key, TaskState::Success,
                                    "cached: the same as " + entry.attempt.str() + " at " + to_rfc3339(entry.at),
                                    FailureClass::None, entry.outputs, entry.attempt, *vars});
  set_vars(*vars);
  return true;
}

// A success whose variables cannot be rendered is none.
run::AttemptEnded Core::judge_end(const RenderInput& input, const run::Attempt& attempt, sched::Observation seen) {
  const run::TaskInstance& instance = input.run.state.tasks.at(input.id.key);
  const run::RunState state = input.run.state.state;
  const bool compares = std::any_of(input.task.checks.begin(), input.task.checks.end(),
                                    [](const dag::Check& check) { return check.within.has_value(); });
  if (compares && seen.exit_code == 0)
    if (auto previous = store_.previous_outputs(input.run.dag->id, input.id.key, input.id.run))
      seen.previous = *std::move(previous);
  run::AttemptEnded ended = sched::judge(input.task, instance, attempt, seen, state, now_);
  if (ended.task_to != TaskState::Success) return ended;
  auto vars = render_vars(input, ended.outputs, attempt.rendered);
  if (!vars) {
    seen.failure = FailureClass::Render;
    seen.message = vars.error().message;
    return sched::judge(input.task, instance, attempt, seen, state, now_);
  }
  ended.vars = *std::move(vars);
  if (const Value* uris = attempt.rendered.find("produces"))
    for (const Value& uri : uris->as_array()) ended.datasets.push_back(uri.as_string());
  return ended;
}

// In the commit of the success itself. A result of an older generation changes nothing but its attempt.
void Core::apply_success(const run::Attempt& attempt, const run::AttemptEnded& ended) {
  set_vars(ended.vars);
  for (const std::string& uri : ended.datasets) update_dataset(uri, attempt.id.str());
  const Value* cache = attempt.rendered.find("cache");
  const std::string key = cache == nullptr ? std::string() : cache->get_string("key");
  if (key.empty()) return;
  batch_.cached.push_back(
      {key, snapshot_.runs.at(attempt.id.run).dag->id, attempt.id, *cache->find("parts"), ended.outputs, now_});
}

void Core::set_vars(const Value& vars) {
  if (!vars.is_object()) return;
  for (const auto& [name, value] : vars.as_object()) {
    snapshot_.vars[name] = value;
    batch_.vars[name] = value;
  }
}

}  // namespace slipway::engine
