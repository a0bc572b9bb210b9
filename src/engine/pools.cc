// Named slots: what people set, and what is made of them.
#include "engine/core.h"

namespace slipway::engine {
namespace {

int queued_in(const run::PoolQueue& queue) {
  std::size_t queued = 0;
  for (const auto& [dag, lane] : queue.lanes) queued += lane.waiting.size() + lane.stuck.size();
  return static_cast<int>(queued);
}

}  // namespace

Result<Reply> Core::run_command(const SetPool& command) {
  const std::string name = "pool `" + command.name.str() + "`";
  if (!is_id(command.name.str()))
    return Error{ErrorCode::InvalidArgument, "`" + command.name.str() + "` is no name of a pool",
                 "a-z, 0-9, `-`, `.`, `_`, at most 100, a letter or digit first and last"};
  if (command.name.str() == dag::kDefaultPool)
    return Error{ErrorCode::Conflict, name + " is the local slots", "start the daemon with another number of slots"};
  if (!command.pool) {
    if (snapshot_.pools.count(command.name) == 0)
      return Error{ErrorCode::NotFound, "there is no " + name, "slipway pool list"};
    if (const PoolUse use = use_of(command.name); use.used > 0 || use.queued > 0)
      return Error{ErrorCode::Conflict,
                   name + " is in use: " + std::to_string(use.used) + " slots are held, " + std::to_string(use.queued) +
                       " tasks wait for it",
                   "give it 0 slots to let nothing more start, and delete it when it is empty"};
  }
  run::set_pool(snapshot_, command.name, command.pool, now_);
  batch_.pools[command.name] = command.pool;
  return Reply{};
}

PoolUse Core::use_of(const PoolId& id) const {
  const auto pool = snapshot_.pools.find(id);
  const auto queue = snapshot_.queues.find(id);
  return {id, run::pool_size(snapshot_, id), run::pool_used(snapshot_, id),
          queue == snapshot_.queues.end() ? 0 : queued_in(queue->second),
          pool == snapshot_.pools.end() ? std::string() : pool->second.description};
}

std::vector<PoolUse> Core::pools() const {
  const PoolId first{std::string(dag::kDefaultPool)};
  std::set<PoolId> others;
  for (const auto& [id, pool] : snapshot_.pools) others.insert(id);
  for (const auto& [id, queue] : snapshot_.queues)
    if (queue.held > 0 || queued_in(queue) > 0) others.insert(id);
  others.erase(first);
  std::vector<PoolUse> uses{use_of(first)};
  for (const PoolId& id : others) uses.push_back(use_of(id));
  uses.front().description = "the local slots";
  return uses;
}

// Its tasks wait until there is one; the file itself is fine.
void Core::warn_of_pools(const dag::Dag& dag) const {
  std::set<PoolId> missing;
  for (const dag::Task& task : dag.tasks)
    if (run::slots_of(task) > 0 && !run::pool_size(snapshot_, task.pool)) missing.insert(task.pool);
  for (const PoolId& id : missing)
    log_.warn("DAG names a pool that does not exist", {{"dag", dag.id.str()}, {"pool", id.str()}});
}

}  // namespace slipway::engine
